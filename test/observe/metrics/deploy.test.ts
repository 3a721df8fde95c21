/** The alerts and the dashboard of deploy/: Prometheus' own tools take them, and every query of the dashboard has an answer. */
import { expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startMock } from '../../../src/mock/server.ts';
import { eventually } from '../../support/eventually.ts';
import { startGatewayProcess } from '../../support/gateway.ts';

setDefaultTimeout(60_000);
const DEPLOY = resolve(import.meta.dir, '../../../deploy');
const PROMTOOL = Bun.which('promtool');
const PROMETHEUS = Bun.which('prometheus');
if (PROMTOOL === null || PROMETHEUS === null)
  console.log('skipped: needs promtool and prometheus (Debian: prometheus)');

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
}

/** Series that only trouble makes, which these tests do not. */
const NEEDS_TROUBLE = /bve_(limit_refusals|overloaded|store_errors)_total/;

test.skipIf(PROMTOOL === null)(
  'the alerts are valid, quiet when all is well, and each fires in its trouble',
  async () => {
    for (const args of [
      ['check', 'rules', 'bve.rules.yml'],
      ['test', 'rules', 'bve.rules.test.yml'],
    ]) {
      const tool = Bun.spawn([PROMTOOL!, ...args], { cwd: join(DEPLOY, 'prometheus'), stdout: 'pipe', stderr: 'pipe' });
      const said = (await new Response(tool.stdout).text()) + (await new Response(tool.stderr).text());
      expect([args[0], await tool.exited, said]).toEqual([args[0], 0, said]);
    }
  },
);

test.skipIf(PROMETHEUS === null)('every query of the dashboard has an answer from a real Prometheus', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bve-prometheus-'));
  const mock = startMock();
  mock.script(() => ({
    text: 'a b c d',
    pace_ms: 5,
    usage: { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 },
  }));
  const gateway = await startGatewayProcess({ upstreamUrl: mock.url, env: { METRICS_PORT: '0' } });
  const metrics = new URL(gateway.logLines().find(({ msg }) => /^metrics on /.test(String(msg)))!.url as string).host;
  const config = join(folder, 'prometheus.yml');
  await Bun.write(
    config,
    `global: { scrape_interval: 200ms }\nscrape_configs: [{ job_name: bve, static_configs: [{ targets: ["${metrics}"] }] }]\n`,
  );
  // It takes no port 0, so one that was just free is used.
  const probe = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() });
  const address = `127.0.0.1:${probe.port}`;
  await probe.stop(true);
  const prometheus = Bun.spawn(
    [PROMETHEUS!, `--config.file=${config}`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=${address}`],
    { stdout: 'ignore', stderr: 'ignore' },
  );
  try {
    const traffic = async () => {
      const call = (key: string, body: object, signal?: AbortSignal) =>
        fetch(`${gateway.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: JSON.stringify({ model: 'm', messages: [], stream: true, ...body }),
          ...(signal ? { signal } : {}),
        });
      await (await call(gateway.key, {})).text();
      await (await call(gateway.key, { model: 7 })).text();
      await (await call('no', {})).text();
      const client = new AbortController();
      const leaving = await call(gateway.key, {}, client.signal);
      await leaving.body!.getReader().read();
      client.abort();
    };
    const answers = async (expr: string): Promise<number> => {
      await traffic();
      const query = expr.replaceAll('$job', '.*').replaceAll('$__rate_interval', '1m');
      const answer = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(query)}`).catch(() => null);
      if (answer === null || answer.status === 503) return 0;
      const { status, data, error } = (await answer.json()) as {
        status: string;
        data?: { result: { value: [number, string] }[] };
        error?: string;
      };
      expect([query, status, error]).toEqual([query, 'success', undefined]);
      return data!.result.length;
    };
    const { panels } = (await Bun.file(join(DEPLOY, 'grafana/bve-gateway.json')).json()) as Dashboard;
    const queries = panels.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr);
    expect(queries.length).toBeGreaterThan(20);
    await eventually(() => answers('rate(bve_cancel_latency_seconds_count[1m]) > 0'));
    for (const expr of queries) {
      if (NEEDS_TROUBLE.test(expr)) await answers(expr);
      else
        await eventually(
          () => answers(expr),
          () => `no answer to ${expr}`,
        );
    }
  } finally {
    prometheus.kill('SIGKILL');
    await prometheus.exited;
    await gateway.stop();
    await mock.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
