/** POST /v1/completions: a chat completion upstream, a legacy one for the client. */
import { describe, expect, test } from 'bun:test';
import { jsonOf, pair, textOf } from '../support/pair.ts';
import { expectOpenAi, expectOpenAiCode } from '../support/refusals.ts';

const p = pair();
const path = '/v1/completions';

const CHAT_ANSWER = {
  id: 'chatcmpl-abc',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'gpt-4o',
  choices: [
    { index: 0, message: { role: 'assistant', content: 'one' }, logprobs: null, finish_reason: 'stop' },
    { index: 1, message: { role: 'assistant', content: null }, finish_reason: 'length' },
  ],
  usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
  system_fingerprint: 'fp',
};

describe('the request', () => {
  for (const [name, body, sent] of [
    [
      'a prompt keeps its escapes, the other fields their bytes and order',
      '{"model":"m", "max_tokens": 1.0e1,\n"prompt":"a\\u00e9\\n\\"b\\"","unknown":{"prompt":[1]},"n":2}',
      '{"model":"m","max_tokens": 1.0e1,"messages":[{"role":"user","content":"a\\u00e9\\n\\"b\\""}],"unknown":{"prompt":[1]},"n":2}',
    ],
    [
      'several are joined',
      '{"prompt":["a","","c"],"model":"m"}',
      '{"messages":[{"role":"user","content":"a\\n\\n\\n\\nc"}],"model":"m"}',
    ],
    [
      'legacy fields without effect are left out',
      '{"model":"m","prompt":"x","suffix":null,"echo":false,"best_of":1,"logprobs":null,"stream":false}',
      '{"model":"m","messages":[{"role":"user","content":"x"}],"stream":false}',
    ],
  ] as const) {
    test(name, async () => {
      p.mock.script({ json: CHAT_ANSWER });
      expect((await p.call({ path: `${path}?a=1`, body })).status).toBe(200);
      const [received] = p.mock.requests;
      expect([received?.path, received?.text]).toEqual(['/v1/chat/completions?a=1', sent]);
    });
  }

  test('a long prompt goes through', async () => {
    p.mock.script({ json: CHAT_ANSWER });
    const prompt = 'ü'.repeat(1_000_000);
    expect((await p.call({ path, body: { model: 'm', prompt } })).status).toBe(200);
    expect(p.mock.requests[0]?.json).toEqual({ model: 'm', messages: [{ role: 'user', content: prompt }] });
  });

  for (const [field, value] of [
    ['prompt', [1, 2, 3]],
    ['prompt', [[1, 2]]],
    ['prompt', ['a', 1]],
    ['prompt', []],
    ['prompt', null],
    ['prompt', 5],
    ['prompt', undefined],
    ['suffix', 'x'],
    ['echo', true],
    ['best_of', 2],
    ['best_of', '1'],
    ['logprobs', 0],
    ['logprobs', 5],
    ['logprobs', false],
    ['messages', []],
  ] as const) {
    test(`${field}: ${JSON.stringify(value)} is 400 and named`, async () => {
      const answer = await p.call({ path, body: { model: 'm', prompt: 'x', [field]: value } });
      expect(answer.status).toBe(400);
      expectOpenAiCode(answer, 'invalid_request');
      expect(textOf(answer)).toContain(`'${field}'`);
      expect(p.mock.requests.length).toBe(0);
    });
  }

  test('a stream is refused in the words of the contract', async () => {
    expectOpenAi(await p.call({ path, body: { model: 'm', prompt: 'x', stream: true } }), {
      status: 400,
      type: 'invalid_request_error',
      code: 'unsupported_streaming_completion',
      message: 'Streaming legacy completions are not supported. Use /v1/chat/completions with stream=true.',
    });
    expect(p.mock.requests.length).toBe(0);
  });

  test('two prompts are refused, and what is no object is invalid_json', async () => {
    expectOpenAiCode(await p.call({ path, body: '{"model":"m","prompt":"a","prompt":"b"}' }), 'invalid_request');
    for (const body of ['', '[]', '{"prompt":"a"']) expectOpenAiCode(await p.call({ path, body }), 'invalid_json');
  });

  test('a key with allowed models must name one', async () => {
    const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'm');
    const headers = { authorization: `Bearer ${key}` };
    expectOpenAiCode(await p.call({ path, headers, body: { model: 'x', prompt: 'a' } }), 'model_not_allowed');
    expectOpenAiCode(await p.call({ path, headers, body: { prompt: 'a' } }), 'invalid_request');
  });
});

describe('the answer', () => {
  test('becomes a text completion, and its usage is on record', async () => {
    p.mock.script({ json: CHAT_ANSWER, headers: [['x-request-id', 'req_up']] });
    const headers = { 'x-request-id': 'legacy' };
    const answer = await p.call({ path, headers, body: { model: 'gpt-4o', prompt: 'x' } });
    expect(answer.header('content-type')).toBe('application/json');
    expect(answer.header('x-request-id')).toBe('req_up');
    expect(answer.header('x-bve-latency')).toMatch(/^\d+$/);
    expect(jsonOf(answer)).toEqual({
      id: 'cmpl-abc',
      object: 'text_completion',
      created: 1_700_000_000,
      model: 'gpt-4o',
      choices: [
        { text: 'one', index: 0, logprobs: null, finish_reason: 'stop' },
        { text: '', index: 1, logprobs: null, finish_reason: 'length' },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
      system_fingerprint: 'fp',
    });
    expect(await p.recordOf('legacy')).toMatchObject({
      endpoint: path,
      model: 'gpt-4o',
      streamed: false,
      promptTokens: 5,
      completionTokens: 7,
      totalTokens: 12,
      usageSource: 'upstream',
      bytesOut: answer.body.length,
      finish: 'complete',
    });
  });

  test('an error of upstream passes, a 5xx is told', async () => {
    p.mock.script({ status: 429, json: { error: { message: 'slow down' } }, headers: [['retry-after', '7']] });
    const limited = await p.call({ path, body: { model: 'm', prompt: 'x' } });
    expect([limited.status, limited.header('retry-after'), textOf(limited)]).toEqual([
      429,
      '7',
      '{"error":{"message":"slow down"}}',
    ]);
    p.mock.reset();
    p.mock.script({ status: 500, json: { error: { message: 'broken' } } });
    const broken = await p.call({ path, body: { model: 'm', prompt: 'x' } });
    expect([broken.status, textOf(broken)]).toEqual([502, expect.stringContaining('broken')]);
  });

  test('what is no chat completion is 502', async () => {
    for (const json of [{ id: 'x' }, [], null]) {
      p.mock.reset();
      p.mock.script({ json });
      expectOpenAiCode(await p.call({ path, body: { model: 'm', prompt: 'x' } }), 'upstream_error');
    }
  });
});
