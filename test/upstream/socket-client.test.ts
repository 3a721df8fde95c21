import { afterEach, describe, expect, test } from 'bun:test';
import { gzipSync } from 'node:zlib';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { GIVEN_UP_MAX, TRIES_MAX } from '../../src/upstream/connect-attempts.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { eventually } from '../support/eventually.ts';
import { randomBytes } from '../support/random.ts';
import { sha256 } from '../support/streams.ts';
import { upstreamContract } from './contract.ts';
import { fullBacklog } from './full-backlog.ts';
import { type Observed, send, takeViolations } from './observed.ts';
import { type RawConnection, type RawUpstream, rawUpstream } from './raw-upstream.ts';
import { NEVER, uploadSource } from './upload-source.ts';

const SOCKET_OPTIONS = {
  connectTimeoutMs: 5_000,
  idleConnectionsMax: 256,
  idleLimitMs: 30_000,
  ageMaxMs: 600_000,
};

const create = (baseUrl: string) => new SocketClient(baseUrl, SOCKET_OPTIONS);

upstreamContract('the client on sockets', create);

const OK = 'HTTP/1.1 200 OK\r\n';
const ANSWER = `${OK}content-length: 2\r\n\r\nok`;
/** More than the kernel holds for both ends of a connection. */
const LARGE = randomBytes(10_000_000);

const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  expect(takeViolations()).toEqual([]);
});

function raw(...args: Parameters<typeof rawUpstream>): RawUpstream {
  const upstream = rawUpstream(...args);
  running.push(upstream);
  return upstream;
}

function mockServer(): MockServer {
  const mock = startMock();
  running.push(mock);
  return mock;
}

/** Answers by number: the first request that is read, the second, … on whatever connection. */
function answering(...answers: ((connection: RawConnection) => unknown)[]): RawUpstream {
  let count = 0;
  return raw((connection) => (answers[count++] ?? answers.at(-1)!)(connection));
}

/** Of the error behind the failure. */
const codeOf = (exchange: Observed) => ((exchange.outcome as Error).cause as { code?: string }).code;

const says = (text: string) => (connection: RawConnection) => connection.write(text);

describe('a refused answer', () => {
  test.each([
    ['§6.3 both length and chunked', `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 0],
    ['§6.3 lengths that differ', `${OK}content-length: 5, 6\r\n\r\nhello!`, 0],
    ['§2.2 lines that end in LF', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok', 0],
    ['§2.3 the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 0],
    ['RFC 9110 §15.2.2 a switch of protocols', 'HTTP/1.1 101 Switching\r\n\r\n', 0],
    ['RFC 9110 §15 a status above 599', 'HTTP/1.1 700 x\r\ncontent-length: 2\r\n\r\nok', 0],
    ['§5 a head of more than 64 KiB', `${OK}x: ${'v'.repeat(70_000)}\r\n\r\n`, 0],
    ['§7.1 a bad chunk size', `${OK}transfer-encoding: chunked\r\n\r\n2\r\nok\r\nx\r\n`, 200],
    ['RFC 9110 §8.4 an unknown content-encoding', `${OK}content-encoding: compress\r\ncontent-length: 2\r\n\r\nok`, 0],
    [
      'RFC 9110 §8.4 no content-encoding but a property',
      `${OK}content-encoding: constructor\r\ncontent-length: 2\r\n\r\nok`,
      0,
    ],
  ])('RFC 9112 %s: fail, one attempt, the connection closed and never used again', async (_, answer, status) => {
    const upstream = answering(says(answer), says(ANSWER));
    const client = create(upstream.url);
    const exchange = await send(client).over;
    expect([exchange.status, exchange.ended]).toEqual([status, 'protocol']);
    expect((exchange.outcome as Error).message).toBe('Upstream sent an invalid answer');
    await upstream.connections[0]!.closed;
    expect(upstream.connections.length).toBe(1);
    expect((await send(client).over).body.toString()).toBe('ok');
    expect(upstream.connections.length).toBe(2);
  });

  test('on a pooled connection: not tried again either', async () => {
    const upstream = answering(says(ANSWER), says('nonsense'), says(ANSWER));
    const client = create(upstream.url);
    await send(client).over;
    expect((await send(client).over).ended).toBe('protocol');
    expect(upstream.connections.length).toBe(1);
  });

  test('surplus behind an answer is no answer to a request that is sent from within its end', async () => {
    const upstream = answering(
      says(`${ANSWER}${OK}content-length: 8\r\n\r\nsmuggled`),
      says(`${OK}content-length: 3\r\n\r\nown`),
    );
    const client = create(upstream.url);
    const next = Promise.withResolvers<ReturnType<typeof send>>();
    await send(client, {}, { end: () => next.resolve(send(client)) }).over;
    const exchange = await (await next.promise).over;
    expect([exchange.ended, exchange.body.toString(), upstream.connections.length]).toEqual(['end', 'own', 2]);
  });
});

test('RFC 9110 §9.3.2 the answer to a HEAD ends with its head, and the connection is used again', async () => {
  const upstream = answering(
    says(`${OK}content-length: 5\r\n\r\n`),
    says(`${OK}transfer-encoding: chunked\r\n\r\n`),
    says(ANSWER),
  );
  const client = create(upstream.url);
  for (const method of ['HEAD', 'HEAD', 'GET']) {
    const exchange = await send(client, { method }).over;
    expect([exchange.status, exchange.ended, exchange.bytes]).toEqual([200, 'end', method === 'GET' ? 2 : 0]);
  }
  expect(upstream.connections.length).toBe(1);
});

test('a sink that throws at the end of a body that ends by closing hurts nobody else', async () => {
  const upstream = answering((connection) => {
    connection.write(`${OK}\r\nrest`);
    connection.finish();
  }, says(ANSWER));
  const client = create(upstream.url);
  const exchange = await send(
    client,
    {},
    {
      end: () => {
        throw new Error('the receiver failed');
      },
    },
  ).over;
  expect([exchange.body.toString(), exchange.ended]).toEqual(['rest', 'end']);
  expect((await send(client).over).ended).toBe('end');
});

test('a body that ends by closing while it is paused comes whole after resume', async () => {
  const upstream = answering((connection) => {
    connection.write(`${OK}\r\n${'x'.repeat(200_000)}`);
    connection.finish();
  }, says(ANSWER));
  const client = create(upstream.url);
  const exchange = send(client, {}, { data: (_, e) => e.pause() });
  await exchange.gotData;
  await send(client).over;
  exchange.hooks = {};
  exchange.resume();
  await exchange.over;
  expect([exchange.bytes, exchange.ended]).toEqual([200_000, 'end']);
});

describe('a large request', () => {
  test('10 MB reach a reader that stops after every read, whole', async () => {
    const parts: Uint8Array[] = [];
    const mock = raw((connection) => {
      parts.push(Buffer.from(connection.takeText(), 'latin1'));
      if (connection.received > LARGE.length) return connection.write(ANSWER);
      connection.pause();
      setImmediate(() => connection.resume());
    });
    const exchange = await send(create(mock.url), { body: LARGE }).over;
    expect(exchange.ended).toBe('end');
    const received = Buffer.concat(parts);
    expect(sha256(received.subarray(received.length - LARGE.length))).toBe(sha256(LARGE));
  });

  test('an answer before it was read is taken, and the connection is not used again', async () => {
    const upstream = answering((connection) => {
      connection.pause();
      connection.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno');
    }, says(ANSWER));
    const client = create(upstream.url);
    const exchange = await send(client, { body: LARGE }).over;
    expect([exchange.status, exchange.body.toString(), exchange.ended]).toEqual([413, 'no', 'end']);
    expect((await send(client).over).body.toString()).toBe('ok');
    expect(upstream.connections.length).toBe(2);
    expect(upstream.connections[0]!.received).toBeLessThan(LARGE.length);
  });

  test('an abort while it is being written: the peer sees the close, and not the rest', async () => {
    let exchange: ReturnType<typeof send> | undefined;
    const upstream = raw(() => exchange!.abort());
    exchange = send(create(upstream.url), { body: LARGE });
    await exchange.over;
    await upstream.connections[0]!.closed;
    expect(exchange.ended).toBe('aborted');
    expect(upstream.connections[0]!.received).toBeLessThan(LARGE.length);
  });
});

describe('a streamed request body', () => {
  const streamed = (pieces: Parameters<typeof uploadSource>[0], bodyBytes?: number) => {
    const source = uploadSource(pieces);
    return { source, request: { body: source.stream, bodyBytes } };
  };

  test('RFC 9112 §7.1 a chunk for each piece that has bytes, and the last chunk once', async () => {
    let text = '';
    const upstream = raw((connection) => {
      text += connection.takeText();
      if (text.endsWith('\r\n0\r\n\r\n')) connection.write(ANSWER);
    });
    const pieces = ['', 'a', '', 'x'.repeat(16), 'b', ''];
    const { request } = streamed(pieces);
    expect((await send(create(upstream.url), { ...request, target: '/' }).over).ended).toBe('end');
    expect(text).toBe(
      `POST / HTTP/1.1\r\nhost: 127.0.0.1:${upstream.port}\r\ntransfer-encoding: chunked\r\n\r\n` +
        `1\r\na\r\n10\r\n${'x'.repeat(16)}\r\n1\r\nb\r\n0\r\n\r\n`,
    );
  });

  test.each([
    ['chunked', undefined],
    ['with its length', 4],
  ])('the connection of a whole one (%s) is used again', async (_, bodyBytes) => {
    const mock = mockServer();
    const client = create(mock.url);
    await send(client, streamed(['so', 'me'], bodyBytes).request).over;
    await send(client).over;
    expect(mock.requests.map(({ connectionId }) => connectionId)).toEqual([1, 1]);
  });

  test.each([
    ['reset', (connection: RawConnection) => connection.reset()],
    ['closed', (connection: RawConnection) => connection.finish()],
  ])('is not sent again when its connection is %s, even if none of it was read', async (_, end) => {
    const upstream = raw(end);
    const { source, request } = streamed([NEVER]);
    expect((await send(create(upstream.url), request).over).ended).toBe('reset');
    await source.cancelled;
    expect([source.pulledBytes, upstream.connections.length]).toEqual([0, 1]);
  });

  test('nothing of it is read while there is no connection', async () => {
    const hole = await fullBacklog();
    if (!hole) return;
    running.push(hole);
    const { source, request } = streamed(['some']);
    const client = new SocketClient(`http://127.0.0.1:${hole.port}`, { ...SOCKET_OPTIONS, connectTimeoutMs: 50 });
    expect((await send(client, request).over).ended).toBe('unreachable');
    await source.cancelled;
    expect(source.pulledBytes).toBe(0);
  });

  test('one piece at a time: of a large piece the next is not asked for before the last byte was taken', async () => {
    const upstream = raw((connection) => connection.received > 2 * LARGE.length && connection.write(ANSWER), {
      onOpen: (connection) => connection.pause(),
    });
    const { source, request } = streamed([LARGE, LARGE]);
    const exchange = send(create(upstream.url), request);
    await eventually(() => source.pulledBytes > 0);
    for (let i = 0; i < 3; i++) await send(create(mockServer().url)).over;
    expect(source.pulledBytes).toBe(LARGE.length);
    upstream.connections[0]!.resume();
    await exchange.over;
    expect([exchange.ended, source.pulledBytes]).toEqual(['end', 2 * LARGE.length]);
  });

  test('an abort from within the head of an early answer ends both', async () => {
    const upstream = answering(says(`${OK}content-length: 2\r\n\r\n`));
    const { source, request } = streamed(['some', NEVER]);
    const exchange = await send(create(upstream.url), request, { head: (e) => e.abort() }).over;
    await source.cancelled;
    await upstream.connections[0]!.closed;
    expect([exchange.status, exchange.ended]).toEqual([200, 'aborted']);
  });

  test('an early answer that is encoded comes whole, though its source fails while it is being decoded', async () => {
    const text = 'early'.repeat(1_000);
    const encoded = gzipSync(text);
    const fail = Promise.withResolvers<Error>();
    const upstream = answering((connection) => {
      connection.write(`${OK}content-encoding: gzip\r\ncontent-length: ${encoded.length}\r\n\r\n`);
      connection.write(encoded.toString('latin1'));
    });
    const { request } = streamed(['some', fail.promise]);
    const exchange = send(create(upstream.url), request, { data: () => fail.resolve(new Error('cut off')) });
    await exchange.over;
    expect([exchange.ended, exchange.body.toString() === text]).toEqual(['end', true]);
  });
});

describe('connecting', () => {
  test('takes no longer than its timeout: unreachable, and never sent', async () => {
    const hole = await fullBacklog();
    if (!hole) return;
    running.push(hole);
    const client = new SocketClient(`http://127.0.0.1:${hole.port}`, { ...SOCKET_OPTIONS, connectTimeoutMs: 50 });
    const exchange = await send(client).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
    expect(((exchange.outcome as Error).cause as Error).message).toBe('connect timeout');
  });

  test('can be aborted: one fail at once', async () => {
    const hole = await fullBacklog();
    if (!hole) return;
    running.push(hole);
    const exchange = send(create(`http://127.0.0.1:${hole.port}`));
    exchange.abort();
    expect(exchange.ended).toBe('aborted');
  });

  test('aborted before it is through: the peer sees a connection without a request, and its end', async () => {
    const opened = Promise.withResolvers<RawConnection>();
    const upstream = raw(() => {}, { onOpen: opened.resolve });
    const exchange = send(create(upstream.url), { body: Buffer.from('secret') });
    exchange.abort();
    const connection = await opened.promise;
    await connection.closed;
    expect([exchange.ended, connection.received]).toEqual(['aborted', 0]);
  });

  test('those that nobody waits for any more are bounded: beyond that few try, the rest fail at once', async () => {
    const hole = await fullBacklog();
    if (!hole) return;
    const client = create(`http://127.0.0.1:${hole.port}`);
    for (let i = 0; i < GIVEN_UP_MAX; i++) send(client).abort();
    const tries = Array.from({ length: TRIES_MAX }, () => send(client));
    const refused = await send(client).over;
    expect([refused.status, refused.ended, codeOf(refused)]).toEqual([0, 'unreachable', 'TOO_MANY_ATTEMPTS']);
    expect(tries.some((exchange) => exchange.ended !== undefined)).toBe(false);
    // One that leaves makes room for another, which tries in its place.
    tries[0]!.abort();
    const next = send(client);
    expect((await send(client).over).ended).toBe('unreachable');
    expect(next.ended).toBeUndefined();
    // The kernel sends its SYN again after a second, and learns that nobody listens: all of them are over.
    hole.stop();
    for (const exchange of [...tries.slice(1), next]) expect(codeOf(await exchange.over)).toBe('ECONNREFUSED');
    await eventually(async () => codeOf(await send(client).over) === 'ECONNREFUSED');
  });

  test('a host name works as well as an address, v6 included', async () => {
    const v4 = answering(says(ANSWER));
    expect((await send(create(`http://localhost:${v4.port}`)).over).ended).toBe('end');
    const v6 = rawUpstream(says(ANSWER), { hostname: '::1' });
    running.push(v6);
    expect((await send(create(`http://[::1]:${v6.port}`)).over).ended).toBe('end');
    expect(v6.connections[0]!.takeText()).toContain(`\r\nhost: [::1]:${v6.port}\r\n`);
  });
});

describe('what cannot be sent', () => {
  test.each<[string, object]>([
    ['a line break in a value', { headers: [['x-id', 'a\r\nb: c']] }],
    ['a letter whose low byte is a line feed', { headers: [['x-id', 'a\u010d\u010ab: c']] }],
    ['NUL in a value', { headers: [['x-id', 'a\0b']] }],
    ['a letter above Latin-1 in a value', { headers: [['x-id', '\u20ac']] }],
    ['a name that is no token', { headers: [['x id', 'a']] }],
    ['a line break in a name', { headers: [['x\r\nid', 'a']] }],
    ['an empty name', { headers: [['', 'a']] }],
    ['a method that is no token', { method: 'GET / HTTP/1.1\r\nx:' }],
  ])('%s: fail, not a throw, and no connection', async (_, request) => {
    const upstream = answering(says(ANSWER));
    const client = create(upstream.url);
    const exchange = await send(client, request).over;
    expect([exchange.status, exchange.ended, upstream.connections.length]).toEqual([0, 'protocol', 0]);
    expect((await send(client).over).ended).toBe('end');
  });

  test('what does not belong into a target is encoded, what is encoded already stays', async () => {
    const upstream = answering(says(ANSWER));
    await send(create(`${upstream.url}/v1`), { method: 'GET', target: '/a%20b c?d=\u00e9\ud800\r\nx: y' }).over;
    const [line] = upstream.connections[0]!.takeText().split('\r\n');
    expect(line).toBe('GET /v1/a%20b%20c?d=%C3%A9%EF%BF%BD%0D%0Ax:%20y HTTP/1.1');
  });
});

test('2,000 exchanges at the same time each get their own answer; what is too many to keep is closed', async () => {
  const mock = mockServer();
  mock.script((request) => ({ body: `${request.text}:`.repeat(20), framing: 'chunked', split: 50 }));
  const client = create(mock.url);
  const exchanges = Array.from({ length: 2_000 }, (_, i) => send(client, { body: Buffer.from(`call-${i}`) }));
  await Promise.all(exchanges.map((exchange) => exchange.over));
  const wrong = exchanges.filter(
    ({ ended, body }, i) => ended !== 'end' || body.toString() !== `call-${i}:`.repeat(20),
  );
  expect([wrong.length, mock.requests.length]).toEqual([0, 2_000]);
  await send(client, { body: Buffer.from('last') }).over;
  // The mock sees so many closes over several turns of the loop.
  await eventually(
    () => mock.openConnections <= SOCKET_OPTIONS.idleConnectionsMax + 1,
    () => `${mock.openConnections} connections are kept`,
  );
}, 30_000);
