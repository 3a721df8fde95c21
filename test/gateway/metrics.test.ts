/** GET /metrics over real sockets, and what Prometheus' own tool says of it. */
import { describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import { CHAT, PLAIN, pair, STREAM } from '../support/pair.ts';

const TOKEN = 'metrics-token-for-tests';
const bench = pair({ env: { METRICS_TOKEN: TOKEN, METRICS_PORT: '0' } });

const scrape = (headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` }) =>
  fetch(`${bench.gateway.url}/metrics`, { headers });
/** The lines of a scrape, once every request is counted: a client may have its answer before that. */
const linesOf = () =>
  eventually(async () => {
    const lines = (await (await scrape()).text()).split('\n');
    return lines.includes('bve_requests_in_flight 0') ? lines : undefined;
  });
const ownPort = () => String(bench.gateway.logLines().find(({ msg }) => String(msg).startsWith('metrics on '))!.url);

const PROMTOOL = Bun.which('promtool');
if (PROMTOOL === null) console.log('skipped: promtool checks the metrics, and is not installed (Debian: prometheus)');

describe('GET /metrics', () => {
  test('needs the token beside the API, as a bearer', async () => {
    const answer = await scrape();
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const headers of [{}, { authorization: TOKEN }, { authorization: 'Bearer no' }] as Record<string, string>[]) {
      const refused = await scrape(headers);
      expect([refused.status, await refused.json()]).toEqual([
        401,
        { error: { message: 'Invalid metrics token', type: 'invalid_request_error', code: 'invalid_api_key' } },
      ]);
    }
    expect((await fetch(`${bench.gateway.url}/metrics?access_token=${TOKEN}`)).status).toBe(401);
    const posted = await fetch(`${bench.gateway.url}/metrics`, { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  test('is open on a port of its own, where there is nothing else', async () => {
    expect((await fetch(ownPort())).status).toBe(200);
    expect((await fetch(ownPort(), { method: 'POST' })).status).toBe(405);
    expect((await fetch(ownPort().replace('/metrics', '/health'))).status).toBe(404);
  });

  test('is not there when nothing asks for it', async () => {
    const gateway = await startGatewayProcess({ upstreamUrl: bench.mock.url });
    const answer = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([
      404,
      'route_not_found',
    ]);
    await gateway.stop();
  });

  test('counts what was served, with the models of the last list', async () => {
    bench.mock.script(() => ({ json: { object: 'list', data: [{ id: 'known-model' }] } }));
    expect((await bench.call({ method: 'GET', path: '/v1/models', body: '' })).status).toBe(200);
    bench.mock.script(() => ({ text: 'Hello', usage: { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 } }));
    await bench.call({ body: { ...STREAM, model: 'known-model', stream_options: { include_usage: true } } });
    await bench.call({ body: { ...PLAIN, model: 'made-up' } });
    await bench.call({ body: PLAIN, headers: { authorization: 'Bearer no' } });
    const lines = await linesOf();
    expect(lines).toContain(`bve_requests_total{endpoint="${CHAT}",status="200",finish="complete",streamed="true"} 1`);
    expect(lines).toContain(`bve_requests_total{endpoint="${CHAT}",status="401",finish="error",streamed="false"} 1`);
    expect(lines).toContain('bve_auth_failures_total{reason="invalid_api_key"} 1');
    expect(lines).toContain('bve_tokens_total{type="input",gen_ai_request_model="known-model"} 4');
    expect(lines).toContain('bve_tokens_total{type="input",gen_ai_request_model="other"} 4');
    expect(lines).toContain('bve_upstream_attempts_total{target="fuelix",outcome="ok"} 3');
    expect(lines).toContain('bve_target_up{target="fuelix"} 1');
    expect(lines).toContain('bve_requests_in_flight 0');
    expect(lines).toContain('bve_streams_open 0');
    expect(lines.join('\n')).not.toContain('made-up');
  });

  test('tells the time between two chunks', async () => {
    bench.mock.script(() => ({ text: 'one two three four five six seven eight nine ten', pace_ms: 40 }));
    await bench.call({ body: { ...STREAM, model: 'paced' } });
    const text = await (await scrape()).text();
    expect(text).toMatch(/gen_ai_client_operation_time_per_output_chunk_seconds_count\{[^}]*\} [1-9]/);
  });

  test.skipIf(PROMTOOL === null)('is without fault for promtool', async () => {
    const check = Bun.spawn([PROMTOOL!, 'check', 'metrics'], {
      stdin: Buffer.from(await (await scrape()).arrayBuffer()),
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const said = (await new Response(check.stdout).text()) + (await new Response(check.stderr).text());
    expect([await check.exited, said]).toEqual([0, '']);
  });
});
