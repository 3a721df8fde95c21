/** Every correct way to send an answer gives the same bytes, whole and in order. */
import { expect, test } from 'bun:test';
import { constants, gzipSync } from 'node:zlib';
import type { Scenario } from '../../src/mock/scenario.ts';
import { randomBytes } from '../support/random.ts';
import type { Bench } from './contract-bench.ts';
import { type Observed, send } from './observed.ts';
import { rawUpstream } from './raw-upstream.ts';

/** What a careless reader of chunks or of lengths would stumble over. */
const TRAP = Buffer.concat([
  Buffer.from('data: \u00e9\u{1f30d}\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc\n\n'),
  randomBytes(700),
]);

const RIGHT_FRAMINGS = ['chunked', 'length', 'close', 'trailers', 'chunk_extensions', 'http10'] as const;

const CUTS: Readonly<Record<string, Scenario>> = {
  'in one write': {},
  'byte by byte': { split: 1 },
  'every 7 bytes': { split: 7 },
  'with the wire cut every byte': { wire_split: 1 },
  'with the wire cut every 3 bytes, chunks of 50': { split: 50, wire_split: 3 },
};

function expectWhole(exchange: Observed, body: Uint8Array): void {
  expect(exchange.outcome).toBe('end');
  expect(Buffer.compare(exchange.body, body)).toBe(0);
}

export function answersContract(bench: Bench): void {
  for (const framing of RIGHT_FRAMINGS) {
    for (const [how, cut] of Object.entries(CUTS)) {
      test(`framing ${framing}, ${how}: every byte, in order`, async () => {
        bench.mock.script({ body_base64: TRAP.toString('base64'), framing, ...cut });
        const exchange = await send(bench.client).over;
        expect(exchange.status).toBe(200);
        expectWhole(exchange, TRAP);
      });
    }
  }

  test.each(['chunked', 'length', 'close', 'trailers'] as const)(
    'framing %s with an empty body: head, end',
    async (framing) => {
      bench.mock.script({ body: '', framing });
      const exchange = await send(bench.client).over;
      expect([exchange.status, exchange.ended, exchange.parts.length]).toEqual([200, 'end', 0]);
    },
  );

  test('a body cut in two at every position comes whole', async () => {
    for (let at = 1; at < TRAP.length; at += 5) {
      bench.mock.script({ body_base64: TRAP.toString('base64'), framing: 'chunked', split_at: [at] });
      expectWhole(await send(bench.client).over, TRAP);
    }
  });

  test('data comes while the answer is still being written, not at its end', async () => {
    bench.mock.script({ body: 'first', framing: 'chunked', fault: { kind: 'silence', after_bytes: 5 } });
    const exchange = send(bench.client);
    await exchange.gotData;
    expect([exchange.body.toString(), exchange.ended]).toEqual(['first', undefined]);
    exchange.abort();
  });

  test('the head comes before the first byte of the body', async () => {
    bench.mock.script({ body: 'late', framing: 'chunked', fault: { kind: 'silence', after_bytes: 0 } });
    const exchange = send(bench.client);
    await exchange.gotHead;
    expect([exchange.status, exchange.bytes, exchange.ended]).toEqual([200, 0, undefined]);
    exchange.abort();
  });

  test('16 MB come whole, at full speed and in large and small chunks', async () => {
    const body = randomBytes(1_048_576);
    const whole = Buffer.concat(Array.from({ length: 16 }, () => body));
    for (const framing of ['length', 'chunked'] as const) {
      bench.mock.script({ body_base64: whole.toString('base64'), framing });
      expectWhole(await send(bench.client).over, whole);
    }
    bench.mock.script({ body_base64: body.toString('base64'), framing: 'chunked', split: 100 });
    expectWhole(await send(bench.client).over, body);
  });

  test.each([200, 201, 202, 206, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 529, 599])(
    'status %d is handed on with its body',
    async (status) => {
      bench.mock.script({ status, body: 'said so' });
      const exchange = await send(bench.client).over;
      expect([exchange.status, exchange.body.toString(), exchange.ended]).toEqual([status, 'said so', 'end']);
    },
  );

  test.each([204, 304])('status %d has no body, and its connection can be used again', async (status) => {
    bench.mock.script({ status });
    for (let i = 0; i < 2; i++) {
      const exchange = await send(bench.client, { method: 'GET' }).over;
      expect([exchange.status, exchange.ended, exchange.parts.length]).toEqual([status, 'end', 0]);
    }
    expect(bench.mock.requests.map((request) => request.connectionId)).toEqual([1, 1]);
  });

  test.each([301, 302, 303, 307, 308])('a redirect (%d) is an answer and is not followed', async (status) => {
    bench.mock.script({ status, body: 'elsewhere', headers: [['location', `${bench.mock.url}/elsewhere`]] });
    const exchange = await send(bench.client).over;
    expect([exchange.status, exchange.body.toString(), exchange.ended]).toEqual([status, 'elsewhere', 'end']);
    expect(exchange.headers.get('location')).toBe(`${bench.mock.url}/elsewhere`);
    expect(bench.mock.requests.length).toBe(1);
  });

  test.each([1, 2, 7])('%d interim heads (1xx) are not the answer', async (interim) => {
    bench.mock.script({ body: 'final', interim });
    const exchange = await send(bench.client).over;
    expect([exchange.status, exchange.body.toString(), exchange.headers.get('link')]).toEqual([200, 'final', null]);
  });

  test('headers are found by lower-case name, repeated lines joined, absent ones null', async () => {
    bench.mock.script({
      json: {},
      headers: [
        ['X-Quota-Allowed', '100'],
        ['cache-control', 'no-store'],
        ['Cache-Control', 'private'],
        ['x-empty', ''],
        ['x-odd', 'a;b="c, d" \t e'],
        ['x-latin', '\u00e9'],
      ],
    });
    const { headers } = await send(bench.client).over;
    expect([headers.get('content-type'), headers.get('x-quota-allowed')]).toEqual(['application/json', '100']);
    expect(headers.get('cache-control')).toBe('no-store, private');
    expect(headers.get('x-odd')).toBe('a;b="c, d" \t e');
    expect(headers.get('x-empty') ?? '').toBe('');
    expect([headers.get('x-absent'), headers.get('quota-allowed')]).toEqual([null, null]);
  });

  test.each([
    ['no reason phrase', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok'],
    ['an odd reason phrase', 'HTTP/1.1 200 All: is \xe9\xff well\r\ncontent-length: 2\r\n\r\nok'],
    ['no space behind a colon, many behind another', 'HTTP/1.1 200 OK\r\ncontent-length:2\r\nx-a:   b  \r\n\r\nok'],
    ['names in upper case', 'HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['the same length twice', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok'],
    ['a hundred fields', `HTTP/1.1 200 OK\r\n${'x-field: some value\r\n'.repeat(100)}content-length: 2\r\n\r\nok`],
    ['a field of 8 kB', `HTTP/1.1 200 OK\r\nx-long: ${'v'.repeat(8_000)}\r\ncontent-length: 2\r\n\r\nok`],
  ])('a head with %s is read', async (_, answer) => {
    const upstream = rawUpstream((connection) => connection.write(answer));
    const exchange = await send(bench.create(upstream.url), { method: 'GET' }).over;
    expect([exchange.status, exchange.body.toString(), exchange.ended]).toEqual([200, 'ok', 'end']);
    upstream.stop();
  });

  test('an answer that comes before the body was sent is taken', async () => {
    const upstream = rawUpstream((connection) => {
      if (connection.answered) return;
      connection.answered = true;
      connection.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno');
    });
    const exchange = await send(bench.create(upstream.url), { body: randomBytes(8_000_000) }).over;
    expect([exchange.status, exchange.body.toString(), exchange.ended]).toEqual([413, 'no', 'end']);
    upstream.stop();
  });

  test('fields of a trailer are not taken for fields of the head', async () => {
    bench.mock.script({ body: 'x', framing: 'trailers' });
    const { headers } = await send(bench.client).over;
    expect([headers.get('x-mock-trailer'), headers.get('x-mock-end')]).toEqual([null, null]);
  });

  test('an answer compressed against our wish arrives decoded', async () => {
    for (const split of [undefined, 1]) {
      bench.mock.script({ body_base64: TRAP.toString('base64'), gzip: true, ...(split ? { split } : {}) });
      expectWhole(await send(bench.client).over, TRAP);
    }
  });

  test('a compressed stream comes as it is sent, and is not whole when its end is missing', async () => {
    const started = gzipSync('data: first\n\n', { finishFlush: constants.Z_SYNC_FLUSH });
    const head = 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n';
    const upstream = rawUpstream((connection) =>
      connection.write(`${head}${started.length.toString(16)}\r\n${started.toString('latin1')}\r\n`),
    );
    const exchange = send(bench.create(upstream.url), { method: 'GET' });
    await exchange.gotData;
    expect(exchange.ended).toBeUndefined();
    upstream.connections[0]!.write('0\r\n\r\n');
    await exchange.over;
    expect([exchange.body.toString(), exchange.ended]).toEqual(['data: first\n\n', 'protocol']);
    upstream.stop();
  });

  test('bytes that are handed over may be overwritten', async () => {
    const body = randomBytes(2_000_000);
    bench.mock.script({ body_base64: Buffer.from(body).toString('base64'), framing: 'chunked', split: 10_000 });
    const held = send(bench.client);
    const copies: Buffer[] = [];
    const overwritten = send(
      bench.client,
      {},
      {
        data: (bytes) => {
          copies.push(Buffer.from(bytes));
          bytes.fill(0);
        },
      },
    );
    await Promise.all([held.over, overwritten.over]);
    expectWhole(held, body);
    expect(Buffer.compare(Buffer.concat(copies), body)).toBe(0);
  });

  test('300 exchanges at the same time each get their own answer', async () => {
    bench.mock.script((request) => ({ body: `${request.text}:`.repeat(200), framing: 'chunked', split: 97 }));
    const exchanges = Array.from({ length: 300 }, (_, i) => send(bench.client, { body: Buffer.from(`call-${i}`) }));
    await Promise.all(exchanges.map((exchange) => exchange.over));
    for (const [i, exchange] of exchanges.entries()) expectWhole(exchange, Buffer.from(`call-${i}:`.repeat(200)));
    expect(bench.mock.requests.length).toBe(300);
  });
}
