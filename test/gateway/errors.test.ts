/** Contract, section 4: what the gateway refuses in its own words, and what of upstream passes through. */
import { describe, expect, test } from 'bun:test';
import type { Socket } from 'node:net';
import type { Scenario } from '../../src/mock/scenario.ts';
import { CHAT, callOf, jsonOf, PLAIN, pair, STREAM, textOf } from '../support/pair.ts';
import { connectTo, type RawRequest, requestBytes } from '../support/raw-client.ts';
import { expectAnthropic, expectOpenAi, expectOpenAiCode, UPSTREAM_BROKE } from '../support/refusals.ts';

describe('routes', () => {
  const p = pair();
  const notFound = (message: string) => ({
    status: 404,
    type: 'invalid_request_error',
    code: 'route_not_found',
    message,
  });

  test('an unknown route is 404 in the envelope, with or without a key', async () => {
    for (const headers of [{}, { authorization: '' }]) {
      const answer = await p.call({ method: 'GET', path: '/v1/unknown', headers });
      expectOpenAi(answer, notFound('Route GET /v1/unknown not found'));
    }
  });

  for (const [method, path] of [
    ['POST', '/v1'],
    ['POST', '/v1/'],
    ['DELETE', '/v2/chat/completions'],
    ['POST', '/v1/audio/translations'],
    ['POST', '/v1/images/variations'],
    ['POST', '/v1/moderations'],
    ['POST', '/v1/batches'],
    ['GET', '/v1/fine_tuning/jobs'],
    ['POST', '/v1/rerank'],
    ['GET', '/v1/realtime'],
    ['POST', '/v1/chat/completions/'],
    ['POST', '/v1/Chat/Completions'],
    ['POST', '/v1//chat/completions'],
    ['GET', '/v1/models/'],
    ['GET', '/v1/models/a/'],
    ['GET', '/v1/models/a//b'],
    ['GET', '/v1/unknown/models'],
    ['GET', '/v2/v1x/models'],
    ['PATCH', '/health/x'],
  ] as const) {
    test(`${method} ${path} is not found and does not reach upstream`, async () => {
      expectOpenAi(await p.call({ method, path }), notFound(`Route ${method} ${path} not found`));
      expect(p.mock.requests.length).toBe(0);
    });
  }

  for (const [method, path, hint] of [
    ['POST', '/chat/completions', 'must end in /v1'],
    ['POST', '/responses', 'must end in /v1'],
    ['POST', '/embeddings', 'must end in /v1'],
    ['POST', '/messages', 'must end in /v1'],
    ['GET', '/models', 'must end in /v1'],
    ['GET', '/models/gpt-4o', 'must end in /v1'],
    ['POST', '/v1/chat/completions/chat/completions', 'must end in /v1'],
    ['POST', '/v1/v1/messages', 'must not end in /v1'],
    ['POST', '/v1/v1/chat/completions', 'must not end in /v1'],
    ['GET', '/v1/v1/models/org/model', 'must not end in /v1'],
    ['POST', '/v1/v1/v1/chat/completions', 'must not end in /v1'],
  ] as const) {
    test(`${method} ${path} is told what is wrong with the base URL: it ${hint}`, async () => {
      const answer = await p.call({ method, path });
      expectOpenAi(answer, notFound(`Route ${method} ${path} not found: the base URL ${hint}`));
      expect(p.mock.requests.length).toBe(0);
    });
  }

  test('GET / and HEAD / are 200 with one line of text', async () => {
    const get = await p.call({ method: 'GET', path: '/', headers: { authorization: '' } });
    expect([get.status, get.header('content-type')]).toEqual([200, 'text/plain;charset=utf-8']);
    expect(textOf(get)).toMatch(/^[^\n]+\n$/);
    const head = await fetch(`${p.gateway.url}/`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  test("a model's name may contain slashes", async () => {
    for (const path of ['/v1/models/org/model', '/v1/models/org%2Fmodel', '/v1/models/a/b/c?x=/y']) {
      p.mock.reset();
      p.mock.script({ json: { id: 'a' } });
      expect((await p.call({ method: 'GET', path })).status).toBe(200);
      expect(p.mock.requests.map((request) => [request.method, request.path])).toEqual([['GET', path]]);
    }
    const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'org/model');
    const headers = { authorization: `Bearer ${key}`, 'x-request-id': 'slashes' };
    p.mock.script({ json: { id: 'org/model' } });
    expect((await p.call({ method: 'GET', path: '/v1/models/org/model', headers })).status).toBe(200);
    expect(await p.recordOf('slashes')).toMatchObject({ endpoint: '/v1/models/:model', model: 'org/model' });
    expect((await p.call({ method: 'GET', path: '/v1/models/org/other', headers })).status).toBe(403);
  });

  test('x-api-key is taken on every route that needs a key', async () => {
    const headers = { authorization: '', 'x-api-key': p.gateway.key };
    expect((await p.call({ headers })).status).toBe(200);
    for (const path of ['/v1/models', '/v1/models/gpt-4o', '/v1/key']) {
      expect([path, (await p.call({ method: 'GET', path, headers })).status]).toEqual([path, 200]);
    }
  });

  test('the query is not part of the route, so a key in it does not come back', async () => {
    const answer = await p.call({ method: 'GET', path: `/v1/unknown?key=${p.gateway.key}` });
    expectOpenAi(answer, notFound('Route GET /v1/unknown not found'));
  });

  for (const [method, path, allow] of [
    ['GET', '/v1/embeddings', 'POST'],
    ['PUT', CHAT, 'POST'],
    ['DELETE', CHAT, 'POST'],
    ['PATCH', '/v1/embeddings', 'POST'],
    ['POST', '/v1/models', 'GET'],
    ['DELETE', '/v1/models/gpt-4o', 'GET'],
    ['POST', '/health', 'GET'],
    ['PUT', '/ready', 'GET'],
  ] as const) {
    test(`${method} ${path} is 405 with Allow: ${allow}`, async () => {
      const answer = await p.call({ method, path });
      const { message } = (jsonOf(answer) as { error: { message: string } }).error;
      expectOpenAi(answer, { status: 405, type: 'invalid_request_error', code: 'method_not_allowed', message });
      expect(message).toContain(method);
      expect(answer.header('allow')?.split(', ')).toContain(allow);
      expect(p.mock.requests.length).toBe(0);
    });
  }

  test('all under /v1/messages, and /v1/models of a client of Anthropic, is refused in its envelope', async () => {
    const version = { 'anthropic-version': '2023-06-01' };
    for (const [method, path, headers, status, type, message] of [
      ['GET', '/v1/messages', {}, 405, 'invalid_request_error', 'Method GET is not allowed, use POST'],
      ['POST', '/v1/messages/nothing', {}, 404, 'not_found_error', 'Route POST /v1/messages/nothing not found'],
      ['POST', '/v1/messages/', {}, 404, 'not_found_error', 'Route POST /v1/messages/ not found'],
      ['GET', '/v1/models', { ...version, authorization: '' }, 401, 'authentication_error', 'Missing API key'],
      ['GET', '/v1/models/m', { ...version, authorization: 'x' }, 401, 'authentication_error', 'Invalid API key'],
      ['POST', '/v1/models', version, 405, 'invalid_request_error', 'Method POST is not allowed, use GET'],
    ] as const) {
      expectAnthropic(await p.call({ method, path, headers }), status, type, message);
    }
    const openai = await p.call({ method: 'GET', path: '/v1/models', headers: { authorization: '' } });
    expectOpenAiCode(openai, 'missing_api_key');
    expectOpenAiCode(await p.call({ headers: { ...version, authorization: '' } }), 'missing_api_key');
  });

  test('/v1/messages refuses in the envelope of Anthropic', async () => {
    const path = '/v1/messages';
    expectAnthropic(
      await p.call({ path, headers: { authorization: '' } }),
      401,
      'authentication_error',
      'Missing API key',
    );
    expectAnthropic(
      await p.call({ path, headers: { authorization: 'Bearer x' } }),
      401,
      'authentication_error',
      'Invalid API key',
    );
    const invalid = await p.call({ path, body: '[]' });
    expectAnthropic(invalid, 400, 'invalid_request_error', 'The request body must be a JSON object');
    const method = await p.call({ method: 'GET', path });
    expect(method.status).toBe(405);
    expect(jsonOf(method)).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } });
    p.mock.script({ status: 500, json: {} });
    expectAnthropic(await p.call({ path, body: PLAIN }), 502, 'api_error', 'Upstream answered with status 500');
    p.mock.script({ framing: 'garbage' });
    const broken = await p.call({ path });
    expect(broken.status).toBe(502);
    expect(jsonOf(broken)).toMatchObject({ type: 'error', error: { type: 'api_error' } });
  });

  test('HEAD goes upstream as HEAD; of a list that the key may see in part, as GET', async () => {
    const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'gpt-4o');
    for (const [path, secret, method] of [
      ['/v1/models', p.gateway.key, 'HEAD'],
      ['/v1/models/gpt-4o', key, 'HEAD'],
      ['/v1/models', key, 'GET'],
    ] as const) {
      p.mock.reset();
      const answer = await fetch(p.gateway.url + path, {
        method: 'HEAD',
        headers: { authorization: `Bearer ${secret}` },
      });
      expect([answer.status, await answer.text()]).toEqual([200, '']);
      expect(p.mock.requests.map((request) => request.method)).toEqual([method]);
    }
  });

  test('a HEAD request is answered without a body: the next answer on the connection follows its head', async () => {
    for (const [path, status] of [
      ['/health', 200],
      ['/v1/models', 401],
      ['/v1/embeddings', 405],
      ['/v1/unknown', 404],
    ] as const) {
      const socket = await connectTo(p.gateway.port);
      const head = await sendAndReadHead(socket, { method: 'HEAD', path });
      expect(head).toStartWith(`HTTP/1.1 ${status} `);
      expect(await sendAndReadHead(socket, { method: 'GET', path: '/ready' })).toStartWith('HTTP/1.1 200 ');
      socket.destroy();
    }
    expect(p.mock.requests.length).toBe(0);
  });

  test('HEAD where GET is answered by upstream ends like any request, also when the body there is long', async () => {
    for (const bytes of [100, 1_000_000]) {
      p.mock.script({ json: { data: ['x'.repeat(bytes)] } });
      const socket = await connectTo(p.gateway.port);
      const id = `head-${bytes}`;
      const request = callOf(p.gateway.key, { method: 'HEAD', path: '/v1/models', headers: { 'x-request-id': id } });
      expect(await sendAndReadHead(socket, request)).toStartWith('HTTP/1.1 200 ');
      await p.recordOf(id);
      expect(await sendAndReadHead(socket, { method: 'GET', path: '/ready' })).toStartWith('HTTP/1.1 200 ');
      socket.destroy();
    }
  });
});

/** Everything up to the first blank line after the request was sent. */
function sendAndReadHead(socket: Socket, request: RawRequest): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const onData = (part: Buffer) => {
      text += part.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      socket.off('data', onData);
      resolve(text);
    };
    socket.on('data', onData);
    socket.write(requestBytes(request));
  });
}

describe('upstream statuses', () => {
  const p = pair();
  const ERROR = '{"error":{"message":"as it is \\u00e9","type":"x","param":null,"code":null}}\n';
  const QUOTA = ['x-quota-available', '0'] as const;
  const headers: Scenario['headers'] = [['x-request-id', 'req-up'], QUOTA, ['retry-after', '3'], ['set-cookie', 'a=1']];

  for (const body of [STREAM, PLAIN]) {
    const how = 'stream' in body ? 'streamed' : 'not streamed';
    for (const status of [400, ...('stream' in body ? [401] : []), 403, 404, 409, 413, 422, 429, 451, 499]) {
      test(`${status} passes through as it is, ${how}`, async () => {
        p.mock.script({ status, body: ERROR, content_type: 'application/json; charset=utf-8', headers });
        const id = `up-${status}-${how.replace(' ', '-')}`;
        const answer = await p.call({ body, headers: { 'x-request-id': id } });
        expect(answer.status).toBe(status);
        expect(textOf(answer)).toBe(ERROR);
        expect(answer.header('content-type')).toBe('application/json; charset=utf-8');
        expect(answer.header('x-request-id')).toBe('req-up');
        expect(answer.header('x-quota-available')).toBe('0');
        // SDKs wait by it.
        expect(answer.header('retry-after')).toBe('3');
        expect(answer.header('set-cookie')).toBeNull();
        expect(await p.recordOf(id)).toMatchObject({
          status,
          finish: 'error',
          errorCode: `upstream_${status}`,
          upstreamRequestId: 'req-up',
          usageSource: 'none',
        });
      });
    }

    test(`an HTML page with 404 passes through, ${how}`, async () => {
      const html = '<!doctype html><html><body><h1>404</h1></body></html>';
      p.mock.script({ status: 404, body: html, content_type: 'text/html' });
      const answer = await p.call({ body });
      expect([answer.status, answer.header('content-type'), textOf(answer)]).toEqual([404, 'text/html', html]);
    });

    test(`204 passes through without a body, and the connection serves the next request, ${how}`, async () => {
      p.mock.script({ status: 204 });
      const answer = await p.call({ body });
      expect([answer.status, answer.body.length, answer.ended]).toEqual([204, 0, 'keep-alive']);
      p.mock.reset();
      expect((await p.call({ body })).status).toBe(200);
    });

    test(`an empty body with 200 passes through, ${how}`, async () => {
      p.mock.script({ body: '', content_type: 'application/json' });
      const answer = await p.call({ body });
      expect([answer.status, answer.body.length, answer.complete]).toEqual([200, 0, true]);
    });
  }

  for (const status of [401, 500, 501, 502, 503, 504, 520, 529, 599]) {
    test(`${status} on a request that is not streamed is 502 with the status and upstream's message`, async () => {
      p.mock.script({ status, body: ERROR, content_type: 'application/json', headers });
      const id = `fails-${status}`;
      const answer = await p.call({ body: PLAIN, headers: { 'x-request-id': id } });
      expect(answer.header('x-request-id')).toBe(id);
      expect(answer.status).toBe(502);
      expect(jsonOf(answer)).toEqual({
        error: { message: `Upstream answered with status ${status}: as it is é`, ...UPSTREAM_BROKE },
      });
      expect(await p.recordOf(id)).toMatchObject({
        status: 502,
        finish: 'error',
        errorCode: 'upstream_error',
        bytesOut: 0,
      });
    });

    test(`${status} on a streamed request passes through as it is`, async () => {
      p.mock.script({ status, body: ERROR, content_type: 'application/json', headers });
      const answer = await p.call();
      expect([answer.status, textOf(answer)]).toEqual([status, ERROR]);
    });
  }

  test('an HTML page with 502 is our own JSON, unless the request is streamed', async () => {
    const html = '<html><h1>502 Bad Gateway</h1><p>internal-host.example</p></html>';
    p.mock.script({ status: 502, body: html, content_type: 'text/html' });
    expectOpenAi(await p.call({ body: PLAIN }), {
      status: 502,
      message: 'Upstream answered with status 502',
      ...UPSTREAM_BROKE,
    });
    const streamed = await p.call();
    expect([streamed.status, streamed.header('content-type'), textOf(streamed)]).toEqual([502, 'text/html', html]);
  });

  test('5xx on GET /v1/models is 502', async () => {
    p.mock.script({ status: 503, json: {} });
    const answer = await p.call({ method: 'GET', path: '/v1/models' });
    expectOpenAi(answer, { status: 502, message: 'Upstream answered with status 503', ...UPSTREAM_BROKE });
  });

  for (const status of [600, 777, 999]) {
    test(`${status} is no HTTP status: 502`, async () => {
      p.mock.script({ status, body: 'x' });
      for (const body of [STREAM, PLAIN]) expect((await p.call({ body })).status).toBe(502);
    });
  }

  test('a stream answered with JSON though events were asked for passes through as it is', async () => {
    p.mock.script({ json: { choices: [], usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } } });
    const answer = await p.call({ headers: { 'x-request-id': 'json-for-stream' } });
    expect(answer.header('content-type')).toBe('application/json');
    expect(await p.recordOf('json-for-stream')).toMatchObject({
      streamed: true,
      finish: 'complete',
      totalTokens: 3,
      usageSource: 'upstream',
    });
  });

  test('interim 1xx heads are taken in, not passed on', async () => {
    p.mock.script({ text: 'x y', interim: 3 });
    const answer = await p.call();
    expect(answer.status).toBe(200);
    expect(Buffer.from(answer.raw).toString()).not.toContain('103');
    expect(textOf(answer)).toEndWith('data: [DONE]\n\n');
  });
});

describe('UPSTREAM_HEAD_TIMEOUT_MS', () => {
  const p = pair({ env: { MAX_CONCURRENT_REQUESTS: '1', UPSTREAM_HEAD_TIMEOUT_MS: '300' } });
  /** Far more than it takes, far less than the ten minutes of the default. */
  const IN_TIME_MS = 15_000;

  for (const body of [STREAM, PLAIN]) {
    test(`no head in time: 504, ${'stream' in body ? '' : 'not '}streamed; upstream is let go`, async () => {
      p.mock.script({ fault: { kind: 'hang' } });
      const startedAt = performance.now();
      const id = `slow-${'stream' in body}`;
      const answer = await p.call({ body, headers: { 'x-request-id': id } });
      expect(performance.now() - startedAt).toBeGreaterThan(290);
      expect(performance.now() - startedAt).toBeLessThan(IN_TIME_MS);
      expect(answer.status).toBe(504);
      expect(jsonOf(answer)).toEqual({
        error: { message: 'Upstream did not answer in time', type: 'upstream_error', code: 'upstream_timeout' },
      });
      expect(await (await p.mock.waitForRequest()).closed).toBe('client_closed');
      expect(await p.recordOf(id)).toMatchObject({ status: 504, finish: 'error', ttfbMs: null });
    });
  }

  test('no head in time for /v1/models: 504, also for a key that sees only some', async () => {
    p.mock.script({ fault: { kind: 'hang' } });
    const { key } = await p.gateway.createKey('--allowed-models', 'gpt-4o');
    for (const secret of [p.gateway.key, key]) {
      const answer = await p.call({
        method: 'GET',
        path: '/v1/models',
        headers: { authorization: `Bearer ${secret}` },
      });
      const message = 'Upstream did not answer in time';
      expectOpenAi(answer, { status: 504, type: 'upstream_error', code: 'upstream_timeout', message });
    }
  });
});

describe('MAX_CONCURRENT_REQUESTS', () => {
  // Without the short time limit of above: an upstream that is slow for once must not be what ends these.
  const p = pair({ env: { MAX_CONCURRENT_REQUESTS: '1' } });

  test('one more than that: 503 with Retry-After, and served when the first is done', async () => {
    p.mock.script({ events: 1000, pace_ms: 100 });
    const first = new AbortController();
    const held = await fetch(p.gateway.url + CHAT, {
      ...callOf(p.gateway.key, {}),
      body: JSON.stringify(STREAM),
      signal: first.signal,
    });
    const refused = await p.call({ headers: { 'x-request-id': 'one-too-many' } });
    expect(refused.status).toBe(503);
    expect(jsonOf(refused)).toMatchObject({ error: { type: 'api_error', code: 'overloaded' } });
    expect(refused.header('retry-after')).toMatch(/^[1-9]\d*$/);
    expect(refused.header('x-request-id')).toBe('one-too-many');
    const messages = await p.call({ path: '/v1/messages' });
    expect(messages.status).toBe(503);
    expect(jsonOf(messages)).toMatchObject({ type: 'error', error: { type: 'overloaded_error' } });
    // Without a key there is no admission to be refused.
    expect((await p.call({ headers: { authorization: '' } })).status).toBe(401);
    expect((await p.call({ method: 'GET', path: '/health' })).status).toBe(200);
    expect(p.mock.requests.length).toBe(1);
    first.abort();
    await held.text().catch(() => {});
    expect(await p.mock.requests[0]!.closed).toBe('client_closed');
    p.mock.reset();
    expect((await p.recordOf('one-too-many')).finish).toBe('error');
    expect((await p.call()).status).toBe(200);
  });
});
