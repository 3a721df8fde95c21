/** An upstream that cannot be reached: told soon and by its real name, and a refused connection is tried again. */
import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { inNamespace, whyNoNamespaces } from '../support/network-namespace.ts';
import type { ConnectFailure } from './connect-failures.ts';
import { type Observed, send, takeViolations } from './observed.ts';
import { rawUpstream } from './raw-upstream.ts';

const OPTIONS = { connectTimeoutMs: 5_000, idleConnectionsMax: 1_024, idleLimitMs: 30_000, ageMaxMs: 600_000 };
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
/** The product's bound is 100 ms; a test machine is busy. */
const SOON_MS = 500;

const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  expect(takeViolations()).toEqual([]);
});

const skipped = whyNoNamespaces();
if (skipped) console.log(`skipped: connect() that fails at once: ${skipped}`);

test.skipIf(skipped !== null)('connect() that fails at once is told at once, by address and by name', async () => {
  const failures = await inNamespace<ConnectFailure[]>(join(import.meta.dir, 'connect-failures.ts'), {
    hosts: ['10.1.2.3 away.test', '10.9.9.9 gone.test', '10.1.2.3 both.test', '127.0.0.1 both.test'],
    setup: ['ip route add unreachable 10.9.9.9', 'ulimit -n 200'],
  });
  expect(failures.map(({ what, ended, code }) => [what, ended, code])).toEqual([
    ['no route, by address', 'unreachable', 'ENETUNREACH'],
    ['no route, by name', 'unreachable', 'ENETUNREACH'],
    ['unreachable host, by address', 'unreachable', 'EHOSTUNREACH'],
    ['unreachable host, by name', 'unreachable', 'EHOSTUNREACH'],
    ['no route, over TLS', 'unreachable', 'ENETUNREACH'],
    ['one of two addresses is reached, by name', 'end', undefined],
    ['no local port, by address', 'unreachable', 'EADDRNOTAVAIL'],
    ['no local port, by name', 'unreachable', 'EADDRNOTAVAIL'],
    ['no descriptor, but idle connections', 'end', undefined],
    ['no descriptor, by address', 'unreachable', 'EMFILE'],
    ['no descriptor, by name', 'unreachable', 'EMFILE'],
  ]);
  expect(failures.filter(({ ms }) => ms > SOON_MS)).toEqual([]);
});

/** A port that nobody listens on until `open`. */
function closedPort() {
  const placeholder = rawUpstream(() => {});
  const { port } = placeholder;
  placeholder.stop();
  return {
    port,
    open: () => {
      const upstream = rawUpstream((connection) => connection.write(ANSWER), { port });
      running.push(upstream);
      return upstream;
    },
  };
}

function clientOf(url: string, options: Partial<typeof OPTIONS> = {}): SocketClient {
  const client = new SocketClient(url, { ...OPTIONS, ...options });
  running.push({ stop: () => client.close() });
  return client;
}

describe('a refused connection', () => {
  const codeOf = ({ outcome }: Observed) => ((outcome as Error).cause as { code?: string }).code;

  test.each(['127.0.0.1', 'localhost'])(
    'to %s is tried again: 500 requests wait for a port that is closed for 300 ms',
    async (host) => {
      const { port, open } = closedPort();
      const client = clientOf(`http://${host}:${port}`);
      const exchanges = Array.from({ length: 500 }, (_, i) => send(client, { body: Buffer.from(`${i}`) }));
      await Bun.sleep(300);
      const upstream = open();
      await Promise.all(exchanges.map(({ over }) => over));
      expect(new Set(exchanges.map(({ ended }) => ended))).toEqual(new Set(['end']));
      expect(
        upstream.connections.reduce((sum, connection) => sum + connection.takeText().split('POST ').length - 1, 0),
      ).toBe(500);
    },
  );

  test('is given up after a second: unreachable, and the request may be sent elsewhere', async () => {
    const startedAtMs = performance.now();
    const exchange = await send(clientOf(`http://127.0.0.1:${closedPort().port}`)).over;
    const elapsedMs = performance.now() - startedAtMs;
    expect([exchange.ended, codeOf(exchange)]).toEqual(['unreachable', 'ECONNREFUSED']);
    expect(elapsedMs).toBeGreaterThan(700);
    expect(elapsedMs).toBeLessThan(1_000 + SOON_MS);
  });

  test('is not tried again where there is another upstream to turn to', async () => {
    const startedAtMs = performance.now();
    const exchange = await send(clientOf(`http://127.0.0.1:${closedPort().port}`), { refusedForMs: 0 }).over;
    expect([exchange.ended, codeOf(exchange)]).toEqual(['unreachable', 'ECONNREFUSED']);
    expect(performance.now() - startedAtMs).toBeLessThan(SOON_MS);
  });

  test('is not tried for longer than connecting may take', async () => {
    const client = clientOf(`http://127.0.0.1:${closedPort().port}`, { connectTimeoutMs: 50 });
    expect(codeOf(await send(client).over)).toBe('CONNECT_TIMEOUT');
  });

  test('whose request is aborted meanwhile is not tried again', async () => {
    const { port, open } = closedPort();
    const client = clientOf(`http://127.0.0.1:${port}`);
    const exchange = send(client);
    await Bun.sleep(50);
    exchange.abort();
    const upstream = open();
    // Another one, which waits as long as the first would have.
    expect((await send(client).over).ended).toBe('end');
    await Bun.sleep(200);
    expect([exchange.ended, upstream.connections.length]).toEqual(['aborted', 1]);
  });
});
