/** Answers that come compressed against our wish (RFC 9110, section 8.4), through the client on sockets. */
import { afterEach, describe, expect, test } from 'bun:test';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { eventually } from '../support/eventually.ts';
import { randomBytes } from '../support/random.ts';
import { sha256 } from '../support/streams.ts';
import { type Hooks, send, takeViolations } from './observed.ts';
import { rawUpstream } from './raw-upstream.ts';

const OPTIONS = { connectTimeoutMs: 5_000, idleConnectionsMax: 16, idleLimitMs: 30_000, ageMaxMs: 600_000 };
const ENCODINGS = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['GZip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
] as const;
const TEXT = 'data: {"content":"caf\u00e9"}\n\n'.repeat(500);

let mock: MockServer;
const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  expect(takeViolations()).toEqual([]);
});

function clientFor(body: Uint8Array, encoding: string, scenario: object = {}): SocketClient {
  mock = startMock();
  running.push(mock);
  const headers = [['content-encoding', encoding]];
  mock.script(({ path }) =>
    path === '/v1/models'
      ? {}
      : { body_base64: Buffer.from(body).toString('base64'), headers, framing: 'chunked', ...scenario },
  );
  return new SocketClient(mock.url, OPTIONS);
}

test.each(['gzip, identity', 'identity,gzip', ', gzip', 'X-GZIP', ' , identity, gzip ,'])(
  'identity and empty elements mean nothing: %j is gzip',
  async (coding) => {
    const exchange = await send(clientFor(gzipSync(TEXT), coding)).over;
    expect([exchange.body.toString(), exchange.ended]).toEqual([TEXT, 'end']);
  },
);

test.each(['identity', 'identity, Identity', ',', ''])('%j is plain', async (coding) => {
  const exchange = await send(clientFor(Buffer.from(TEXT), coding)).over;
  expect([exchange.body.toString(), exchange.ended]).toEqual([TEXT, 'end']);
});

test.each(['gzip, br', 'gzip, gzip', 'gzip br', 'identity;q=1', 'aws-chunked'])(
  'a coding that is not known, or two of them (%j): fail before the head',
  async (coding) => {
    const exchange = await send(clientFor(gzipSync(TEXT), coding)).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'protocol']);
  },
);

/** Some turns of the event loop and some round trips: what was under way has arrived. */
async function settle(client: SocketClient): Promise<void> {
  for (let i = 0; i < 5; i++) await send(client, { method: 'GET', target: '/models' }).over;
}

describe.each(ENCODINGS)('%s', (encoding, compress) => {
  test('arrives decoded, in one read and byte by byte', async () => {
    for (const scenario of [{}, { split: 1 }, { framing: 'length' }, { framing: 'close' }]) {
      const exchange = await send(clientFor(compress(Buffer.from(TEXT)), encoding, scenario)).over;
      expect([exchange.status, exchange.body.toString(), exchange.ended]).toEqual([200, TEXT, 'end']);
    }
  });

  test('without its end is not whole', async () => {
    const whole = compress(Buffer.from(TEXT));
    for (const length of [1, 4, Math.floor(whole.length / 2), whole.length - 1]) {
      const exchange = await send(clientFor(whole.subarray(0, length), encoding)).over;
      expect([length, exchange.ended]).toEqual([length, 'protocol']);
      expect(TEXT).toStartWith(exchange.body.toString());
    }
  });

  test('by name only is refused', async () => {
    expect((await send(clientFor(Buffer.from(TEXT), encoding)).over).ended).toBe('protocol');
  });

  test('of an empty body is empty', async () => {
    for (const scenario of [{ framing: 'length' }, { framing: 'chunked' }, { status: 204 }, { status: 304 }]) {
      const exchange = await send(clientFor(Buffer.alloc(0), encoding, scenario)).over;
      expect([exchange.ended, exchange.parts.length]).toEqual(['end', 0]);
    }
  });

  test('10 MB of zeros in a few bytes wait inside while the sink is paused, and come whole', async () => {
    const client = clientFor(compress(Buffer.alloc(10_000_000)), encoding);
    const exchange = send(client, {}, { data: (_, e) => e.pause() });
    await exchange.gotData;
    const before = process.memoryUsage.rss();
    await settle(client);
    expect(exchange.bytes).toBeLessThan(1_000_000);
    expect(process.memoryUsage.rss() - before).toBeLessThan(8_000_000);
    exchange.hooks = {};
    exchange.resume();
    await exchange.over;
    expect([exchange.ended, exchange.bytes]).toEqual(['end', 10_000_000]);
  });
});

/** Does not shrink, and is more than the kernel holds for both ends of a connection. */
const LARGE = randomBytes(16_000_000);
const LARGE_GZIP = gzipSync(LARGE, { level: 1 });

test('a paused sink stops upstream through the decoder, and loses nothing', async () => {
  const client = clientFor(LARGE_GZIP, 'gzip');
  const exchange = send(client, {}, { data: (_, e) => e.pause() });
  const request = await mock.waitForRequest();
  await eventually(() => request.paused);
  await settle(client);
  expect(request.bytesSent).toBeLessThan(LARGE.length / 2);
  exchange.hooks = {};
  exchange.resume();
  await exchange.over;
  expect([exchange.ended, sha256(exchange.body)]).toEqual(['end', sha256(LARGE)]);
});

test('pausing at every piece and resuming a turn later loses nothing', async () => {
  const exchange = await send(
    clientFor(LARGE_GZIP, 'gzip'),
    {},
    {
      data: (_, e) => {
        e.pause();
        setImmediate(() => e.resume());
      },
    },
  ).over;
  expect([exchange.ended, sha256(exchange.body)]).toEqual(['end', sha256(LARGE)]);
}, 20_000);

test('a connection that breaks: what could be decoded is handed on, then fail', async () => {
  const scenario = { fault: { kind: 'end_early', after_bytes: 5_000_000 } };
  const exchange = await send(clientFor(LARGE_GZIP, 'gzip', scenario)).over;
  expect([exchange.ended, exchange.bytes > 4_000_000]).toEqual(['reset', true]);
  expect(LARGE.subarray(0, exchange.bytes).equals(exchange.body)).toBe(true);
});

test('an abort in the middle: nothing more but one fail, and upstream sees the close', async () => {
  const client = clientFor(LARGE_GZIP, 'gzip');
  const exchange = await send(client, {}, { data: (_, e) => e.abort() }).over;
  await settle(client);
  expect([exchange.parts.length, exchange.ended]).toEqual([1, 'aborted']);
  expect(await mock.requests[0]!.closed).toBe('client_closed');
});

test.each(['head', 'data', 'end', 'fail'] as const)(
  'a sink that throws in %s ends its own exchange only',
  async (moment) => {
    const body = moment === 'fail' ? Buffer.from('no gzip') : gzipSync(TEXT);
    const client = clientFor(body, 'gzip');
    const hooks: Hooks = {
      [moment]: () => {
        throw new Error(`the receiver failed in ${moment}`);
      },
    };
    const exchange = await send(client, {}, hooks).over;
    expect(exchange.ended).toBe(moment === 'end' ? 'end' : 'protocol');
    await settle(client);
  },
);

test('a HEAD of a compressed document has an empty answer', async () => {
  const upstream = rawUpstream((connection) =>
    connection.write('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 99\r\n\r\n'),
  );
  running.push(upstream);
  const exchange = await send(new SocketClient(upstream.url, OPTIONS), { method: 'HEAD' }).over;
  expect([exchange.status, exchange.ended, exchange.parts.length]).toEqual([200, 'end', 0]);
});
