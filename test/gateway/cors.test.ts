/** Contract, section 8: what a browser needs, and only when there is one. */
import { describe, expect, test } from 'bun:test';
import { CHAT, PLAIN, pair, STREAM, textOf } from '../support/pair.ts';
import type { RawAnswer } from '../support/raw-client.ts';

const p = pair({ env: { ADMIN_API_KEY: 'admin-key-0123456789' } });
const ORIGIN = { origin: 'https://app.example' };

function corsOf(answer: RawAnswer): Record<string, string> {
  return Object.fromEntries(answer.headers.filter(([name]) => name.startsWith('access-control-') || name === 'vary'));
}

const ANSWER = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'X-Request-Id, X-BVE-Latency, Retry-After, Retry-After-Ms, X-Should-Retry, X-Quota-Allowed, X-Quota-Available, X-Quota-Reset',
};

describe('a request with an Origin', () => {
  test('gets the two headers on a stream, whose bytes are the same', async () => {
    p.mock.script({ text: 'emoji 👋 split 👋 apart', split: 1 });
    const [plain, cross] = [await p.call(), await p.call({ headers: ORIGIN })];
    expect(corsOf(plain)).toEqual({});
    expect(corsOf(cross)).toEqual(ANSWER);
    expect(textOf(cross)).toBe(textOf(plain));
    expect(cross.header('content-type')).toBe('text/event-stream');
    expect(cross.header('x-bve-latency')).toMatch(/^\d+$/);
  });

  test('gets them on every kind of answer', async () => {
    const answers: [number, RawAnswer][] = [
      [200, await p.call({ body: PLAIN, headers: ORIGIN })],
      [200, await p.call({ method: 'GET', path: '/v1/models', headers: ORIGIN })],
      [200, await p.call({ method: 'GET', path: '/health', headers: ORIGIN })],
      [200, await p.call({ method: 'GET', path: '/ready', headers: ORIGIN })],
      [401, await p.call({ headers: { ...ORIGIN, authorization: '' } })],
      [400, await p.call({ body: '[', headers: ORIGIN })],
      [404, await p.call({ path: '/v1/unknown', headers: ORIGIN })],
      [405, await p.call({ method: 'PUT', path: CHAT, headers: ORIGIN })],
    ];
    p.mock.script({ status: 429, json: {} });
    answers.push([429, await p.call({ body: STREAM, headers: ORIGIN })]);
    p.mock.script({ framing: 'garbage' });
    answers.push([502, await p.call({ headers: ORIGIN })]);
    p.mock.script({ events: 5, fault: { kind: 'reset', after_bytes: 300 } });
    answers.push([200, await p.call({ headers: ORIGIN })]);
    for (const [status, answer] of answers) expect([answer.status, corsOf(answer)]).toEqual([status, ANSWER]);
  });

  test("gets ours, not upstream's", async () => {
    p.mock.script({
      text: 'x',
      headers: [
        ['access-control-allow-origin', 'https://upstream.example'],
        ['access-control-allow-credentials', 'true'],
      ],
    });
    expect(corsOf(await p.call({ headers: ORIGIN }))).toEqual(ANSWER);
    expect(corsOf(await p.call())).toEqual({});
  });

  test("of 'null' gets them too", async () => {
    expect(corsOf(await p.call({ headers: { origin: 'null' } }))).toEqual(ANSWER);
  });
});

test('a request without an Origin gets none of them, whatever the answer', async () => {
  for (const call of [
    {},
    { body: PLAIN },
    { path: '/v1/unknown' },
    { method: 'PUT', path: CHAT },
    { method: 'GET', path: '/health' },
  ]) {
    expect(corsOf(await p.call(call))).toEqual({});
  }
});

describe('a preflight', () => {
  const preflight = (path: string, headers: Record<string, string> = {}) =>
    p.call({
      method: 'OPTIONS',
      path,
      headers: {
        authorization: '',
        ...ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
        ...headers,
      },
    });

  for (const [path, method] of [
    [CHAT, 'POST'],
    ['/v1/responses', 'POST'],
    ['/v1/messages', 'POST'],
    ['/v1/embeddings', 'POST'],
    ['/v1/models', 'GET'],
    ['/v1/models/gpt-4o', 'GET'],
  ] as const) {
    test(`of ${path} is answered without a key, for 24 hours`, async () => {
      const answer = await preflight(path);
      expect([200, 204]).toContain(answer.status);
      expect(answer.body.length).toBe(0);
      expect(answer.header('access-control-allow-origin')).toBe('*');
      expect(corsOf(answer)).toMatchObject(ANSWER);
      expect(answer.header('access-control-allow-headers')).toBe('Authorization, Content-Type, X-Request-Id');
      expect(answer.header('access-control-max-age')).toBe('86400');
      expect(answer.header('access-control-allow-methods')!.split(', ')).toContain(method);
      expect(p.mock.requests.length).toBe(0);
    });
  }

  test('without an Origin has no such headers', async () => {
    const answer = await p.call({ method: 'OPTIONS', path: CHAT, headers: { authorization: '' } });
    expect(corsOf(answer)).toEqual({});
    expect([answer.status, answer.header('allow')]).toEqual([204, 'POST, GET, HEAD, OPTIONS']);
    const models = await p.call({ method: 'OPTIONS', path: '/v1/models', headers: { authorization: '' } });
    expect(models.header('allow')).toBe('GET, HEAD, OPTIONS');
    const unknown = await p.call({ method: 'OPTIONS', path: '/v1/unknown', headers: { authorization: '' } });
    expect([unknown.status, corsOf(unknown)]).toEqual([404, {}]);
  });

  for (const path of ['/v1/unknown', '/', '/health', '/chat/completions', '/administrator']) {
    test(`of ${path} lets the browser see what the answer to it is`, async () => {
      for (const method of ['GET', 'POST', 'DELETE', 'PATCH', 'PUT']) {
        const answer = await preflight(path, { 'access-control-request-method': method });
        expect([answer.status, answer.body.length]).toEqual([204, 0]);
        expect(corsOf(answer)).toMatchObject(ANSWER);
        expect(answer.header('access-control-allow-methods')!.split(', ')).toContain(method);
      }
      const answer = await p.call({ method: 'PUT', path, headers: ORIGIN });
      expect([404, 405]).toContain(answer.status);
      expect(corsOf(answer)).toEqual(ANSWER);
    });
  }

  for (const [name, asked, added] of [
    [
      "the headers of OpenAI's SDK",
      'authorization,content-type,x-stainless-lang,x-stainless-os',
      ['x-stainless-lang', 'x-stainless-os'],
    ],
    ["the headers of Anthropic's SDK", 'X-Api-Key, Anthropic-Version', ['X-Api-Key', 'Anthropic-Version']],
    ['a header twice, in two cases', 'X-A, x-a,CONTENT-TYPE', ['X-A']],
    ['blanks and nothing', ' ,, x-b ,\t', ['x-b']],
    ['what is no name', 'a b, c:d, "e", f\u00e9, (g), x-ok, h\u007f', ['x-ok']],
    ['nothing', '', []],
  ] as const) {
    test(`that asks for ${name} is allowed what is a name, and no other byte comes back`, async () => {
      const answer = await preflight(CHAT, { 'access-control-request-headers': asked });
      expect(answer.status).toBe(204);
      expect(answer.header('access-control-allow-headers')!.split(', ')).toEqual([
        'Authorization',
        'Content-Type',
        'X-Request-Id',
        ...added,
      ]);
    });
  }

  test('without Access-Control-Request-Headers is allowed the three', async () => {
    const headers = { ...ORIGIN, authorization: '', 'access-control-request-method': 'POST' };
    const answer = await p.call({ method: 'OPTIONS', path: CHAT, headers });
    expect(answer.header('access-control-allow-headers')).toBe('Authorization, Content-Type, X-Request-Id');
  });
});

describe('admin routes', () => {
  for (const [method, path] of [
    ['GET', '/admin/api-keys'],
    ['POST', '/admin/api-keys'],
    ['OPTIONS', '/admin/api-keys'],
    ['GET', '/admin/usage'],
    ['GET', '/admin/nothing'],
  ] as const) {
    test(`send none: ${method} ${path}`, async () => {
      for (const authorization of ['', 'Bearer admin-key-0123456789']) {
        expect(corsOf(await p.call({ method, path, headers: { ...ORIGIN, authorization } }))).toEqual({});
      }
    });
  }
});
