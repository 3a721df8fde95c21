/** dist/bve on core 0, with those that watch it. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../suite/folders.ts';

export interface WatchedGateway {
  readonly port: number;
  readonly pid: number;
  readonly key: string;
  readonly metricsUrl: string | null;
  stop(): Promise<void>;
}

const ADMIN_KEY = 'admin-key-of-the-bench';
const SCRAPE_EVERY_MS = 1000;
const MODELS_MAX = 50;

/** What the environment of each says; the first is compared with. */
export const WATCHERS: Readonly<Record<string, (collector: string) => Record<string, string>>> = {
  nobody: () => ({}),
  'metrics and a live view': () => ({ METRICS_PORT: '0' }),
  'a tenth traced': (collector) => ({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector,
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.1',
  }),
};

export async function startWatched(watcher: string, upstreamPort: number, parent: string): Promise<WatchedGateway> {
  const folder = mkdtempSync(join(parent, 'gateway-'));
  const bve = join(ROOT, 'dist/bve');
  const collector = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      await request.arrayBuffer();
      return new Response();
    },
  });
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOST: '127.0.0.1',
    PORT: '0',
    FUELIX_BASE_URL: `http://127.0.0.1:${upstreamPort}/v1`,
    FUELIX_API_KEY: 'fx-bench',
    API_KEY_PEPPER: 'pepper-of-the-bench',
    ADMIN_API_KEY: ADMIN_KEY,
    DATABASE_URL: `sqlite://${folder}/bve.db`,
    LOG_LEVEL: 'warn',
    ...WATCHERS[watcher]!(`http://127.0.0.1:${collector.port}`),
  };
  const models = Array.from({ length: MODELS_MAX - 1 }, (_, i) => `model-${i}`);
  const flags = ['--unlimited', '--allowed-models', ['gpt-4o', ...models].join(','), '--json'];
  const created = Bun.spawnSync([bve, 'keys', 'create', '--name', 'bench', ...flags], { env });
  const { key } = JSON.parse(created.stdout.toString()) as { key: string };
  const child = Bun.spawn(['taskset', '-c', '0', bve, 'serve'], {
    env,
    cwd: folder,
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const { port, metricsUrl } = await addresses(child.stdout);
  const leaving = new AbortController();
  if (metricsUrl !== null) watch(port, metricsUrl, leaving.signal);
  return {
    port,
    pid: child.pid,
    key,
    metricsUrl,
    stop: async () => {
      leaving.abort();
      child.kill('SIGTERM');
      await child.exited;
      await collector.stop(true);
    },
  };
}

/** A scrape each second, and somebody who looks at the live view. By curl: it takes little of the load generator's core. */
function watch(port: number, metricsUrl: string, signal: AbortSignal): void {
  const curl = (...args: string[]) => Bun.spawn(['curl', '-sN', '-o', '/dev/null', ...args]);
  const live = curl('-H', `Authorization: Bearer ${ADMIN_KEY}`, `http://127.0.0.1:${port}/admin/live`);
  const timer = setInterval(() => curl(metricsUrl), SCRAPE_EVERY_MS);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    live.kill();
  });
}

export async function scrape({ metricsUrl }: WatchedGateway): Promise<string> {
  return await (await fetch(metricsUrl!)).text();
}

/** Requests for each model by each kind of operation. @returns how many series there are then */
export async function fillSeries(gateway: WatchedGateway): Promise<number> {
  const headers = { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' };
  const paths = ['chat/completions', 'embeddings', 'images/generations', 'completions', 'threads/runs'];
  const ask = async (path: string, i: number) => {
    const body = JSON.stringify({ model: `model-${i}`, stream: path !== 'embeddings', prompt: 'x', messages: [] });
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/v1/${path}`, { method: 'POST', headers, body });
    await answer.arrayBuffer();
  };
  for (const path of paths) await Promise.all(Array.from({ length: MODELS_MAX - 1 }, (_, i) => ask(path, i)));
  return (await scrape(gateway)).split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

async function addresses(stdout: ReadableStream<Uint8Array>): Promise<{ port: number; metricsUrl: string | null }> {
  let output = '';
  let metricsUrl: string | null = null;
  const reader = stdout.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the gateway did not start: ${output}`);
    output += Buffer.from(value).toString();
    metricsUrl ??= /metrics on (http:[^\s"]+)"/.exec(output)?.[1] ?? null;
    const port = /listening on http:\/\/[^\s"]+:(\d+)"/.exec(output)?.[1];
    if (port !== undefined) return { port: Number(port), metricsUrl };
  }
}
