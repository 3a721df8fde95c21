/**
 * The race for a kept-alive connection: upstream closes idle ones while requests are sent on them. No POST that upstream has
 * read whole is sent twice, and clients see no more 502s than behind nginx in the same run. RACE_REQUESTS=10000 runs it long.
 */
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { HAS_NGINX, startNginx } from '../support/nginx.ts';

const REQUESTS = Number(process.env.RACE_REQUESTS ?? 2_000);
const CLIENTS = 32;
/** As long as upstream keeps a connection, so that many requests meet one that is just being closed. */
const PAUSE_MS_MAX = 25;
/** A short run has few of them, and chance decides about some. */
const CHANCE = REQUESTS < 10_000 ? 10 : 0;

setDefaultTimeout(600_000);
if (!HAS_NGINX) console.log('partly skipped: the race is not compared with nginx, which is not installed');

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());

/** Starts what stands between the clients and upstream. */
type Connect = (upstreamPort: number) => Promise<{ url: string; key: string }>;

interface Outcome {
  readonly sent: number;
  readonly statuses: Record<string, number>;
  /** Of the requests that upstream has read whole, how often. */
  readonly reads: ReadonlyMap<string, number>;
}

async function race(name: string, connect: Connect, ...flags: string[]): Promise<Outcome> {
  const script = join(import.meta.dir, '../support/closing-upstream.ts');
  const upstream = Bun.spawn([process.execPath, script, ...flags], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const lines = linesOf(upstream.stdout);
  const { url, key } = await connect(Number((await lines.next()).value));
  const statuses: Record<string, number> = {};
  let sent = 0;
  const client = async () => {
    while (sent < REQUESTS) {
      const id = `${name}-${sent++}`;
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'x-request-id': id },
        body: '{"model":"m","messages":[]}',
      });
      await answer.arrayBuffer();
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      await Bun.sleep(Math.random() * PAUSE_MS_MAX);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  upstream.stdin.write('end\n');
  upstream.stdin.end();
  const reads = new Map(JSON.parse((await lines.next()).value!) as [string, number][]);
  await upstream.exited;
  return { sent, statuses, reads };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let text = '';
  for await (const part of stream) {
    const lines = (text + Buffer.from(part).toString()).split('\n');
    text = lines.pop()!;
    yield* lines;
  }
}

async function gatewayTo(port: number): Promise<GatewayProcess> {
  const upstreamUrl = `http://127.0.0.1:${port}/v1`;
  const gateway = await startGatewayProcess({ upstreamUrl, env: { LOG_LEVEL: 'error' } });
  stack.defer(() => gateway.stop());
  return gateway;
}

async function nginxTo(port: number): Promise<{ url: string; key: string }> {
  const server = await startNginx(port);
  stack.defer(() => server.stop());
  return { url: `http://127.0.0.1:${server.port}`, key: 'none' };
}

const twice = ({ reads }: Outcome) => [...reads].filter(([, count]) => count > 1);
const failed = ({ statuses, sent }: Outcome) => sent - (statuses[200] ?? 0);

test(`${REQUESTS} POSTs against an upstream that closes idle connections: none is sent twice`, async () => {
  const [ours, nginx] = await Promise.all([race('gateway', gatewayTo), HAS_NGINX ? race('nginx', nginxTo) : null]);
  console.log(`statuses: gateway ${JSON.stringify(ours.statuses)}, nginx ${JSON.stringify(nginx?.statuses)}`);
  expect(twice(ours)).toEqual([]);
  expect(ours.reads.size).toBeGreaterThanOrEqual(ours.statuses[200]!);
  if (nginx) expect(failed(ours)).toBeLessThanOrEqual(failed(nginx) + CHANCE);
});

test('an upstream that also closes connections under a request that it has read: none is sent twice', async () => {
  const outcome = await race('careless', gatewayTo, '--careless');
  expect(twice(outcome)).toEqual([]);
  // Otherwise it has closed none of them under a request.
  expect(outcome.reads.size).toBeGreaterThan(outcome.statuses[200]!);
});
