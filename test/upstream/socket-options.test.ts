import { afterEach, describe, expect, test } from 'bun:test';
import type { Socket } from 'bun';
import { boundReceiveBuffer, RECEIVE_BUFFER_BYTES } from '../../src/upstream/socket-options.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';

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
