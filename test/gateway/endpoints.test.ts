/** Contract, section 7: every endpoint goes through, and only as itself; and what keys may do there (section 3). */
import { describe, expect, test } from 'bun:test';
import { jsonOf, pair, textOf } from '../support/pair.ts';
import { expectOpenAiCode } from '../support/refusals.ts';

const p = pair();

const ROUTES = [
  ['POST', '/v1/messages/count_tokens', '/v1/messages/count_tokens'],
  ['GET', '/v1/chat/completions', '/v1/chat/completions'],
  ['GET', '/v1/chat/completions/chatcmpl-1', '/v1/chat/completions/:completion'],
  ['POST', '/v1/chat/completions/chatcmpl-1', '/v1/chat/completions/:completion'],
  ['DELETE', '/v1/chat/completions/chatcmpl-1', '/v1/chat/completions/:completion'],
  ['GET', '/v1/chat/completions/chatcmpl-1/messages', '/v1/chat/completions/:completion/messages'],
  ['POST', '/v1/responses/input_tokens', '/v1/responses/input_tokens'],
  ['POST', '/v1/responses/compact', '/v1/responses/compact'],
  ['GET', '/v1/responses/resp_1', '/v1/responses/:response'],
  ['DELETE', '/v1/responses/resp_1', '/v1/responses/:response'],
  ['GET', '/v1/responses/resp_1/input_items', '/v1/responses/:response/input_items'],
  ['POST', '/v1/responses/resp_1/cancel', '/v1/responses/:response/cancel'],
  ['POST', '/v1/conversations', '/v1/conversations'],
  ['DELETE', '/v1/conversations/conv_1/items/msg_1', '/v1/conversations/*'],
  ['POST', '/v1/audio/speech', '/v1/audio/speech'],
  ['POST', '/v1/images/generations', '/v1/images/generations'],
  ['GET', '/v1/files', '/v1/files'],
  ['GET', '/v1/files/file-1/content', '/v1/files/*'],
  ['DELETE', '/v1/files/file-1', '/v1/files/*'],
  ['GET', '/v1/assistants', '/v1/assistants'],
  ['POST', '/v1/assistants/asst_1', '/v1/assistants/*'],
  ['POST', '/v1/threads', '/v1/threads'],
  ['POST', '/v1/threads/runs', '/v1/threads/runs'],
  ['POST', '/v1/threads/thread_1', '/v1/threads/*'],
  ['POST', '/v1/threads/thread_1/runs', '/v1/threads/:thread/runs'],
  ['GET', '/v1/threads/thread_1/runs', '/v1/threads/*'],
  ['POST', '/v1/threads/thread_1/runs/run_1/cancel', '/v1/threads/*'],
  ['POST', '/v1/threads/thread_1/runs/run_1/submit_tool_outputs', '/v1/threads/:thread/runs/:run/submit_tool_outputs'],
  ['POST', '/v1/vector_stores/vs_1/search', '/v1/vector_stores/*'],
  ['DELETE', '/v1/vector_stores/vs_1/files/file-1', '/v1/vector_stores/*'],
] as const;

describe('an endpoint is passed through', () => {
  for (const [method, path, route] of ROUTES) {
    test(`${method} ${path}`, async () => {
      p.mock.script({ json: { answered: true } });
      const body = method === 'POST' ? '{ "model": "m",  "n": 1.0 }' : undefined;
      const requestId = `${method}-${path}`.replaceAll('/', '.');
      const answer = await p.call({
        method,
        path: `${path}?a=1&after=x%20y`,
        headers: { 'x-request-id': requestId },
        ...(body === undefined ? {} : { body }),
      });
      expect([answer.status, textOf(answer)]).toEqual([200, '{"answered":true}']);
      const [received] = p.mock.requests;
      expect([received?.method, received?.path]).toEqual([method, `${path}?a=1&after=x%20y`]);
      expect([received?.text, received?.get('authorization')]).toEqual([body ?? '', 'Bearer fx-the-real-key']);
      expect(await p.recordOf(requestId)).toMatchObject({ endpoint: route, finish: 'complete', totalTokens: null });
    });
  }

  test('HEAD wherever GET is', async () => {
    p.mock.script({ json: { answered: true } });
    const headers = { authorization: `Bearer ${p.gateway.key}` };
    expect((await fetch(`${p.gateway.url}/v1/files/file-1`, { method: 'HEAD', headers })).status).toBe(200);
    expect(p.mock.requests.map(({ method, path }) => [method, path])).toEqual([['HEAD', '/v1/files/file-1']]);
  });

  test('a POST that needs no body may have none', async () => {
    for (const path of ['/v1/responses/r/cancel', '/v1/threads', '/v1/threads/t/runs/r/cancel', '/v1/conversations']) {
      p.mock.reset();
      p.mock.script({ json: {} });
      expect([path, (await p.call({ path, body: '' })).status]).toEqual([path, 200]);
      expect(p.mock.requests[0]?.body.length).toBe(0);
    }
    expectOpenAiCode(await p.call({ path: '/v1/threads', body: '[]' }), 'invalid_json');
    expectOpenAiCode(await p.call({ path: '/v1/threads/t/runs', body: '' }), 'invalid_json');
  });
});

describe('a path is that of its endpoint only', () => {
  for (const path of [
    '/v1/threads/t%2Fruns',
    '/v1/threads/t/%72uns',
    '/v1/threads/t%5cruns',
    '/v1/threads/t/RUNS',
    '/v1/threads/Runs',
    '/v1/threads/t/runs/r/Submit_Tool_Outputs',
    '/v1/files/..%2fthreads',
    '/v1/files/f;x',
    '/v1/files/',
    '/v1/files//x',
    '/v1/vector_stores/v/files/',
  ]) {
    test(`POST ${path} is no endpoint`, async () => {
      await p.call({ path, body: '{}' });
      expect(p.mock.requests.length).toBe(0);
    });
  }
});

test('dot segments do not change the rules of the path that they lead to', async () => {
  const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'm');
  for (const path of [
    '/v1/threads/t/../runs',
    '/v1/threads/t/./runs',
    '/v1/threads/t/%2e/runs',
    '/v1/files/../threads/runs',
  ]) {
    const answer = await p.call({ path, headers: { authorization: `Bearer ${key}` }, body: '{}' });
    expect([path, answer.status]).toEqual([path, 400]);
  }
  expect(p.mock.requests.length).toBe(0);
});

describe('keys', () => {
  test('each endpoint belongs to a group that a key may be limited to', async () => {
    const groups = [
      ['chat', 'GET', '/v1/chat/completions'],
      ['responses', 'GET', '/v1/responses/r'],
      ['messages', 'POST', '/v1/messages/count_tokens'],
      ['audio', 'POST', '/v1/audio/speech'],
      ['images', 'POST', '/v1/images/generations'],
      ['files', 'GET', '/v1/files/f/content'],
      ['assistants', 'GET', '/v1/assistants'],
      ['assistants', 'GET', '/v1/threads/t'],
      ['assistants', 'GET', '/v1/vector_stores/v'],
      ['conversations', 'GET', '/v1/conversations/c'],
    ] as const;
    const { key } = await p.gateway.createKey('--unlimited', '--allowed-endpoints', 'embeddings');
    for (const [, method, path] of groups) {
      const answer = await p.call({ method, path, headers: { authorization: `Bearer ${key}` } });
      expect([answer.status, textOf(answer)]).toEqual([403, expect.stringContaining('may not use this endpoint')]);
    }
    expect(p.mock.requests.length).toBe(0);
    for (const [group, method, path] of [groups[5], groups[8], groups[9]]) {
      const allowed = await p.gateway.createKey('--unlimited', '--allowed-endpoints', group);
      p.mock.script({ json: {} });
      expect((await p.call({ method, path, headers: { authorization: `Bearer ${allowed.key}` } })).status).toBe(200);
    }
  });

  test('a key with allowed models names one wherever upstream generates', async () => {
    const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'm');
    const headers = { authorization: `Bearer ${key}` };
    for (const path of [
      '/v1/threads/runs',
      '/v1/threads/t/runs',
      '/v1/threads/t/runs/r/submit_tool_outputs',
      '/v1/responses',
      '/v1/responses/compact',
      '/v1/audio/speech',
      '/v1/images/generations',
    ]) {
      const none = await p.call({ path, headers, body: { assistant_id: 'a', prompt: { id: 'p' } } });
      expectOpenAiCode(none, 'invalid_request');
      expectOpenAiCode(await p.call({ path, headers, body: { model: 'other' } }), 'model_not_allowed');
    }
    for (const path of ['/v1/assistants', '/v1/messages/count_tokens']) {
      const wrong = await p.call({ path, headers, body: { model: 'other' } });
      expect([wrong.status, textOf(wrong).includes('is not allowed for this API key')]).toEqual([403, true]);
    }
    expect(p.mock.requests.length).toBe(0);
    for (const path of ['/v1/threads', '/v1/conversations', '/v1/vector_stores', '/v1/responses/input_tokens']) {
      p.mock.script({ json: {} });
      expect([path, (await p.call({ path, headers, body: {} })).status]).toEqual([path, 200]);
    }
  });

  test('a key with a token limit makes no request that cannot be metered', async () => {
    const { key } = await p.gateway.createKey('--unlimited', '--monthly-token-limit', '100000');
    const headers = { authorization: `Bearer ${key}` };
    for (const [path, body] of [
      ['/v1/responses', '{"model":"m","background":true}'],
      ['/v1/responses', '{"model":"m","background":true,"background":false}'],
      ['/v1/responses', '{"model":"m","Background":true}'],
      ['/v1/responses', '{"model":"m","background":1}'],
      ['/v1/threads/runs', '{"assistant_id":"a"}'],
      ['/v1/threads/t/runs', '{"assistant_id":"a","stream":false}'],
      ['/v1/threads/t/runs/r/submit_tool_outputs', '{"tool_outputs":[]}'],
    ] as const) {
      const answer = await p.call({ path, headers, body });
      expectOpenAiCode(answer, 'invalid_request');
      expect(textOf(answer)).toContain('cannot be metered');
    }
    expect(p.mock.requests.length).toBe(0);
    const plain = await p.call({ path: '/v1/responses', headers, body: { model: 'm', background: false } });
    expect(plain.status).toBe(200);
  });
});

describe('streams', () => {
  test('a run reports its usage at its end', async () => {
    const thread = jsonOf(await p.call({ path: '/v1/threads', body: {} })) as { id: string };
    const assistant = jsonOf(await p.call({ path: '/v1/assistants', body: { model: 'm' } })) as { id: string };
    const answer = await p.call({
      path: `/v1/threads/${thread.id}/runs`,
      headers: { 'x-request-id': 'run' },
      body: { assistant_id: assistant.id, stream: true },
    });
    expect(textOf(answer)).toEndWith('event: done\ndata: [DONE]\n\n');
    const record = await p.recordOf('run');
    expect(record).toMatchObject({ streamed: true, finish: 'complete', usageSource: 'upstream' });
    expect(record.totalTokens).toBeGreaterThan(0);
  });

  test('speech and images as events report theirs, and a break is told', async () => {
    for (const [path, body] of [
      ['/v1/audio/speech', { model: 'm', input: 'x', stream_format: 'sse' }],
      ['/v1/images/generations', { model: 'm', prompt: 'x', stream: true, partial_images: 2 }],
    ] as const) {
      p.mock.reset();
      const requestId = path.replaceAll('/', '.');
      await p.call({ path, headers: { 'x-request-id': requestId }, body });
      expect(await p.recordOf(requestId)).toMatchObject({ finish: 'complete', usageSource: 'upstream' });
      p.mock.script({ events: 5, truncate_after_event: 3, fault: { kind: 'reset' } });
      const cut = await p.call({ path, headers: { 'x-request-id': `${requestId}-cut` }, body });
      expect(textOf(cut)).toContain('upstream_stream_interrupted');
      expect(await p.recordOf(`${requestId}-cut`)).toMatchObject({ finish: 'upstream_interrupted' });
    }
  });

  test('a stored response is streamed, and its usage is not counted again', async () => {
    p.mock.script({
      content_type: 'text/event-stream',
      body: 'event: response.completed\ndata: {"type":"response.completed","sequence_number":7,"response":{"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}\n\n',
    });
    const path = '/v1/responses/resp_1?stream=true';
    expect((await p.call({ method: 'GET', path, headers: { 'x-request-id': 'again' } })).status).toBe(200);
    expect(await p.recordOf('again')).toMatchObject({ streamed: true, finish: 'complete', totalTokens: null });
    const cut = 'event: response.created\ndata: {"type":"response.created","sequence_number":7,"response":{}}\n\n';
    p.mock.script({
      content_type: 'text/event-stream',
      body: `${cut}data: rest`,
      fault: { kind: 'reset', after_bytes: cut.length },
    });
    const answer = await p.call({ method: 'GET', path });
    expect(textOf(answer)).toContain('"sequence_number":8');
  });
});
