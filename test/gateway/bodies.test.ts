/** Request bodies: byte for byte upstream, or refused with the right words and without reading more than was allowed. */
import { describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { CHAT, callOf, jsonOf, pair, UUID } from '../support/pair.ts';
import { connectTo, type RawAnswer, readAnswer } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';
import { sha256 } from '../support/streams.ts';
import { beginUpload, headText, uploadEndlessly } from '../support/uploads.ts';

const MB = 1024 * 1024;
const LIMIT = 10 * MB;

function expectRefusal(answer: RawAnswer, status: number, code: string, message: RegExp | string): void {
  expect(answer.status).toBe(status);
  expect(answer.header('content-type')).toBe('application/json');
  expect(answer.header('x-request-id')).toMatch(UUID);
  const body = jsonOf(answer) as { error: { message: string } };
  expect(body as object).toEqual({ error: { message: body.error.message, type: 'invalid_request_error', code } });
  expect(body.error.message).toMatch(message);
}

function chunked(body: Uint8Array, pieceBytes: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += pieceBytes) {
    const piece = body.subarray(at, at + pieceBytes);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), Buffer.from(piece), Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

/** A JSON object of exactly so many bytes. */
function jsonOfSize(bytes: number): Buffer {
  const start = '{"model":"m","messages":[],"pad":"';
  return Buffer.from(`${start}${'x'.repeat(bytes - start.length - 2)}"}`);
}

describe('a body', () => {
  const p = pair();

  const BODIES: Record<string, string | Uint8Array> = {
    plain: '{"model":"m","messages":[{"role":"user","content":"hi"}]}',
    'weird numbers':
      '{"temperature":1.0,"top_p":1e0,"a":-0.0,"b":1E+2,"c":123456789012345678901234567890,"d":0.1000,"e":1e400,"seed":9007199254740993}',
    'key order, numeric keys': '{"z":1,"b":2,"10":3,"2":4,"a":5,"model":"m"}',
    'duplicate keys': '{"x":1,"model":"m","x":2,"messages":[],"messages":[]}',
    escapes: '{"a":"\\u00e9\\u0041\\ud83d\\udc4b\\/\\b\\u0000","mod\\u0065l":"m"}',
    'lone surrogate escapes': '{"a":"\\ud83d","b":"\\udc4b\\ud83d"}',
    'whitespace everywhere': ' \r\n\t{ "model" :\t"m" ,\r\n "messages" : [ ]\n}\n\n ',
    'UTF-8 of all lengths': '{"a":"aé€👋\u2028\u2029\ufeff\u0085"}',
    'a byte order mark': '\ufeff{"model":"m"}',
    'unknown fields and nulls': '{"model":"m","stream":null,"made_up":{"deep":[null,true,{}]},"":""}',
    '__proto__ and constructor': '{"__proto__":{"model":5},"constructor":{"prototype":1},"model":"m"}',
    'no fields': '{}',
    '5 MB in one string': jsonOfSize(5 * MB),
    '100,000 fields': `{${Array.from({ length: 100_000 }, (_, i) => `"k${i}":${i}`).join(',')}}`,
  };
  for (const [name, body] of Object.entries(BODIES)) {
    for (const framing of ['content-length', 'chunked'] as const) {
      test(`goes upstream byte for byte: ${name}, sent with ${framing}`, async () => {
        p.mock.script({ json: { ok: true } });
        const bytes = Buffer.from(body);
        const answer = await p.call(
          framing === 'chunked'
            ? { body: chunked(bytes, bytes.length > 1000 ? 65_537 : 3), headers: { 'transfer-encoding': 'chunked' } }
            : { body: bytes },
        );
        expect(answer.status).toBe(200);
        const received = await p.mock.waitForRequest();
        expect({ bytes: received.body.length, sha: sha256(received.body) }).toEqual({
          bytes: bytes.length,
          sha: sha256(bytes),
        });
      });
    }
  }

  const NO_OBJECTS: Record<string, string | Uint8Array> = {
    empty: '',
    'only whitespace': ' \r\n',
    'an array': '[{"model":"m"}]',
    'a string': '"{}"',
    'a number': '1',
    null: 'null',
    true: 'true',
    truncated: '{"model":"m","messages":[{"role":"us',
    'two objects': '{"model":"m"}{"model":"m"}',
    'a trailing comma': '{"model":"m",}',
    'single quotes': "{'model':'m'}",
    'a comment': '{"model":"m"/* */}',
    NaN: '{"model":"m","t":NaN}',
    'form data': 'model=m&stream=true',
    'zero bytes': new Uint8Array(32),
    'a zero byte within a string': '{"model":"m\u0000"}',
    'a zero byte behind': '{"model":"m"}\u0000',
    'invalid UTF-8 in a value': Buffer.from('{"model":"m","a":"\xff\xfe"}', 'latin1'),
    'UTF-8 cut within a character': Buffer.from('{"a":"👋"}').fill(0x22, 9, 10),
    'overlong UTF-8': Buffer.from('{"a":"\xc0\xaf"}', 'latin1'),
    'UTF-16': Buffer.from('{"model":"m"}', 'utf16le'),
    '10 MB, and then a byte that is wrong': Buffer.concat([jsonOfSize(LIMIT - 1), Buffer.from('}')]),
  };
  for (const [name, body] of Object.entries(NO_OBJECTS)) {
    test(`that is no JSON object is refused and not sent on: ${name}`, async () => {
      expectRefusal(await p.call({ body }), 400, 'invalid_json', /JSON/);
      expect(p.mock.requests.length).toBe(0);
      expect((await p.call({ method: 'GET', path: '/health' })).status).toBe(200);
    });
  }

  test('without content-length and transfer-encoding is an empty one', async () => {
    const socket = await connectTo(p.gateway.port);
    const answer = readAnswer(socket);
    socket.write(headText({ path: CHAT, headers: { authorization: `Bearer ${p.gateway.key}` } }));
    expectRefusal(await answer, 400, 'invalid_json', /JSON/);
    socket.destroy();
  });

  test('nested 512 deep, the object around all of it among them, is sent on', async () => {
    const body = `{"model":"m","deep":${'['.repeat(511)}${']'.repeat(511)}}`;
    expect((await p.call({ body })).status).toBe(200);
    expect(p.mock.requests[0]!.text).toBe(body);
  });

  const TOO_DEEP: Record<string, string> = {
    'once too often': `{"model":"m","deep":${'['.repeat(512)}${']'.repeat(512)}}`,
    'without an end': `{"model":"m","deep":${'{"a":'.repeat(100_000)}`,
    '1,000,000 times and closed': '['.repeat(1_000_000) + ']'.repeat(1_000_000),
    '10 MB of brackets': '['.repeat(LIMIT),
  };
  for (const [name, body] of Object.entries(TOO_DEEP)) {
    test(`nested deeper is refused and not sent on: ${name}`, async () => {
      expectRefusal(await p.call({ body }), 400, 'invalid_json', /^Body is nested deeper than 512$/);
      expect(p.mock.requests.length).toBe(0);
    });
  }

  for (const [name, body] of [
    ['model', '{"model":"a","model":"b","messages":[]}'],
    ['model', '{"model":"a","MODEL":"a","messages":[]}'],
    ['stream', '{"stream":true,"model":"a","str\\u0065am":true,"messages":[]}'],
  ] as const) {
    test(`that has ${name} twice is refused: ${body}`, async () => {
      expectRefusal(await p.call({ body }), 400, 'invalid_request', `'${name}'`);
      expect(p.mock.requests.length).toBe(0);
    });
  }

  for (const [field, value] of [
    ['model', 5],
    ['model', null],
    ['model', ['gpt-4o']],
    ['model', { name: 'x' }],
    ['model', true],
    ['stream', 'true'],
    ['stream', 1],
    ['stream', 0],
    ['stream', {}],
    ['stream', []],
  ] as const) {
    test(`with ${field}: ${JSON.stringify(value)} is refused, naming the field`, async () => {
      const answer = await p.call({ body: { model: 'm', messages: [], [field]: value } });
      expectRefusal(answer, 400, 'invalid_request', new RegExp(`\\b${field}\\b`));
      expect(p.mock.requests.length).toBe(0);
    });
  }

  for (const stream of [false, null]) {
    test(`with stream: ${stream} is answered as one that is not streamed`, async () => {
      const answer = await p.call({ body: { model: 'm', messages: [], stream } });
      expect(answer.status).toBe(200);
      expect(answer.header('content-type')).toBe('application/json');
      expect(answer.header('x-request-id')).toMatch(UUID);
    });
  }

  for (const coding of ['gzip', 'deflate', 'br', 'zstd', 'identity, gzip', 'GZIP', 'x'.repeat(1000)]) {
    test(`that is compressed (${coding.slice(0, 20)}) is refused unread, and not sent on`, async () => {
      const answer = await p.call({ body: Bun.gzipSync('{"model":"m"}'), headers: { 'content-encoding': coding } });
      expectRefusal(answer, 415, 'unsupported_content_encoding', /not supported/);
      expect(p.mock.requests.length).toBe(0);
      const messages = await p.call({ path: '/v1/messages', headers: { 'content-encoding': coding } });
      expect([messages.status, jsonOf(messages)]).toMatchObject([415, { error: { type: 'invalid_request_error' } }]);
    });
  }

  test('that says it is not compressed (identity) is sent on', async () => {
    for (const coding of ['identity', ' Identity ', '']) {
      expect((await p.call({ headers: { 'content-encoding': coding } })).status).toBe(200);
    }
  });

  test('of which the client waits to be told to go on (Expect: 100-continue) arrives whole', async () => {
    const body = jsonOfSize(2 * MB);
    const socket = await connectTo(p.gateway.port);
    const headers = {
      authorization: `Bearer ${p.gateway.key}`,
      'content-length': String(body.length),
      expect: '100-continue',
    };
    socket.write(headText({ path: CHAT, headers }));
    const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    expect(first.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    const answer = readAnswer(socket);
    socket.write(body);
    expect((await answer).status).toBe(200);
    expect(sha256((await p.mock.waitForRequest()).body)).toBe(sha256(body));
    socket.destroy();
  });
});

describe('the size of a body', () => {
  const p = pair();
  const authorized = (headers: Record<string, string>) => ({
    path: CHAT,
    headers: { authorization: `Bearer ${p.gateway.key}`, ...headers },
  });

  for (const framing of ['content-length', 'chunked'] as const) {
    const send = (body: Buffer) =>
      framing === 'chunked'
        ? p.call({ body: chunked(body, 65_536), headers: { 'transfer-encoding': 'chunked' } })
        : p.call({ body });

    test(`of exactly 10 MB passes, sent with ${framing}`, async () => {
      p.mock.script({ json: {} });
      const body = jsonOfSize(LIMIT);
      expect((await send(body)).status).toBe(200);
      expect(sha256((await p.mock.waitForRequest()).body)).toBe(sha256(body));
    });

    test(`of one byte more is refused, sent with ${framing}`, async () => {
      expectRefusal(await send(jsonOfSize(LIMIT + 1)), 413, 'request_too_large', /10 MB/);
      expect(p.mock.requests.length).toBe(0);
    });
  }

  test('announced as too large is refused though not one byte is sent, and the connection ends', async () => {
    const one = async (length: number) => {
      const { socket, answer } = await beginUpload(p.gateway.port, authorized({ 'content-length': String(length) }));
      const closed = new Promise((resolve) => socket.once('close', resolve));
      expectRefusal(await answer, 413, 'request_too_large', /10 MB/);
      await closed;
    };
    await Promise.all([LIMIT + 1, 50 * MB, 99_999_999_999_999].map(one));
  });

  test('announced as too large is refused before a client that sends Expect: 100-continue is told to go on', async () => {
    const socket = await connectTo(p.gateway.port);
    socket.write(headText(authorized({ 'content-length': String(50 * MB), expect: '100-continue' })));
    const answer = await readAnswer(socket);
    socket.destroy();
    // Bun may say 100 first by itself; the refusal must follow without a byte of the body.
    expect(Buffer.from(answer.raw).toString()).toContain('request_too_large');
  });

  for (const [name, headers, piece] of [
    ['chunked', { 'transfer-encoding': 'chunked' }, chunked(new Uint8Array(65_536), 65_536).subarray(0, -5)],
    ['announced as 50 GB', { 'content-length': String(50 * 1024 * MB) }, Buffer.alloc(65_536)],
  ] as const) {
    test(`that never ends (${name}): refused, cut after a few MB, and memory stays bounded`, async () => {
      const before = p.gateway.rss();
      const { answer, bytesTaken } = await uploadEndlessly(p.gateway.port, authorized(headers), piece);
      expectRefusal(answer, 413, 'request_too_large', /10 MB/);
      expect(bytesTaken).toBeLessThan(40 * MB);
      expect(p.gateway.rss() - before).toBeLessThan(60 * MB);
    });
  }

  test('that never ends, 20 at once: the gateway holds no more than the limit for each, and then nothing', async () => {
    const piece = chunked(new Uint8Array(65_536), 65_536).subarray(0, -5);
    const uploads = await Promise.all(
      Array.from({ length: 20 }, () =>
        uploadEndlessly(p.gateway.port, authorized({ 'transfer-encoding': 'chunked' }), piece),
      ),
    );
    for (const upload of uploads) expect(upload.answer.status).toBe(413);
    expect(p.gateway.rss()).toBeLessThan(500 * MB);
    expect((await p.call()).status).toBe(200);
  });

  test('is given back when its request is over: 60 of 10 MB, four at once, take no more memory than ten', async () => {
    const body = Buffer.concat([jsonOfSize(LIMIT - 1), Buffer.from('}')]);
    const many = async (count: number) => {
      let left = count;
      const one = async () => {
        while (left-- > 0) expect((await p.call({ body })).status).toBe(400);
      };
      await Promise.all([one(), one(), one(), one()]);
    };
    await many(10);
    const before = p.gateway.rss();
    await many(50);
    // Left to the collector they were 300 MB.
    expect(p.gateway.rss() - before).toBeLessThan(100 * MB);
  });

  for (const [name, authorization, code] of [
    ['an unknown key', `Bearer sk-bve-${'0'.repeat(64)}`, 'invalid_api_key'],
    ['no key', '', 'missing_api_key'],
  ] as const) {
    test(`does not matter with ${name}: 401 before any of it is read`, async () => {
      const one = async (framing: Record<string, string>) => {
        const { socket, answer } = await beginUpload(p.gateway.port, {
          path: CHAT,
          headers: { authorization, ...framing },
        });
        const refused = await answer;
        expect(refused.status).toBe(401);
        expect(jsonOf(refused)).toMatchObject({ error: { code } });
        socket.destroy();
      };
      const lengths = [9 * MB, 50 * MB].map((bytes) => ({ 'content-length': String(bytes) }));
      await Promise.all([...lengths, { 'transfer-encoding': 'chunked' }].map(one));
    });
  }

  test('does not matter without a good key, nor on a route that does not exist: an endless one is cut after a few MB', async () => {
    const piece = chunked(new Uint8Array(65_536), 65_536).subarray(0, -5);
    const one = async (path: string, authorization: string, status: number) => {
      const head = { path, headers: { authorization, 'transfer-encoding': 'chunked' } };
      const { answer, bytesTaken } = await uploadEndlessly(p.gateway.port, head, piece);
      expect(answer.status).toBe(status);
      expect(bytesTaken).toBeLessThan(40 * MB);
    };
    await Promise.all([one(CHAT, '', 401), one(CHAT, 'Bearer x', 401), one('/v1/nothing', '', 404)]);
  });

  test('sent with GET is not read and not sent on', async () => {
    const answer = await p.call({ method: 'GET', path: '/v1/models', body: '{"a":1}' });
    expect(answer.status).toBe(200);
    expect((await p.mock.waitForRequest()).body.length).toBe(0);
  });
});

describe('a smaller MAX_BODY_BYTES', () => {
  const p = pair({ env: { MAX_BODY_BYTES: '1000' } });

  test('is kept to the byte', async () => {
    p.mock.script({ json: {} });
    expect((await p.call({ body: jsonOfSize(1000) })).status).toBe(200);
    expectRefusal(await p.call({ body: jsonOfSize(1001) }), 413, 'request_too_large', /1000 bytes/);
    const refused = await p.call({ body: chunked(jsonOfSize(1001), 7), headers: { 'transfer-encoding': 'chunked' } });
    expectRefusal(refused, 413, 'request_too_large', /1000 bytes/);
  });

  test('keeps the connection usable after refusing a short body', async () => {
    const socket = await connectTo(p.gateway.port);
    const headers = { authorization: `Bearer ${p.gateway.key}`, 'content-length': '2000' };
    const first = readAnswer(socket);
    socket.write(headText({ path: CHAT, headers }));
    socket.write(jsonOfSize(2000));
    expect((await first).status).toBe(413);
    const second = readAnswer(socket);
    socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    expect((await second).status).toBe(200);
    socket.destroy();
  });
});

describe('MAX_BODY_BYTES_TOTAL', () => {
  const p = pair({ env: { MAX_BODY_BYTES_TOTAL: '1000000' } });
  const body = jsonOfSize(600_000);

  async function expectNoRoom(call: Parameters<typeof p.call>[0]): Promise<void> {
    const refused = await p.call(call);
    expect([refused.status, refused.header('retry-after')]).toEqual([503, '1']);
    expect(jsonOf(refused)).toMatchObject({ error: { type: 'api_error', code: 'overloaded' } });
  }

  test('bodies that would be more together are refused until an answer begins, however they are framed', async () => {
    // The first waits for its answer until its client leaves.
    p.mock.script({ fault: { kind: 'hang' } });
    const first = await beginUpload(
      p.gateway.port,
      { path: CHAT, headers: { authorization: `Bearer ${p.gateway.key}`, 'content-length': String(body.length) } },
      body.toString(),
    );
    await p.mock.waitForRequest();
    await expectNoRoom({ body });
    await expectNoRoom({ body: chunked(body, 65_536), headers: { 'transfer-encoding': 'chunked' } });
    await expectNoRoom({ path: CHAT, body: jsonOfSize(999_999) });
    p.mock.script({ json: {} });
    // A small one has room.
    expect((await p.call({ body: jsonOfSize(1000) })).status).toBe(200);
    first.socket.destroy();
    await eventually(async () => (await p.call({ body })).status === 200);
  });

  test('an answer that has begun holds no body, however long it goes on', async () => {
    p.mock.script({ events: 100_000, pace_ms: 10 });
    const stream = Buffer.from(body.toString().replace('"messages"', '"stream":true,"messages"'));
    using reader = await StreamReader.open(p.gateway.port, callOf(p.gateway.key, { body: stream }));
    await reader.until('"i":1,');
    p.mock.script({ json: {} });
    expect((await p.call({ body })).status).toBe(200);
    expect((await p.call({ body })).status).toBe(200);
  });
});

describe('a body that does not arrive', () => {
  const p = pair({ env: { REQUEST_BODY_TIMEOUT_MS: '300', MAX_CONCURRENT_REQUESTS: '5' } });
  const head = (headers: Record<string, string>) => ({
    path: CHAT,
    headers: { authorization: `Bearer ${p.gateway.key}`, ...headers },
  });
  /** Far more than it takes, far less than the minute of the default. */
  const IN_TIME_MS = 15_000;

  const UNFINISHED: Record<string, readonly [headers: Record<string, string>, start: string, then?: string]> = {
    'stopped half way': [{ 'content-length': '100' }, '{"model":'],
    'never begun': [{ 'content-length': '100' }, ''],
    'chunked, without its end': [{ 'transfer-encoding': 'chunked' }, '2\r\n{}\r\n'],
    'chunked, within a chunk': [{ 'transfer-encoding': 'chunked' }, '20\r\n{"a"'],
    'a byte at a time': [{ 'content-length': '100000' }, '{"model":"', 'x'],
  };

  test(`is answered with 408 in time: ${Object.keys(UNFINISHED).join('; ')}`, async () => {
    const one = async ([headers, start, then]: (typeof UNFINISHED)[string]) => {
      const startedAt = performance.now();
      const { socket, answer } = await beginUpload(p.gateway.port, head(headers), start);
      const trickle = then === undefined ? undefined : setInterval(() => socket.write(then), 20);
      expectRefusal(await answer, 408, 'request_timeout', /in time/);
      expect(performance.now() - startedAt).toBeGreaterThan(290);
      expect(performance.now() - startedAt).toBeLessThan(IN_TIME_MS);
      clearInterval(trickle);
      socket.destroy();
    };
    await Promise.all(Object.values(UNFINISHED).map(one));
    expect(p.mock.requests.length).toBe(0);
  });

  test('gives its slot back: all five are free after all of the above', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => p.call()));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200]);
  });
});

describe('a body that its client does not go on with', () => {
  // The time limit is the default, a minute: it is not what ends these.
  const p = pair({ env: { MAX_CONCURRENT_REQUESTS: '2' } });
  const head = (headers: Record<string, string>) => ({
    path: CHAT,
    headers: { authorization: `Bearer ${p.gateway.key}`, ...headers },
  });

  for (const [name, headers, start] of [
    ['content-length', { 'content-length': '100000' }, '{"model":"m"'],
    ['chunked', { 'transfer-encoding': 'chunked' }, '2\r\n{"\r\n'],
  ] as const) {
    test(`because it left in the middle of it leaves a record and no request upstream (${name})`, async () => {
      const id = `left-${name}`;
      const { socket } = await beginUpload(p.gateway.port, head({ 'x-request-id': id, ...headers }), start);
      // The gateway has it in hand when it holds a slot; a request behind it on another connection is proof of order.
      await p.call({ method: 'GET', path: '/health' });
      socket.destroy();
      const record = await p.recordOf(id);
      expect(record).toMatchObject({ finish: 'client_closed', bytesOut: 0, usageSource: 'none', totalTokens: null });
      expect(p.mock.requests.length).toBe(0);
      // Sooner than the time limit, or it was that which ended it.
      expect(record.durationMs).toBeLessThan(60_000);
    });
  }

  test('gives its slot back: both are free after all of the above', async () => {
    const answers = await Promise.all(Array.from({ length: 2 }, () => p.call()));
    expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
  });
});
