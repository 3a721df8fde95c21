/** Contract, section 3: who gets in, and what each refusal says. */
import { describe, expect, test } from 'bun:test';
import { openStore } from '../../src/store/open-store.ts';
import { eventually } from '../support/eventually.ts';
import { runBve } from '../support/gateway.ts';
import { CHAT, jsonOf, PLAIN, pair, UUID } from '../support/pair.ts';
import { connectTo, type RawAnswer, readAnswer, requestBytes } from '../support/raw-client.ts';

const p = pair({ requestsMax: 100_000 });
const MESSAGES = '/v1/messages';

function expectRefusal(answer: RawAnswer, status: number, code: string, message: string): void {
  expect(answer.status).toBe(status);
  expect(jsonOf(answer)).toEqual({ error: { message, type: 'invalid_request_error', code } });
  expect(answer.header('x-request-id')).toMatch(UUID);
}

const withAuthorization = (authorization: string, path: string = CHAT) =>
  p.call({ path, body: PLAIN, headers: { authorization } });

async function keysCommand(...args: string[]): Promise<void> {
  const ran = await runBve(['keys', ...args], p.gateway.env);
  expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
}

describe('credentials', () => {
  test('a good key is let in', async () => {
    expect((await p.call({ body: PLAIN })).status).toBe(200);
  });

  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    for (const spaces of [' ', '  ', '     ']) {
      test(`the scheme as '${scheme}' with ${spaces.length} space(s) is let in`, async () => {
        expect((await withAuthorization(scheme + spaces + p.gateway.key)).status).toBe(200);
      });
    }
  }

  for (const [method, path] of [
    ['POST', CHAT],
    ['POST', '/v1/responses'],
    ['POST', '/v1/embeddings'],
    ['GET', '/v1/models'],
    ['GET', '/v1/models/gpt-4o'],
  ] as const) {
    test(`none at all: 401 missing_api_key on ${method} ${path}`, async () => {
      expectRefusal(
        await p.call({ method, path, headers: { authorization: '' } }),
        401,
        'missing_api_key',
        'Missing API key',
      );
      const socket = await connectTo(p.gateway.port);
      const answer = readAnswer(socket);
      socket.write(requestBytes({ method, path, ...(method === 'POST' ? { body: '{}' } : {}) }));
      expectRefusal(await answer, 401, 'missing_api_key', 'Missing API key');
      socket.destroy();
      expect(p.mock.requests.length).toBe(0);
    });
  }

  const WRONG: Record<string, (key: string) => string> = {
    Basic: (key) => `Basic ${Buffer.from(`user:${key}`).toString('base64')}`,
    Token: (key) => `Token ${key}`,
    'no scheme': (key) => key,
    'no space': (key) => `Bearer${key}`,
    'a tab for the space': (key) => `Bearer\t${key}`,
    'a colon': (key) => `Bearer: ${key}`,
    'the scheme only': () => 'Bearer',
    'the scheme twice': (key) => `Bearer Bearer ${key}`,
    'a key of OpenAI': () => 'Bearer sk-proj-abcdefghijklmnopqrstuvwxyz',
    'the key of upstream': () => 'Bearer fx-the-real-key',
    'one digit too few': (key) => `Bearer ${key.slice(0, -1)}`,
    'one digit too many': (key) => `Bearer ${key}0`,
    'upper-case digits': (key) => `Bearer sk-bve-${key.slice(7).toUpperCase()}`,
    'an upper-case prefix': (key) => `Bearer SK-BVE-${key.slice(7)}`,
    'a letter that is no digit': (key) => `Bearer ${key.slice(0, -1)}g`,
    'quotes around it': (key) => `Bearer "${key}"`,
    'a comma behind it': (key) => `Bearer ${key},`,
    'a parameter behind it': (key) => `Bearer ${key} realm=x`,
    'two keys': (key) => `Bearer ${key}, Bearer ${key}`,
    '100 kB of it': () => `Bearer ${'a'.repeat(10_000)}`,
    'one nobody made': () => `Bearer sk-bve-${'0'.repeat(64)}`,
    SQL: () => `Bearer ' OR 1=1 --`,
    'bytes beyond ASCII': (key) => `Bearer ${key.slice(0, -1)}é`,
  };
  for (const [name, authorization] of Object.entries(WRONG)) {
    test(`wrong (${name}): 401 invalid_api_key`, async () => {
      expectRefusal(await withAuthorization(authorization(p.gateway.key)), 401, 'invalid_api_key', 'Invalid API key');
      expect(p.mock.requests.length).toBe(0);
    });
  }

  test('the key check comes before the body: a wrong key with a broken body is 401', async () => {
    expect((await p.call({ body: '[', headers: { authorization: 'Bearer x' } })).status).toBe(401);
  });

  test('never from the query string', async () => {
    for (const name of ['api_key', 'key', 'access_token', 'authorization', 'x-api-key', 'token']) {
      for (const path of [CHAT, MESSAGES]) {
        const answer = await p.call({ path: `${path}?${name}=${p.gateway.key}`, headers: { authorization: '' } });
        expect(answer.status).toBe(401);
      }
    }
    expect(p.mock.requests.length).toBe(0);
  });

  test('never from a cookie or the body', async () => {
    const headers = { authorization: '', cookie: `api_key=${p.gateway.key}; authorization=Bearer ${p.gateway.key}` };
    const answer = await p.call({ headers, body: { model: 'm', api_key: p.gateway.key } });
    expectRefusal(answer, 401, 'missing_api_key', 'Missing API key');
  });

  test('x-api-key counts on every endpoint', async () => {
    const headers = { authorization: '', 'x-api-key': p.gateway.key };
    for (const path of [MESSAGES, CHAT, '/v1/responses', '/v1/embeddings']) {
      expect((await p.call({ path, headers })).status).toBe(200);
    }
    for (const path of ['/v1/models', '/v1/key']) {
      expect((await p.call({ method: 'GET', path, headers })).status).toBe(200);
    }
    for (const request of p.mock.requests) expect(request.get('x-api-key')).toBeUndefined();
  });

  test('Authorization decides when both are there', async () => {
    expect((await p.call({ path: MESSAGES })).status).toBe(200);
    const wrong = { authorization: 'Bearer wrong', 'x-api-key': p.gateway.key };
    expect((await p.call({ path: MESSAGES, headers: wrong })).status).toBe(401);
    const both = { authorization: `Bearer ${p.gateway.key}`, 'x-api-key': 'sk-ant-whatever' };
    expect((await p.call({ path: MESSAGES, headers: both })).status).toBe(200);
  });

  test('a wrong x-api-key on /v1/messages is refused in the form of Anthropic', async () => {
    const answer = await p.call({ path: MESSAGES, headers: { authorization: '', 'x-api-key': 'sk-ant-x' } });
    expect(answer.status).toBe(401);
    expect(jsonOf(answer)).toMatchObject({
      type: 'error',
      error: { type: 'authentication_error', message: 'Invalid API key' },
    });
  });

  test('what is refused for its key leaves no usage record', async () => {
    await p.call({ headers: { authorization: 'Bearer x', 'x-request-id': 'nobody' } });
    await p.call({ headers: { 'x-request-id': 'somebody' } });
    await p.recordOf('somebody');
    expect((await p.gateway.usage()).filter((record) => record.requestId === 'nobody')).toEqual([]);
  });
});

describe('states', () => {
  test('suspended, and active again', async () => {
    const { id, key } = await p.gateway.createKey('--unlimited');
    await keysCommand('suspend', id);
    expectRefusal(await withAuthorization(`Bearer ${key}`), 403, 'api_key_suspended', 'API key is suspended');
    await keysCommand('activate', id);
    await untilStatus(key, 200);
  });

  test('revoked', async () => {
    const { id, key } = await p.gateway.createKey('--unlimited');
    await keysCommand('revoke', id);
    expectRefusal(await withAuthorization(`Bearer ${key}`), 403, 'api_key_revoked', 'API key is revoked');
    const messages = await withAuthorization(`Bearer ${key}`, MESSAGES);
    expect(messages.status).toBe(403);
    expect(jsonOf(messages)).toMatchObject({ error: { type: 'permission_error', message: 'API key is revoked' } });
  });

  test('expired: from the moment on, though the key was in use', async () => {
    const { id, key } = await p.gateway.createKey('--unlimited');
    expect((await withAuthorization(`Bearer ${key}`)).status).toBe(200);
    // In this process: a command may take longer to start than the key has left.
    const store = await openStore(p.gateway.databaseUrl, { busyTimeoutMs: 5_000 });
    const expiresAt = Date.now() + 1500;
    await store.patchKey(id, { expiresAt }, Date.now());
    const knownAt = Date.now() + 1000;
    await store.close();
    for (;;) {
      const sentAt = Date.now();
      const { status } = await withAuthorization(`Bearer ${key}`);
      if (Date.now() < expiresAt) expect(status).toBe(200);
      if (sentAt < expiresAt || sentAt < knownAt) continue;
      expect(status).toBe(403);
      break;
    }
    expectRefusal(await withAuthorization(`Bearer ${key}`), 403, 'api_key_expired', 'API key is expired');
  });

  test('revoked by another process under steady traffic: refused within a second, and from then on always', async () => {
    const { id, key } = await p.gateway.createKey('--unlimited');
    const answers: { at: number; status: number }[] = [];
    let stop = false;
    const traffic = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stop) {
          const at = performance.now();
          const { status } = await withAuthorization(`Bearer ${key}`);
          answers.push({ at, status });
        }
      }),
    );
    await eventually(() => answers.length > 0);
    await keysCommand('revoke', id);
    const revokedAt = performance.now();
    // Of what is sent within the second nothing can be said; what is sent behind it is refused, however slow the machine.
    const late = () => answers.filter((answer) => answer.at > revokedAt + 1000);
    await eventually(() => late().length > 20);
    stop = true;
    await traffic;
    expect(late().every((answer) => answer.status === 403)).toBe(true);
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200, 403]));
  });

  test('a stream that is open when its key is revoked ends as it should', async () => {
    const { id, key } = await p.gateway.createKey('--unlimited');
    p.mock.script({ events: 40, pace_ms: 10 });
    const answer = p.call({ headers: { authorization: `Bearer ${key}` } });
    await p.mock.waitForRequest();
    await keysCommand('revoke', id);
    expect(Buffer.from((await answer).body).toString()).toEndWith('data: [DONE]\n\n');
  });

  /** Asks until the status is there; every answer on the way is 200 or 403. */
  async function untilStatus(key: string, wanted: number): Promise<void> {
    const until = performance.now() + 10_000;
    for (;;) {
      const { status } = await withAuthorization(`Bearer ${key}`);
      if (status === wanted) return;
      expect([200, 403]).toContain(status);
      if (performance.now() > until) throw new Error(`never answered ${wanted}`);
    }
  }
});

describe('allowed endpoints', () => {
  const CALLS: readonly [group: string, method: string, path: string][] = [
    ['chat', 'POST', CHAT],
    ['responses', 'POST', '/v1/responses'],
    ['messages', 'POST', MESSAGES],
    ['embeddings', 'POST', '/v1/embeddings'],
    ['models', 'GET', '/v1/models'],
    ['models', 'GET', '/v1/models/m'],
  ];

  test('those of the key are open, any other is 403 before its body is read, and GET /v1/key is open to all', async () => {
    for (const allowed of ['chat', 'responses', 'messages', 'embeddings', 'models', 'audio,chat']) {
      const { key } = await p.gateway.createKey('--unlimited', '--allowed-endpoints', allowed);
      const headers = { authorization: `Bearer ${key}` };
      for (const [group, method, path] of CALLS) {
        const isAllowed = allowed.split(',').includes(group);
        const answer = await p.call({ method, path, headers, ...(isAllowed || method === 'GET' ? {} : { body: '[' }) });
        // The mock has no model m.
        if (isAllowed) expect(answer.status).toBe(path === '/v1/models/m' ? 404 : 200);
        else if (group === 'messages') {
          expect([answer.status, jsonOf(answer)]).toMatchObject([
            403,
            { error: { type: 'permission_error', message: 'This API key may not use this endpoint' } },
          ]);
        } else expectRefusal(answer, 403, 'endpoint_not_allowed', 'This API key may not use this endpoint');
      }
      expect((await p.call({ method: 'GET', path: '/v1/key', headers })).status).toBe(200);
    }
  });

  test('what is refused is on record and counts against no limit', async () => {
    const { key } = await p.gateway.createKey('--rpm-limit', '1', '--allowed-endpoints', 'chat');
    const headers = { authorization: `Bearer ${key}` };
    const refused = await p.call({ path: MESSAGES, headers });
    expect(refused.status).toBe(403);
    expect(await p.recordOf(refused.header('x-request-id')!)).toMatchObject({ status: 403, finish: 'error' });
    expect((await p.call({ headers })).status).toBe(200);
    expect((await p.call({ headers })).status).toBe(429);
  });
});

describe('allowed models', () => {
  const limited = (...models: string[]) => p.gateway.createKey('--unlimited', '--allowed-models', models.join(','));
  const ask = (key: string, path: string, body: unknown) =>
    p.call({ path, body, headers: { authorization: `Bearer ${key}` } });
  const get = (key: string, path: string) =>
    p.call({ method: 'GET', path, headers: { authorization: `Bearer ${key}` } });
  const refused = (model: string) => `Model '${model}' is not allowed for this API key`;

  test('one of them is let in, another is 403 and does not reach upstream', async () => {
    const { key } = await limited('gpt-4o', 'claude-sonnet-4');
    for (const path of [CHAT, '/v1/responses', '/v1/embeddings']) {
      expect((await ask(key, path, { model: 'gpt-4o', input: 'x' })).status).toBe(200);
    }
    expect((await ask(key, MESSAGES, { model: 'claude-sonnet-4' })).status).toBe(200);
    p.mock.reset();
    for (const model of ['gpt-4o-mini', 'GPT-4o', 'gpt-4o ', 'gpt-4', '', '*']) {
      expectRefusal(await ask(key, CHAT, { model, stream: true }), 403, 'model_not_allowed', refused(model));
    }
    const anthropic = await ask(key, MESSAGES, { model: 'claude-opus-4' });
    expect(anthropic.status).toBe(403);
    expect(jsonOf(anthropic)).toMatchObject({ error: { type: 'permission_error', message: refused('claude-opus-4') } });
    expect(p.mock.requests.length).toBe(0);
  });

  test('one with a name of megabytes is refused, told and recorded by its beginning only', async () => {
    const { key } = await limited('gpt-4o');
    const model = `long-${'x'.repeat(2_000_000)}`;
    const start = model.slice(0, 256);
    const answer = await ask(key, CHAT, { model });
    expectRefusal(answer, 403, 'model_not_allowed', refused(start));
    expect(await p.recordOf(answer.header('x-request-id')!)).toMatchObject({ model: start, status: 403 });
  });

  test('a model spelled with escapes is judged by what it says', async () => {
    const { key } = await limited('gpt-4o');
    expect((await ask(key, CHAT, '{"model":"gpt\\u002d4o"}')).status).toBe(200);
    expect((await ask(key, CHAT, '{"\\u006dodel":"gpt-4"}')).status).toBe(403);
  });

  test('no model at all is refused for such a key, and passes for one without the limit', async () => {
    const { key } = await limited('gpt-4o');
    const answer = await ask(key, CHAT, { messages: [] });
    expect(answer.status).toBe(400);
    expect(jsonOf(answer)).toMatchObject({
      error: { code: 'invalid_request', message: expect.stringContaining("'model'") },
    });
    expect((await ask(p.gateway.key, CHAT, { messages: [] })).status).toBe(200);
  });

  test('GET /v1/models lists only them, otherwise as upstream said', async () => {
    const data = [
      { id: 'gpt-4o', object: 'model', created: 1, owned_by: 'a', extra: { x: [1] } },
      { id: 'secret', object: 'model' },
      { id: 'claude-sonnet-4', object: 'model', created: 2.5 },
    ];
    p.mock.script({
      json: { object: 'list', data, more: true },
      headers: [
        ['server', 'x'],
        ['x-quota-allowed', '5'],
      ],
    });
    const { key } = await limited('claude-sonnet-4', 'gpt-4o', 'not-there');
    const answer = await get(key, '/v1/models');
    expect(answer.status).toBe(200);
    expect(jsonOf(answer)).toEqual({ object: 'list', data: [data[0], data[2]], more: true });
    expect(answer.header('content-type')).toBe('application/json');
    expect(answer.header('x-request-id')).toMatch(UUID);
    expect(answer.header('x-bve-latency')).toMatch(/^\d+$/);
    expect(answer.header('x-quota-allowed')).toBe('5');
    expect(answer.header('server')).toBeNull();
    const all = await get(p.gateway.key, '/v1/models');
    expect(jsonOf(all)).toEqual({ object: 'list', data, more: true });
  });

  test.each([203, 299, 404])('GET /v1/models lists only them with status %d as well', async (status) => {
    const { key } = await limited('gpt-4o');
    p.mock.script({ status, json: { data: [{ id: 'secret' }, { id: 'gpt-4o' }] } });
    const answer = await get(key, '/v1/models');
    expect([answer.status, jsonOf(answer)]).toEqual([status, { data: [{ id: 'gpt-4o' }] }]);
    expect(Number(answer.header('content-length'))).toBe(answer.body.length);
  });

  test('GET /v1/models when upstream says something else', async () => {
    const { key } = await limited('gpt-4o');
    for (const scenario of [{ body: 'not JSON' }, { json: [] }, { json: { data: 'x' } }, { json: null }]) {
      p.mock.script(scenario);
      const answer = await get(key, '/v1/models');
      expect(answer.status).toBe(502);
      expect(jsonOf(answer)).toMatchObject({ error: { type: 'upstream_error', code: 'upstream_error' } });
    }
    // An entry that is no model is none that the key may use.
    p.mock.script({ json: { data: [null, 5, { id: 7 }] } });
    expect(jsonOf(await get(key, '/v1/models'))).toEqual({ data: [] });
    // 4 MB of brackets once took 425 MB.
    const before = p.gateway.rss();
    p.mock.script({ headers: [['content-type', 'application/json']], body: '['.repeat(4 * 1024 * 1024) });
    expect((await get(key, '/v1/models')).status).toBe(502);
    expect(p.gateway.rss() - before).toBeLessThan(100 * 1024 * 1024);
    p.mock.script({ status: 404, json: { error: { message: 'gone' } } });
    const gone = await get(key, '/v1/models');
    expect([gone.status, jsonOf(gone)]).toEqual([404, { error: { message: 'gone' } }]);
    p.mock.script({ status: 500, json: {} });
    expect((await get(key, '/v1/models')).status).toBe(502);
    p.mock.script({ json: { data: ['x'.repeat(1000)] }, fault: { kind: 'reset', after_bytes: 500 } });
    expect((await get(key, '/v1/models')).status).toBe(502);
  });

  test('GET /v1/models/{model} answers only for them', async () => {
    const { key } = await limited('gpt-4o', 'org/model');
    expect((await get(key, '/v1/models/gpt-4o')).status).toBe(200);
    p.mock.reset();
    expectRefusal(await get(key, '/v1/models/gpt-4o-mini'), 403, 'model_not_allowed', refused('gpt-4o-mini'));
    expectRefusal(await get(key, '/v1/models/gpt%2d4'), 403, 'model_not_allowed', refused('gpt-4'));
    expectRefusal(await get(key, '/v1/models/gpt-4?x=gpt-4o'), 403, 'model_not_allowed', refused('gpt-4'));
    expectRefusal(await get(key, '/v1/models/gpt-4?x=/gpt-4o'), 403, 'model_not_allowed', refused('gpt-4'));
    expectRefusal(
      await get(key, '/v1/models/gpt-4%3Fx=%2Fgpt-4o'),
      403,
      'model_not_allowed',
      refused('gpt-4?x=/gpt-4o'),
    );
    expect(p.mock.requests.length).toBe(0);
    p.mock.script({ json: { id: 'org/model' } });
    expect((await get(key, '/v1/models/org%2Fmodel')).status).toBe(200);
    expect(p.mock.requests[0]!.path).toBe('/v1/models/org%2Fmodel');
  });

  test('a malformed escape in /v1/models/{model} is refused, for keys with and without the limit', async () => {
    const { key } = await limited('gpt-4o');
    for (const secret of [key, p.gateway.key]) {
      for (const model of ['%', '%zz', '%e9', '%ff']) {
        const answer = await get(secret, `/v1/models/${model}`);
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
        expect(answer.header('x-request-id')).not.toBeNull();
      }
    }
  });
});
