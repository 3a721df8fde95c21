import { afterEach, expect, test } from 'bun:test';
import { dns } from 'bun';
import type { UpstreamError } from '../../src/upstream/client.ts';
import type { Connection } from '../../src/upstream/connection.ts';
import { dialTo } from '../../src/upstream/dial.ts';
import { Pool, type PoolOptions } from '../../src/upstream/pool.ts';
import { eventually } from '../support/eventually.ts';
import { type RawConnection, type RawUpstream, rawUpstream } from './raw-upstream.ts';

const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
const OPTIONS: PoolOptions = { idleMax: 10, idleLimitMs: 60_000, ageMaxMs: 120_000 };

const running: { stop(): unknown }[] = [];

afterEach(() => {
  for (const one of running.splice(0)) one.stop();
});

function bench(options: Partial<PoolOptions> = {}, onRead = (connection: RawConnection) => connection.write(ANSWER)) {
  const upstream = rawUpstream(onRead);
  return { upstream, pool: poolFor(upstream, options) };
}

function poolFor(upstream: RawUpstream, options: Partial<PoolOptions> = {}, hostname = '127.0.0.1'): Pool {
  const endpoint = {
    hostname,
    port: upstream.port,
    tls: undefined,
    proxy: null,
    proxyTls: undefined,
    connectTimeoutMs: 5_000,
    bulk: false,
  };
  const pool = new Pool(dialTo(endpoint), { ...OPTIONS, ...options });
  running.push({ stop: () => pool.close() }, upstream);
  return pool;
}

/** One whole exchange; `ended` is what became of it. */
function exchange(connection: Connection): Promise<UpstreamError | 'done'> {
  return new Promise((resolve) => {
    // Idle connections can be had in the next turn of the event loop.
    const done = () => setImmediate(resolve, 'done');
    const user = { head: () => ({ data: () => {} }), writable: () => {}, done, broken: resolve };
    connection.send({ first: REQUEST, rest: null }, user, false);
  });
}

/** So many idle connections, the one that was released last at the end. */
async function fill(pool: Pool, count: number): Promise<Connection[]> {
  const connections = Array.from({ length: count }, () => pool.connect());
  for (const connection of connections) expect(await exchange(connection)).toBe('done');
  return connections;
}

test('the connection that was used last is used next', async () => {
  const { pool } = bench();
  const [first, second, third] = await fill(pool, 3);
  expect(pool.takeIdle(performance.now())).toBe(third!);
  expect(pool.takeIdle(performance.now())).toBe(second!);
  await exchange(third!);
  expect(pool.takeIdle(performance.now())).toBe(third!);
  expect(pool.takeIdle(performance.now())).toBe(first!);
  expect(pool.takeIdle(performance.now())).toBeNull();
  for (const connection of [first, second, third]) connection!.destroy();
});

test('no more idle connections than idleMax are kept: the one too many is closed', async () => {
  const { pool, upstream } = bench({ idleMax: 2 });
  await fill(pool, 3);
  expect(pool.idleCount).toBe(2);
  await upstream.connections[2]!.closed;
});

test('with idleMax 0 none is kept', async () => {
  const { pool, upstream } = bench({ idleMax: 0 });
  await fill(pool, 1);
  expect(pool.idleCount).toBe(0);
  await upstream.connections[0]!.closed;
});

test('one that was idle for longer than the limit is closed and not given out', async () => {
  const { pool, upstream } = bench();
  const [connection] = await fill(pool, 1);
  // A millisecond to spare: times are fractions, and (a + b) - a may be a little more than b.
  expect(pool.takeIdle(connection!.idleSinceMs + OPTIONS.idleLimitMs - 1)).toBe(connection!);
  await exchange(connection!);
  expect(pool.takeIdle(connection!.idleSinceMs + OPTIONS.idleLimitMs + 1)).toBeNull();
  expect([pool.idleCount, connection!.usable]).toEqual([0, false]);
  await upstream.connections[0]!.closed;
});

test('one that nobody asks for is closed at the idle limit all the same', async () => {
  const { pool, upstream } = bench({ idleLimitMs: 20 });
  await fill(pool, 2);
  await Promise.all(upstream.connections.map((connection) => connection.closed));
  expect(pool.idleCount).toBe(0);
});

test('one that is too old is not given out, however fresh its last exchange', async () => {
  const { pool, upstream } = bench({ idleLimitMs: 1_000_000 });
  const [connection] = await fill(pool, 1);
  expect(pool.takeIdle(connection!.bornAtMs + OPTIONS.ageMaxMs + 1)).toBeNull();
  await upstream.connections[0]!.closed;
});

test('one that is too old when its exchange ends is closed', async () => {
  const { pool, upstream } = bench({ ageMaxMs: 0 });
  await fill(pool, 1);
  expect(pool.idleCount).toBe(0);
  await upstream.connections[0]!.closed;
});

test('one that upstream closes while it is idle is forgotten', async () => {
  const { pool, upstream } = bench();
  const [first, second, third] = await fill(pool, 3);
  upstream.connections[1]!.finish();
  upstream.connections[2]!.reset();
  await eventually(() => pool.idleCount === 1);
  expect([first!.usable, second!.usable, third!.usable]).toEqual([true, false, false]);
  expect(pool.takeIdle(performance.now())).toBe(first!);
  first!.destroy();
});

test.each(['\r\n', ANSWER, 'HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\r\n'])(
  'RFC 9112 §9.2 early bytes on an idle connection (%j) end it',
  async (early) => {
    const { pool, upstream } = bench();
    const [connection] = await fill(pool, 1);
    upstream.connections[0]!.write(early);
    await upstream.connections[0]!.closed;
    expect([pool.idleCount, connection!.usable, pool.takeIdle(performance.now())]).toEqual([0, false, null]);
  },
);

test.each([
  ['behind it', `${ANSWER}HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled`],
  ['with connection: close', 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'],
  ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok'],
])('a connection whose response came with bytes or a wish to close (%s) is not kept', async (_, answer) => {
  const { pool, upstream } = bench({}, (connection) => connection.write(answer));
  await fill(pool, 1);
  expect(pool.idleCount).toBe(0);
  await upstream.connections[0]!.closed;
});

test('close() ends what is idle; what is in use ends with its exchange', async () => {
  const { pool, upstream } = bench({}, (connection) => {
    if (upstream.connections.length < 3) connection.write(ANSWER);
  });
  await fill(pool, 2);
  const busy = pool.connect();
  const ended = exchange(busy);
  await eventually(() => (upstream.connections[2]?.received ?? 0) > 0);
  pool.close();
  await Promise.all(upstream.connections.slice(0, 2).map((connection) => connection.closed));
  expect([pool.idleCount, busy.usable]).toEqual([0, true]);
  upstream.connections[2]!.write(ANSWER);
  expect(await ended).toBe('done');
  expect([pool.idleCount, busy.usable]).toEqual([0, false]);
  await upstream.connections[2]!.closed;
});

test('a host name is looked up for every connection that is made, and for none that is used again', async () => {
  const upstream = rawUpstream((connection) => connection.write(ANSWER));
  const pool = poolFor(upstream, {}, 'localhost');
  // Bun answers from what it has known for less than 30 s; that, too, is counted.
  const lookups = () => (dns.getCacheStats() as { totalCount: number }).totalCount;
  const before = lookups();
  const connections = await fill(pool, 3);
  expect(lookups() - before).toBe(3);
  for (let i = 0; i < 3; i++) expect(await exchange(pool.takeIdle(performance.now())!)).toBe('done');
  expect([lookups() - before, connections.length, upstream.connections.length]).toEqual([3, 3, 3]);
});
