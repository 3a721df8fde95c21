/** What passes in each direction and what never does: contract, sections 1 and 2. */
import { describe, expect, test } from 'bun:test';
import type { ReceivedRequest } from '../../src/mock/received-request.ts';
import { FUELIX_KEY } from '../support/gateway.ts';
import { CHAT, callOf, jsonOf, PLAIN, pair, STREAM, textOf, UUID } from '../support/pair.ts';
import type { RawAnswer } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

const p = pair();

/** HTTP framing: not the gateway's additions (contract, section 1). */
const FRAMING = ['date', 'connection', 'keep-alive', 'transfer-encoding', 'content-length'];

const ALLOWED = {
  'cache-control': 'no-store, max-age=0',
  'x-request-id': 'req_upstream-1',
  'x-quota-allowed': '1000',
  'x-quota-available': '998',
  'x-quota-reset': '2030-01-01T00:00:00Z',
} as const;

const NOISE: readonly (readonly [string, string])[] = [
  ['server', 'cloudflare'],
  ['set-cookie', '__cf_bm=abc; path=/; HttpOnly'],
  ['set-cookie', 'second=1'],
  ['via', '1.1 google'],
  ['x-powered-by', 'Express'],
  ['alt-svc', 'h3=":443"; ma=86400'],
  ['openai-organization', 'org-secret'],
  ['openai-processing-ms', '12'],
  ['openai-version', '2020-10-01'],
  ['x-ratelimit-remaining-requests', '9'],
  ['x-envoy-upstream-service-time', '5'],
  ['cf-ray', '8f00'],
  ['strict-transport-security', 'max-age=1'],
  ['access-control-allow-origin', 'https://upstream.example'],
  ['access-control-expose-headers', 'X-Evil'],
  ['content-security-policy', "default-src 'none'"],
  ['www-authenticate', 'Bearer realm="upstream"'],
  ['location', '/elsewhere'],
  ['link', '</x>; rel=preload'],
  ['etag', '"1"'],
  ['retry-after', '7'],
  ['refresh', '0; url=/x'],
  ['x-bve-latency', '999999'],
  ['x-quota-secret', '1'],
  ['x-request-identity', 'no'],
];

function withoutFraming(answer: RawAnswer): [string, string][] {
  return answer.headers.filter(([name]) => !FRAMING.includes(name)).map(([name, value]) => [name, value]);
}

const latencyOf = (answer: RawAnswer) => answer.header('x-bve-latency');
const idHeader = (id: string) => ({ headers: { 'x-request-id': id } });

describe('upstream to client', () => {
  test('a streamed answer has the allowed headers as they were, X-BVE-Latency, and nothing else', async () => {
    p.mock.script({ text: 'hi there', headers: [...NOISE, ...Object.entries(ALLOWED)] });
    const answer = await p.call();
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(withoutFraming(answer))).toEqual({
      ...ALLOWED,
      'content-type': 'text/event-stream',
      'x-bve-latency': latencyOf(answer)!,
    });
    expect(withoutFraming(answer).length).toBe(Object.keys(ALLOWED).length + 2);
    expect(Number(latencyOf(answer))).toBeLessThan(10_000);
  });

  test('a streamed answer gets no header of ours but X-BVE-Latency when upstream sent none of the allowed', async () => {
    p.mock.script({ body: 'data: x\n\n', content_type: '', framing: 'chunked', headers: NOISE });
    const answer = await p.call({ headers: { 'x-request-id': 'mine' } });
    expect(withoutFraming(answer).map(([name]) => name)).toEqual(['x-bve-latency']);
    expect(textOf(answer)).toBe('data: x\n\n');
  });

  test('an answer that is not streamed has the same headers, and X-Request-Id of upstream', async () => {
    p.mock.script({ headers: [...NOISE, ...Object.entries(ALLOWED)] });
    const answer = await p.call({ body: PLAIN });
    expect(Object.fromEntries(withoutFraming(answer))).toEqual({
      ...ALLOWED,
      'content-type': 'application/json',
      'x-bve-latency': latencyOf(answer)!,
    });
  });

  test('the content type of a stream is forwarded with its parameters', async () => {
    p.mock.script({ text: 'x', content_type: 'text/event-stream; charset=utf-8' });
    expect((await p.call()).header('content-type')).toBe('text/event-stream; charset=utf-8');
  });

  test('an answer that is not streamed gets a UUID as X-Request-Id when neither side sent one, a new one each time', async () => {
    const ids = [
      (await p.call({ body: PLAIN })).header('x-request-id'),
      (await p.call({ body: PLAIN })).header('x-request-id'),
    ];
    expect(ids[0]).toMatch(UUID);
    expect(ids[1]).toMatch(UUID);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test('an empty X-Request-Id of upstream counts as none', async () => {
    p.mock.script({ headers: [['x-request-id', '']] });
    expect((await p.call({ body: PLAIN })).header('x-request-id')).toMatch(UUID);
  });

  test('embeddings and models carry X-Request-Id and X-BVE-Latency too', async () => {
    const answers = [
      await p.call({ path: '/v1/embeddings', body: { model: 'm', input: 'x' } }),
      await p.call({ method: 'GET', path: '/v1/models' }),
      await p.call({ method: 'GET', path: '/v1/models/gpt-4o' }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.header('x-request-id')).toMatch(UUID);
      expect(latencyOf(answer)).toMatch(/^\d+$/);
    }
  });

  for (const body of [STREAM, PLAIN]) {
    test(`X-BVE-Latency is whole milliseconds up to the head, ${'stream' in body ? '' : 'not '}streamed`, async () => {
      p.mock.script({ text: 'x', head_delay_ms: 120 });
      const startedAt = performance.now();
      const answer = await p.call({ body });
      const tookMs = performance.now() - startedAt;
      expect(latencyOf(answer)).toMatch(/^\d+$/);
      expect(Number(latencyOf(answer))).toBeGreaterThanOrEqual(110);
      expect(Number(latencyOf(answer))).toBeLessThanOrEqual(Math.ceil(tookMs));
    });
  }

  test('X-BVE-Latency does not count the body: the time a stream takes is not in it', async () => {
    // The second event is an hour away: what is told now knows nothing of it.
    p.mock.script({ events: 2, pace_ms: 3_600_000 });
    const startedAt = performance.now();
    using reader = await StreamReader.open(p.gateway.port, callOf(p.gateway.key, {}));
    await reader.until('"i":0,');
    const tookMs = performance.now() - startedAt;
    expect(latencyOf(reader.answer)).toMatch(/^\d+$/);
    expect(Number(latencyOf(reader.answer))).toBeLessThanOrEqual(Math.ceil(tookMs));
    expect((await p.mock.waitForRequest()).end).toBeUndefined();
  });

  test('what upstream compressed though it was not asked to arrives plain and without content-encoding', async () => {
    for (const body of [STREAM, PLAIN]) {
      p.mock.script({ text: 'compressed answer', gzip: true });
      const answer = await p.call({ body });
      expect(answer.status).toBe(200);
      expect(answer.header('content-encoding')).toBeNull();
      expect(answer.complete).toBe(true);
      expect(textOf(answer)).toContain('compressed');
    }
  });
});

describe('client to upstream', () => {
  const FORWARDED = {
    'content-type': 'application/json; charset=utf-8',
    accept: 'text/event-stream, application/json;q=0.5',
    'openai-beta': 'assistants=v2',
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'tools-2024-04-04,prompt-caching-2024-07-31',
    'idempotency-key': 'idem-1',
    'x-request-id': 'client.id_1-A',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    tracestate: 'a=1,b=2',
  } as const;
  const DROPPED = {
    cookie: 'session=secret',
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-host': 'public.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
    'x-real-ip': '203.0.113.7',
    forwarded: 'for=203.0.113.7',
    via: '1.1 proxy',
    'api-key': 'azure-style',
    'x-goog-api-key': 'google-style',
    'proxy-authorization': 'Basic eA==',
    'openai-organization': 'org-client',
    'openai-project': 'proj-client',
    origin: 'https://app.example',
    referer: 'https://app.example/chat',
    'x-stainless-lang': 'js',
    'x-stainless-retry-count': '1',
    'content-language': 'de',
    te: 'trailers',
    range: 'bytes=0-1',
    'if-none-match': '"1"',
    'x-http-method-override': 'DELETE',
    baggage: 'userId=alice',
    'anthropic-dangerous-direct-browser-access': 'true',
    'x-bve-anything': '1',
  } as const;

  /** By lower-case name; fails when a name comes twice. */
  function fieldsOf(request: ReceivedRequest): Record<string, string> {
    const names = request.headers.map(([name]) => name.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
    return Object.fromEntries(request.headers.map(([name, value]) => [name.toLowerCase(), value]));
  }

  function expectOnly(request: ReceivedRequest, expected: Record<string, string>): void {
    const { host, connection, 'content-length': length, 'user-agent': agent, ...rest } = fieldsOf(request);
    expect(rest).toEqual({
      authorization: `Bearer ${FUELIX_KEY}`,
      'accept-encoding': 'identity',
      ...expected,
    });
    expect(host).toBe(new URL(p.mock.url).host);
    expect(['keep-alive', undefined]).toContain(connection);
    if (request.method === 'POST') expect(length).toBe(String(request.body.length));
    expect(agent).toMatch(/^bve-gateway\/\d+\.\d+\.\d+/);
  }

  for (const [path, body] of [
    [CHAT, STREAM],
    [CHAT, PLAIN],
    ['/v1/responses', STREAM],
    ['/v1/embeddings', { model: 'm', input: 'x' }],
  ] as const) {
    test(`POST ${path}${'stream' in body ? ' streamed' : ''}: exactly the allow-list goes upstream`, async () => {
      const headers = {
        ...DROPPED,
        'x-api-key': 'client-own',
        'user-agent': 'OpenAI/JS 7',
        'accept-encoding': 'gzip, br',
        ...FORWARDED,
      };
      expect((await p.call({ path, body, headers })).status).toBe(200);
      const request = await p.mock.waitForRequest();
      expectOnly(request, FORWARDED);
      expect(request.path).toBe(path);
      expect(JSON.stringify(request.headers)).not.toContain('sk-bve-');
    });
  }

  for (const name of Object.keys(FORWARDED).filter((header) => header !== 'x-request-id')) {
    test(`a byte that no header may have is the client's fault, and named: ${name}`, async () => {
      for (const value of ['a\x7fb', '\x7f', `${'x'.repeat(5000)}\x7f`]) {
        const answer = await p.call({ headers: { [name]: value } });
        expect([answer.status, jsonOf(answer)]).toEqual([
          400,
          {
            error: {
              message: `Invalid character in header '${name}'`,
              type: 'invalid_request_error',
              code: 'invalid_request',
            },
          },
        ]);
        expect(p.mock.requests.length).toBe(0);
      }
      // Latin-1 is obsolete and allowed (RFC 9110, section 5.5).
      expect((await p.call({ headers: { [name]: 'a \xe9' } })).status).toBe(200);
    });
  }

  test('GET /v1/models: exactly the allow-list goes upstream, and no body', async () => {
    const { 'content-type': _, ...forwarded } = FORWARDED;
    expect((await p.call({ method: 'GET', path: '/v1/models', headers: { ...DROPPED, ...forwarded } })).status).toBe(
      200,
    );
    const request = await p.mock.waitForRequest();
    expectOnly(request, forwarded);
    expect(request.body.length).toBe(0);
  });

  test('x-api-key on /v1/messages is taken as the client key and does not go upstream', async () => {
    const headers = {
      authorization: '',
      'x-api-key': p.gateway.key,
      'anthropic-version': '2023-06-01',
      accept: 'application/json',
    };
    expect((await p.call({ path: '/v1/messages', headers })).status).toBe(200);
    expectOnly(await p.mock.waitForRequest(), {
      'content-type': 'application/json',
      'anthropic-version': '2023-06-01',
      accept: 'application/json',
    });
  });

  test('a client that sends few headers gets none invented for it but accept: */*', async () => {
    const answer = await p.call({ headers: { 'content-type': '' } });
    expect(answer.status).toBe(200);
    const { 'content-type': type = '', accept = '*/*', connection, ...rest } = fieldsOf(await p.mock.waitForRequest());
    expect([type, accept]).toEqual(['', '*/*']);
    expect(['keep-alive', undefined]).toContain(connection);
    expect(Object.keys(rest).sort()).toEqual(
      ['accept-encoding', 'authorization', 'content-length', 'host', 'user-agent'].sort(),
    );
  });

  test('chunked by the client, the body still goes upstream with its length', async () => {
    const text = JSON.stringify(STREAM);
    const body = `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
    expect((await p.call({ body, headers: { 'transfer-encoding': 'chunked' } })).status).toBe(200);
    const request = await p.mock.waitForRequest();
    expect(fieldsOf(request)['transfer-encoding']).toBeUndefined();
    expect(request.get('content-length')).toBe(String(text.length));
    expect(request.text).toBe(text);
  });
});

describe('request id', () => {
  for (const id of ['a', 'A.b_c-9', 'x'.repeat(128), '0']) {
    test(`of ${id.length} allowed characters (${id.slice(0, 8)}) goes upstream and becomes the id`, async () => {
      const answer = await p.call({ body: PLAIN, ...idHeader(id) });
      expect(answer.header('x-request-id')).toBe(id);
      expect((await p.mock.waitForRequest()).get('x-request-id')).toBe(id);
      expect((await p.recordOf(id)).requestId).toBe(id);
      const refused = await p.call({ body: '[]', ...idHeader(id) });
      expect(refused.header('x-request-id')).toBe(id);
    });
  }

  for (const [name, id] of Object.entries({
    '129 characters': 'x'.repeat(129),
    'a space inside': 'a b',
    'two joined by a comma': 'a,b',
    'a slash': 'a/b',
    'UTF-8 beyond ASCII': 'id-é',
    'an emoji': 'id-👋',
    nothing: '',
    'a quote': 'a"b',
    'a script': '<script>',
  })) {
    test(`with ${name} is ignored`, async () => {
      const answer = await p.call({ body: PLAIN, ...idHeader(Buffer.from(id).toString()) });
      expect(answer.status).toBe(200);
      expect(answer.header('x-request-id')).toMatch(UUID);
      expect((await p.mock.waitForRequest()).get('x-request-id')).toBeUndefined();
      expect((await p.call({ body: '[]', ...idHeader(id) })).header('x-request-id')).toMatch(UUID);
    });
  }

  test("of upstream wins in the answer, the client's stays the id of the record", async () => {
    p.mock.script({ headers: [['x-request-id', 'upstream-id']] });
    const answer = await p.call({ body: PLAIN, ...idHeader('client-id-77') });
    expect(answer.header('x-request-id')).toBe('upstream-id');
    expect(await p.recordOf('client-id-77')).toMatchObject({ status: 200, finish: 'complete' });
  });
});

describe('query string', () => {
  const key = () => p.gateway.key;
  const encoded = () => [...key()].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('');

  test('goes upstream as it is', async () => {
    const query = '?beta=true&a=%2F%20+x&a=2&empty=&flag&%C3%A9=1';
    await p.call({ path: `${CHAT}${query}` });
    await p.call({ method: 'GET', path: `/v1/models?limit=2&after=gpt%2F4` });
    expect(p.mock.requests.map((request) => request.path)).toEqual([
      `${CHAT}${query}`,
      '/v1/models?limit=2&after=gpt%2F4',
    ]);
  });

  test('a client key in it never goes upstream, plain or %-encoded; the rest does', async () => {
    const queries: [string, string][] = [
      [`?api_key=${key()}`, ''],
      [`?a=1&api_key=${key()}&b=2`, '?a=1&b=2'],
      [`?a=1&key=${key().replace('sk-', '%73%6B%2d')}`, '?a=1'],
      [`?${encoded()}=1&z=%zz`, '?z=%zz'],
      [`?access_token=Bearer%20${key()}&access_token=2`, '?access_token=2'],
      [`?bad=%&k=${encoded()}`, '?bad=%'],
    ];
    for (const [query, expected] of queries) {
      p.mock.reset();
      expect((await p.call({ path: CHAT + query })).status).toBe(200);
      expect((await p.mock.waitForRequest()).path).toBe(CHAT + expected);
    }
  });
});

describe('redirects', () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const body of [STREAM, PLAIN]) {
      test(`${status} is passed on and not followed, ${'stream' in body ? '' : 'not '}streamed`, async () => {
        const location = `${p.mock.url}/elsewhere`;
        p.mock.script({ status, body: 'moved', content_type: 'text/plain', headers: [['location', location]] });
        const answer = await p.call({ body });
        expect(answer.status).toBe(status);
        expect(textOf(answer)).toBe('moved');
        expect(answer.header('location')).toBeNull();
        expect(p.mock.requests.length).toBe(1);
      });
    }
  }

  test('of GET /v1/models is not followed either', async () => {
    p.mock.script({ status: 302, body: '', headers: [['location', `${p.mock.url}/models/gpt-4o`]] });
    expect((await p.call({ method: 'GET', path: '/v1/models' })).status).toBe(302);
    expect(p.mock.requests.length).toBe(1);
  });
});
