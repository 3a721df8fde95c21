/**
 * When a connection is used again, and what becomes of a request whose pooled connection upstream has closed. Upstream and
 * client share an event loop here: what one does is in the kernel, and unknown to the loop, while the other goes on.
 */
import { afterEach, describe, expect, test } from 'bun:test';
import type { UpstreamError, UpstreamRequest } from '../../src/upstream/client.ts';
import type { Connection } from '../../src/upstream/connection.ts';
import { dialTo } from '../../src/upstream/dial.ts';
import { Pool } from '../../src/upstream/pool.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { provesUnread } from '../../src/upstream/unread-request.ts';
import { eventually } from '../support/eventually.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { type Observed, send, takeViolations } from './observed.ts';
import { type RawConnection, type RawUpstream, rawUpstream } from './raw-upstream.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const ANSWER = `${OK}content-length: 2\r\n\r\nok`;
const OPTIONS = { connectTimeoutMs: 5_000, idleConnectionsMax: 256, idleLimitMs: 30_000, ageMaxMs: 600_000 };
/** Above STALE_WITHIN_MS. */
const LATE_MS = 1_100;

const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  expect(takeViolations()).toEqual([]);
});

const says = (text: string) => (connection: RawConnection) => connection.write(text);
const reset = (connection: RawConnection) => connection.reset();
const finish = (connection: RawConnection) => connection.finish();
/** close(): FIN, and what comes afterwards is refused by the kernel. */
const close = (connection: RawConnection) => connection.close();

/** Answers by number: the first request that is read, the second, … on whatever connection. */
function answering(...answers: ((connection: RawConnection) => unknown)[]) {
  return started({}, answers);
}

function started(options: { tls?: Bun.TLSOptions }, answers: ((connection: RawConnection) => unknown)[]) {
  let count = 0;
  const upstream = rawUpstream((connection) => (answers[count++] ?? answers.at(-1)!)(connection), options);
  const client = new SocketClient(upstream.url, { ...OPTIONS, ca: options.tls ? SELF_SIGNED.cert : undefined });
  running.push(upstream, { stop: () => client.close() });
  return { upstream, client };
}

const requestsOn = (upstream: RawUpstream) =>
  upstream.connections.map((connection) => connection.takeText().match(/(GET|POST|HEAD) \//g)?.length ?? 0);

const safeToResend = ({ outcome }: Observed) => (outcome as UpstreamError).safeToResend;

describe('an idle connection', () => {
  test('is not used again in the turn of the event loop in which its answer ended, but in the next', async () => {
    const { upstream, client } = answering(says(ANSWER));
    const next = Promise.withResolvers<Observed>();
    await send(client, {}, { end: () => next.resolve(send(client)) }).over;
    await (await next.promise).over;
    expect(upstream.connections.length).toBe(2);
    await send(client).over;
    expect(upstream.connections.length).toBe(2);
  });

  for (const [name, options] of [
    ['in the clear', {}],
    ['over TLS', { tls: SELF_SIGNED }],
  ] as const) {
    test.each([
      ['FIN', finish],
      ['FIN of a closed socket', close],
      ['RST', reset],
      ['a byte', says('x')],
      ['another answer', says(`${OK}content-length: 9\r\n\r\nsmuggled!`)],
    ])(`${name} on which %s has come, unseen by the event loop, is closed and not used`, async (_, act) => {
      const { upstream, client } = started(options, [says(ANSWER), says(`${OK}content-length: 3\r\n\r\nown`)]);
      await send(client, { body: Buffer.from('first') }).over;
      act(upstream.connections[0]!);
      const exchange = await send(client, { body: Buffer.from('second') }).over;
      expect([exchange.ended, exchange.body.toString(), upstream.connections.length]).toEqual(['end', 'own', 2]);
      expect(requestsOn(upstream)).toEqual([1, 1]);
    });
  }

  test.each([
    ['204 with content-length', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n'],
    ['204 with transfer-encoding', 'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['304 with content-length', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n'],
  ])('is not kept after a %s, whose body may follow all the same', async (_, head) => {
    const { upstream, client } = answering(says(head), says(ANSWER));
    expect((await send(client).over).ended).toBe('end');
    await upstream.connections[0]!.closed;
    expect((await send(client).over).body.toString()).toBe('ok');
    expect(upstream.connections.length).toBe(2);
  });

  test.each([
    ['timeout=5', 2_000, 4_100],
    ['max=100, Timeout=2', 900, 1_100],
    ['timeout=0', -1, 0],
    ['max=7', 29_000, 31_000],
  ])('of an upstream that says Keep-Alive: %s is used only so long', async (field, usedMs, unusedMs) => {
    for (const idleMs of [usedMs, unusedMs]) {
      const upstream = rawUpstream(says(`${OK}keep-alive: ${field}\r\ncontent-length: 2\r\n\r\nok`));
      const pool = poolFor(upstream);
      const connection = await usedOnce(pool);
      const taken = pool.takeIdle(connection.idleSinceMs + idleMs);
      expect([idleMs, taken === connection]).toEqual([idleMs, idleMs === usedMs]);
      connection.destroy();
    }
  });
});

describe('a pooled connection that breaks under a request', () => {
  const POST = { body: Buffer.from('{"a":1}') };

  test.each([
    ['reset', reset],
    ['closed', close],
    ['finished', finish],
  ])('that upstream has read, %s: a POST is not sent again', async (_, end) => {
    const { upstream, client } = answering(says(ANSWER), end, says(ANSWER));
    await send(client, POST).over;
    const exchange = await send(client, POST).over;
    expect([exchange.status, exchange.ended, safeToResend(exchange)]).toEqual([0, 'reset', false]);
    expect(requestsOn(upstream)).toEqual([2]);
  });

  const idempotent: [string, Partial<UpstreamRequest>][] = [
    ['a GET', { method: 'GET' }],
    ['a HEAD', { method: 'HEAD' }],
    ['a POST with an idempotency-key', { ...POST, headers: [['idempotency-key', 'k-1']] }],
    ['a POST with an Idempotency-Key', { ...POST, headers: [['Idempotency-Key', 'k-1']] }],
  ];
  test.each(idempotent)('%s is sent again, once, on a new connection', async (_, request) => {
    const { upstream, client } = answering(says(ANSWER), reset, says(ANSWER));
    await send(client).over;
    const exchange = await send(client, request).over;
    expect([exchange.ended, upstream.connections.length]).toEqual(['end', 2]);
    if (request.body) expect(upstream.connections[1]!.takeText()).toEndWith('content-length: 7\r\n\r\n{"a":1}');
  });

  test('the second attempt of a paused call is paused, too', async () => {
    const { upstream, client } = answering(
      says(ANSWER),
      reset,
      says(`${OK}content-length: 1000000\r\n\r\n${'x'.repeat(1_000_000)}`),
    );
    await send(client).over;
    const exchange = send(client, { method: 'GET' });
    exchange.pause();
    await eventually(() => (upstream.connections[1]?.received ?? 0) > 0);
    for (let i = 0; i < 5; i++) await send(new SocketClient(upstream.url, OPTIONS)).over;
    expect(exchange.parts.length).toBeLessThanOrEqual(1);
    exchange.resume();
    expect([(await exchange.over).ended, exchange.bytes]).toEqual(['end', 1_000_000]);
  });

  test('the second attempt takes no pooled connection', async () => {
    const upstream = rawUpstream((connection) => (connection.answered ? connection.reset() : connection.write(ANSWER)));
    const client = new SocketClient(upstream.url, OPTIONS);
    running.push(upstream, { stop: () => client.close() });
    await Promise.all(Array.from({ length: 3 }, () => send(client).over));
    for (const connection of upstream.connections) connection.answered = true;
    const exchange = await send(client, { method: 'GET' }).over;
    expect([exchange.ended, upstream.connections.length]).toEqual(['end', 4]);
  });

  test('the second attempt is the last', async () => {
    const { upstream, client } = answering(says(ANSWER), reset);
    await send(client).over;
    expect((await send(client, { method: 'GET' }).over).ended).toBe('reset');
    expect(upstream.connections.length).toBe(2);
  });

  test.each(['H', 'HTTP/1.1 200', 'HTTP/1.1 100\r\n\r\n', `${OK}content-length: 2\r\n\r\n`])(
    'after a byte of its answer (%j): no second attempt, even of a GET',
    async (start) => {
      const { upstream, client } = answering(says(ANSWER), (connection) => {
        connection.write(start);
        connection.finish();
      });
      await send(client).over;
      expect((await send(client, { method: 'GET' }).over).ended).toBe('reset');
      expect(upstream.connections.length).toBe(1);
    },
  );

  test('that is not pooled but new: no second attempt', async () => {
    const { upstream, client } = answering(reset);
    expect((await send(client, { method: 'GET' }).over).ended).toBe('reset');
    expect(upstream.connections.length).toBe(1);
  });

  test('that held the request for a while: no second attempt here', async () => {
    const { upstream, client } = answering(says(ANSWER), (connection) => setTimeout(reset, LATE_MS, connection));
    await send(client).over;
    expect((await send(client, { method: 'GET' }).over).ended).toBe('reset');
    expect(upstream.connections.length).toBe(1);
  });

  // The moment between the look at the connection and the write, which no client can choose: without the look.
  test.each([
    ['a reset came before it', {}, reset, true],
    ['a FIN of a closed socket came before it', {}, close, true],
    ['a FIN came before it from a socket that still reads', {}, finish, false],
    ['over TLS a reset came before it', { tls: SELF_SIGNED }, reset, true],
    // Bun's server waits for the close_notify of its peer: until then it reads.
    ['over TLS a FIN came before it from a socket that still reads', { tls: SELF_SIGNED }, finish, false],
  ])('%s: whether it may be sent again is known', async (_, options, act, expected) => {
    const upstream = rawUpstream((connection) => !connection.answered && connection.write(ANSWER), options);
    const connection = await usedOnce(poolFor(upstream));
    upstream.connections[0]!.answered = true;
    act(upstream.connections[0]!);
    const outcome = await exchangeOn(connection);
    expect(outcome).toMatchObject({ kind: 'reset', safeToResend: expected });
    expect(requestsOn(upstream)).toEqual([expected ? 1 : 2]);
  });
});

test('what is no TCP socket, or is closed, proves nothing', () => {
  expect([provesUnread(-1, 1), provesUnread(0, 1)]).toEqual([null, null]);
});

function poolFor(upstream: RawUpstream): Pool {
  const endpoint = {
    hostname: new URL(upstream.url).hostname,
    port: upstream.port,
    tls: upstream.url.startsWith('https:') ? { ca: SELF_SIGNED.cert, serverName: 'localhost' } : undefined,
    proxy: null,
    proxyTls: undefined,
    connectTimeoutMs: 5_000,
    bulk: false,
  };
  const pool = new Pool(dialTo(endpoint), { idleMax: 10, idleLimitMs: 30_000, ageMaxMs: 600_000 });
  running.push(upstream, { stop: () => pool.close() });
  return pool;
}

async function usedOnce(pool: Pool): Promise<Connection> {
  const connection = pool.connect();
  expect(await exchangeOn(connection)).toBe('done');
  return connection;
}

function exchangeOn(connection: Connection): Promise<UpstreamError | 'done'> {
  return new Promise((resolve) => {
    const done = () => setImmediate(resolve, 'done');
    const user = { head: () => ({ data: () => {} }), writable: () => {}, done, broken: resolve };
    const first = Buffer.from('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    connection.send({ first, rest: null }, user, false);
  });
}
