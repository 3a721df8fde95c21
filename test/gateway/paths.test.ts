/** A path is what its endpoint says, however the request line and the Host header are spelled. */
import { describe, expect, test } from 'bun:test';
import { CHAT, jsonOf, pair, STREAM } from '../support/pair.ts';

const p = pair();

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
    '/v1/models/../files',
    '//x/v1/models/gpt-4o',
    '//evil.example/v1/models/gpt-4o',
    '/v1//models',
  ]) {
    test(`GET ${path} is 404 and reaches nothing upstream`, async () => {
      const answer = await p.call({ method: 'GET', path });
      expect(answer.status).toBe(404);
      expect(jsonOf(answer)).toMatchObject({ error: { code: 'route_not_found' } });
      expect(p.mock.requests.length).toBe(0);
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
