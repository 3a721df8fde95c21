import { afterEach, describe, expect, test } from 'bun:test';
import type { Socket } from 'bun';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { boundReceiveBuffer, RECEIVE_BUFFER_BYTES } from '../../src/upstream/socket-options.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { type Observed, send, takeViolations } from './observed.ts';

const runs = process.platform === 'linux' && Bun.which('ss') !== null;
if (!runs) console.log('skipped: the receive buffer is bounded on Linux only, and read with ss (iproute2)');

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function connected(secure: boolean): Promise<Socket> {
  const handlers = { data: () => {} };
  const tls = secure ? { tls: { cert: SELF_SIGNED.cert, key: SELF_SIGNED.key } } : {};
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: handlers, ...tls });
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: listener.port,
    socket: handlers,
    ...(secure ? { tls: { rejectUnauthorized: false } } : {}),
  });
  closing.push(() => {
    socket.terminate();
    listener.stop(true);
  });
  return socket;
}

/** As the kernel tells it to ss(8): `rb` of skmem, bytes. */
async function receiveBufferOf({ localPort }: Socket): Promise<number> {
  const told = await Bun.$`ss -tmnH sport = :${localPort}`.text();
  return Number(/skmem:\(r\d+,rb(\d+)/.exec(told)?.[1]);
}

describe.if(runs)('the receive buffer of an upstream socket', () => {
  test.each([
    ['in the clear', false],
    ['over TLS', true],
  ])('is bounded: %s', async (_, secure) => {
    const socket = await connected(secure);
    expect(boundReceiveBuffer(socket)).toBe(true);
    // socket(7): the kernel doubles what it is given, and does not let a buffer grow that was set.
    const bytes = await receiveBufferOf(socket);
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThanOrEqual(2 * RECEIVE_BUFFER_BYTES);
  });

  test('cannot be bounded once the socket is closed, which is told and not thrown', async () => {
    const socket = await connected(false);
    socket.terminate();
    expect(boundReceiveBuffer(socket)).toBe(false);
  });
});

describe.if(runs)('an upstream socket', () => {
  const OPTIONS = { connectTimeoutMs: 5_000, idleConnectionsMax: 16, idleLimitMs: 30_000, ageMaxMs: 600_000 };
  const BODY = Buffer.alloc(24 * 1024 * 1024);

  /** What ss(8) says of the client's end of the connections to a port. */
  const toldOf = async (port: number) => (await Bun.$`ss -tmnoH state established dport = :${port}`.text()).trim();

  test.each([
    ['of a download has a receive buffer that grows', true],
    ['of any other answer has one that does not', false],
  ])('%s, and neither is used in place of the other', async (_, bulk) => {
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(BODY) });
    const client = new SocketClient(`http://127.0.0.1:${server.port}`, OPTIONS);
    closing.push(
      () => void server.stop(true),
      () => client.close(),
    );
    const get = async (request: { bulk: boolean }) => {
      const exchange = await send(client, { method: 'GET', ...request }).over;
      expect([exchange.ended, exchange.bytes]).toEqual(['end', BODY.length]);
    };
    for (let i = 0; i < 3; i++) await get({ bulk });
    const [told, ...others] = (await toldOf(server.port!)).split(/\n(?=\S)/);
    expect(others).toEqual([]);
    const bytes = Number(/skmem:\(r\d+,rb(\d+)/.exec(told!)?.[1]);
    if (bulk) expect(bytes).toBeGreaterThan(1_000_000);
    else expect(bytes).toBeLessThanOrEqual(2 * RECEIVE_BUFFER_BYTES);
    await get({ bulk: !bulk });
    expect((await toldOf(server.port!)).split(/\n(?=\S)/).length).toBe(2);
  });

  test('of a download can be paused: one more read at most', async () => {
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(BODY) });
    const client = new SocketClient(`http://127.0.0.1:${server.port}`, OPTIONS);
    closing.push(
      () => void server.stop(true),
      () => client.close(),
    );
    const pauseEachTime = (_: Uint8Array, e: Observed) => {
      e.pause();
      setTimeout(() => e.resume(), 1);
    };
    const exchange = await send(client, { method: 'GET', bulk: true }, { data: pauseEachTime }).over;
    expect([exchange.ended, exchange.bytes, takeViolations()]).toEqual(['end', BODY.length, []]);
  });

  test('sends keep-alive probes after 5 s', async () => {
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('ok') });
    const client = new SocketClient(`http://127.0.0.1:${server.port}`, OPTIONS);
    closing.push(
      () => void server.stop(true),
      () => client.close(),
    );
    await send(client).over;
    expect(await toldOf(server.port!)).toMatch(/timer:\(keepalive,[34]\.?\d*(ms|sec),0\)/);
  });
});
