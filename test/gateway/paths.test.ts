/** A path is what its endpoint says, however the request line and the Host header are spelled. */
import { describe, expect, test } from 'bun:test';
import { CHAT, jsonOf, pair, STREAM, UUID } from '../support/pair.ts';
import { rawText } from '../support/raw-client.ts';

const p = pair({ env: { ADMIN_API_KEY: 'admin-key-0123456789' } });

const hostLines = (values: readonly string[]) => values.map((value) => `Host: ${value}\r\n`).join('');

describe('paths that try to leave their endpoint', () => {
  /** As they are in the request line: clients with a URL parser would resolve them before sending. */
  for (const path of [
    '/v1/models/..',
    '/v1/models/%2e%2e',
    '/v1/models/%2E.',
    '/v1/models/.',
    '/v1/models/%2e',
    '/v1/models/..%2fadmin',
    '/v1/models/..%2Fchat',
    '/v1/models/x%2f..%2f..%2ffiles',
    '/v1/models/x%5c..%5cfiles',
    '/v1/models/..\\admin',
    '/v1/models/..%5cadmin',
    '//x/v1/models/gpt-4o',
    '//evil.example/v1/models/gpt-4o',
    '/v1//models',
    '/v1/models/%252e%252e',
    '/v1/models/%25252e%25252e%25252fadmin',
    '/v1/models/..;',
    '/v1/models/a;b=c',
    '/v1/models/a%3bb',
    '/v1/models/..%00/files',
    '/v1/models/a%0d%0ab',
    '/v1/models/a%2500b',
    '/v1/models/a%c2%9bb',
  ]) {
    test(`GET ${path} is 404 and reaches nothing upstream`, async () => {
      const answer = await p.call({ method: 'GET', path });
      expect(answer.status).toBe(404);
      expect(jsonOf(answer)).toMatchObject({ error: { code: 'route_not_found' } });
      expect(p.mock.requests.length).toBe(0);
    });
  }

  /** Bun resolves plain dot segments before any handler sees the path: what counts is whose rules are checked. */
  for (const path of ['/v1/models/../files', '/v1/models/a/%2e%2e/%2e%2e/files', '/v1/models/a\\..\\..\\files']) {
    test(`GET ${path} is /v1/files, for a key that may use files and for no other`, async () => {
      const [models, files] = await Promise.all(
        ['models', 'files'].map(async (endpoint) => {
          const { key } = await p.gateway.createKey('--unlimited', '--allowed-endpoints', endpoint);
          return { authorization: `Bearer ${key}` };
        }),
      );
      const refused = await p.call({ method: 'GET', path, headers: models! });
      expect(jsonOf(refused)).toMatchObject({ error: { code: 'endpoint_not_allowed' } });
      expect(p.mock.requests.length).toBe(0);
      await p.call({ method: 'GET', path, headers: files! });
      expect(p.mock.requests.map((request) => request.path)).toEqual(['/v1/files']);
    });
  }

  test('GET /v1/../admin/api-keys needs the admin key like the path it means', async () => {
    const answer = await p.call({ method: 'GET', path: '/v1/../admin/api-keys' });
    expect([401, 403, 404]).toContain(answer.status);
    expect(p.mock.requests.length).toBe(0);
  });

  for (const path of [CHAT, '//x/v1/chat/completions', '/v1/chat/../chat/completions', '/v1/x/../embeddings']) {
    test(`POST ${path} reaches its own endpoint upstream or none`, async () => {
      await p.call({ path });
      for (const request of p.mock.requests) expect([CHAT, '/v1/embeddings']).toContain(request.path);
    });
  }

  for (const lines of [
    ['a b'],
    ['a/b'],
    ['a?b'],
    ['a@b'],
    ['a#b'],
    ['a:x'],
    ['a:80:80'],
    ['[::1'],
    ['a,b'],
    ['a\\b'],
    ['a<b>'],
    ['\u00e9'],
    ['a', 'b'],
    ['a', 'a'],
    ['', 'a'],
  ]) {
    test(`a Host that is none, or two, is 400: ${JSON.stringify(lines)}`, async () => {
      for (const [method, path] of [
        ['POST', CHAT],
        ['GET', '/v1/models'],
        ['GET', '/v1/key'],
        ['GET', '/health'],
        ['GET', '/admin/api-keys'],
        ['GET', '/nothing'],
      ] as const) {
        const answer = await rawText(
          p.gateway.port,
          `${method} ${path} HTTP/1.1\r\n${hostLines(lines)}content-length: 0\r\n\r\n`,
        );
        expect(answer.status).toBe(400);
        expect(jsonOf(answer)).toMatchObject({ error: { code: 'invalid_request', message: "Invalid header 'host'" } });
        expect(answer.header('x-request-id')).toMatch(UUID);
      }
      expect(p.mock.requests.length).toBe(0);
    });
  }

  for (const lines of [
    ['gateway.example'],
    ['127.0.0.1:8080'],
    ['[::1]:8080'],
    ['a_b.example:'],
    ['xn--bcher-kva.example'],
    [''],
  ]) {
    test(`a Host that is one is taken: ${JSON.stringify(lines)}`, async () => {
      const answer = await rawText(p.gateway.port, `GET /health HTTP/1.1\r\n${hostLines(lines)}\r\n`);
      expect(answer.status).toBe(200);
    });
  }

  test('HTTP/1.0 needs no Host', async () => {
    expect((await rawText(p.gateway.port, 'GET /health HTTP/1.0\r\n\r\n')).status).toBe(200);
  });

  for (const [method, path] of [
    ['POST', `${CHAT}#x`],
    ['POST', `${CHAT}?a=1#x`],
    ['GET', '/v1/models/gpt-4o#x'],
    ['GET', '/#/v1/models'],
  ] as const) {
    test(`a fragment is 400: ${method} ${path}`, async () => {
      const answer = await p.call({ method, path });
      expect(answer.status).toBe(400);
      expect(jsonOf(answer)).toMatchObject({ error: { code: 'invalid_request' } });
      expect(p.mock.requests.length).toBe(0);
    });
  }

  for (const host of ['a/v1/files', 'a/v1', 'a?x=', 'a#', 'a@b', 'evil.example:80/v1/files?', '']) {
    test(`a Host header of '${host}' moves nothing`, async () => {
      await p.call({ headers: { host } });
      await p.call({ method: 'GET', path: '/v1/models/gpt-4o', headers: { host } });
      for (const request of p.mock.requests) {
        expect([CHAT, '/v1/models/gpt-4o']).toContain(request.path);
        expect(request.get('host')).toBe(new URL(p.mock.url).host);
      }
      expect((await p.call()).status).toBe(200);
    });
  }

  test('a stream is not affected by dots in its query', async () => {
    const answer = await p.call({ path: `${CHAT}?a=../../x`, body: STREAM });
    expect(answer.status).toBe(200);
    expect(p.mock.requests[0]!.path).toBe(`${CHAT}?a=../../x`);
  });
});
