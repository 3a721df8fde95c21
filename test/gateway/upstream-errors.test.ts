/** Contract, sections 1 and 4: errors of upstream, before an answer and inside one. */
import { describe, expect, test } from 'bun:test';
import type { Scenario } from '../../src/mock/scenario.ts';
import { jsonOf, PLAIN, pair, STREAM, textOf } from '../support/pair.ts';
import { expectOpenAi, UPSTREAM_BROKE } from '../support/refusals.ts';

const KEY = 'fx-live-0123456789abcdefghij';
const RETRY = { 'retry-after': '7', 'retry-after-ms': '7000', 'x-should-retry': 'true' };
const SSE = { content_type: 'text/event-stream', framing: 'chunked' } as const satisfies Scenario;

describe('an error of upstream', () => {
  const p = pair({ env: { FUELIX_API_KEY: KEY } });
  const BODY = JSON.stringify({
    error: { message: `Incorrect API key provided: ${KEY.slice(0, 20)}… (é)`, code: KEY },
  });
  const MASKED = BODY.replaceAll(KEY, '*'.repeat(KEY.length)).replace(KEY.slice(0, 20), '*'.repeat(20));

  test.each([{}, { split: 1 }, { split: 7 }, { framing: 'chunked', split: 19 }] satisfies Scenario[])(
    'has our own key masked, to the length, however it comes: %j',
    async (scenario) => {
      for (const body of [STREAM, PLAIN]) {
        p.mock.script({ status: 403, body: BODY, content_type: 'application/json', ...scenario });
        const answer = await p.call({ body });
        expect([answer.status, textOf(answer)]).toEqual([403, MASKED]);
        expect(answer.body.length).toBe(Buffer.byteLength(BODY));
      }
    },
  );

  test('keeps what only looks like the beginning of our key, at its end too', async () => {
    const body = `{"message":"${KEY.slice(0, 15)}`;
    p.mock.script({ status: 400, body, content_type: 'application/json', split: 5 });
    expect(textOf(await p.call())).toBe(body);
  });

  test('broken off in the middle never looks whole, and loses nothing that was held back', async () => {
    const body = `{"message":"${KEY.slice(0, 10)}`;
    const fault = { kind: 'end_early', after_bytes: body.length } as const;
    p.mock.script({
      status: 400,
      body: `${body} and more`,
      content_type: 'application/json',
      framing: 'length',
      fault,
    });
    const answer = await p.call();
    expect([answer.complete, answer.ended, textOf(answer)]).toEqual([false, 'reset', body]);
  });

  test('told in our own message is masked there', async () => {
    p.mock.script({ status: 401, body: BODY, content_type: 'application/json' });
    const message = `Upstream answered with status 401: Incorrect API key provided: ${'*'.repeat(20)}… (é)`;
    expectOpenAi(await p.call({ body: PLAIN }), { status: 502, message, ...UPSTREAM_BROKE });
    // Nor is it in the log, where no word of upstream's is: it may quote a prompt.
    const id = crypto.randomUUID();
    await p.call({ body: PLAIN, headers: { 'x-request-id': id } });
    await p.recordOf(id);
    await p.gateway.logLine(({ request_id }) => request_id === id);
    expect(p.gateway.output()).not.toContain('Incorrect API key');
  });

  test('in an event stream, or an answer that is none, is not touched', async () => {
    p.mock.script({ status: 429, body: `data: ${KEY}\n\n`, ...SSE });
    expect(textOf(await p.call())).toBe(`data: ${KEY}\n\n`);
    p.mock.script({ status: 200, body: KEY, content_type: 'application/json' });
    expect(textOf(await p.call({ body: PLAIN }))).toBe(KEY);
  });

  test('carries what SDKs wait by; other answers do not', async () => {
    const headers = Object.entries(RETRY);
    const retryOf = (answer: { header(name: string): string | null }) =>
      Object.keys(RETRY).map((name) => answer.header(name));
    for (const body of [STREAM, PLAIN]) {
      p.mock.script({ status: 429, json: {}, headers });
      expect(retryOf(await p.call({ body }))).toEqual(Object.values(RETRY));
      p.mock.script({ status: 200, json: {}, headers });
      expect(retryOf(await p.call({ body }))).toEqual([null, null, null]);
    }
    p.mock.script({ status: 429, body: 'data: {}\n\n', headers, ...SSE });
    expect(retryOf(await p.call())).toEqual([null, null, null]);
  });

  test.each([
    ['{"error":"as a text"}', ': as a text'],
    ['{"error":{"message":""},"detail":"in detail"}', ': in detail'],
    ['{"message":"at the top"}', ': at the top'],
    ['{"error":{"message":["no text"]}}', ''],
    ['{"error":', ''],
    ['null', ''],
    ['[1]', ''],
    [`{"message":"${'x'.repeat(2000)}"}`, `: ${'x'.repeat(1000)}`],
    [`{"message":"${'x'.repeat(70_000)}"}`, ''],
  ])('whose body is %.60s has its message in ours', async (body, told) => {
    p.mock.script({ status: 500, body, content_type: 'application/json', split: 9000 });
    const message = `Upstream answered with status 500${told}`;
    expectOpenAi(await p.call({ body: PLAIN }), { status: 502, message, ...UPSTREAM_BROKE });
  });

  test('to the list of models of a limited key is told and masked as any other', async () => {
    const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'm');
    const headers = { authorization: `Bearer ${key}` };
    const call = { method: 'GET', path: '/v1/models', headers };
    p.mock.script({ status: 401, body: BODY, content_type: 'application/json' });
    const message = `Upstream answered with status 401: Incorrect API key provided: ${'*'.repeat(20)}… (é)`;
    expectOpenAi(await p.call(call), { status: 502, message, ...UPSTREAM_BROKE });
    p.mock.script({ status: 403, body: BODY, content_type: 'application/json', headers: Object.entries(RETRY) });
    const passed = await p.call(call);
    expect([passed.status, textOf(passed), passed.header('retry-after')]).toEqual([403, MASKED, '7']);
  });

  test('keeps its connection for the next request', async () => {
    p.mock.script({ status: 500, json: { error: { message: 'x' } } });
    for (let i = 0; i < 5; i++) expect((await p.call({ body: PLAIN })).status).toBe(502);
    expect(p.mock.openConnections).toBeLessThan(3);
  });

  test('whose body does not come to its end is told all the same', async () => {
    const fault = { kind: 'reset', after_bytes: 10 } as const;
    p.mock.script({ status: 503, json: { error: { message: 'x'.repeat(100) } }, fault });
    const message = 'Upstream answered with status 503';
    expectOpenAi(await p.call({ body: PLAIN }), { status: 502, message, ...UPSTREAM_BROKE });
  });
});

describe('UPSTREAM_5XX=pass', () => {
  const p = pair({ env: { UPSTREAM_5XX: 'pass', UPSTREAM_IDLE_TIMEOUT_MS: '200' } });

  test('hands JSON 5xx answers on, and no others', async () => {
    const json = { error: { message: 'overheated' } };
    p.mock.script({ status: 503, json, headers: Object.entries(RETRY) });
    const passed = await p.call({ body: PLAIN });
    expect([passed.status, jsonOf(passed), passed.header('retry-after')]).toEqual([503, json, '7']);
    p.mock.script({ status: 503, body: '<html>', content_type: 'text/html' });
    expect((await p.call({ body: PLAIN })).status).toBe(502);
    p.mock.script({ status: 401, json });
    expect((await p.call({ body: PLAIN })).status).toBe(502);
  });

  test('of an error whose body falls silent the status is told', async () => {
    const fault = { kind: 'silence', after_bytes: 5 } as const;
    p.mock.script({ status: 401, json: { error: { message: 'unauthorized' } }, fault });
    const message = 'Upstream answered with status 401';
    expectOpenAi(await p.call({ body: PLAIN }), { status: 502, message, ...UPSTREAM_BROKE });
  });
});

describe('an error inside a stream of status 200', () => {
  const p = pair();

  test.each([
    [
      '/v1/chat/completions',
      'data: {"error":{"message":"m","type":"server_error","code":"overheated"}}\n\n',
      'overheated',
    ],
    ['/v1/chat/completions', 'data: {"error":{"message":"m","type":"server_error","code":null}}\n\n', 'server_error'],
    ['/v1/chat/completions', 'data: {"error":{"message":"m","code":429},"choices":[]}\n\ndata: [DONE]\n\n', '429'],
    ['/v1/chat/completions', 'data: {"error":"a text with a prompt in it"}\n\n', 'upstream_error'],
    ['/v1/chat/completions', 'data: {"object":"error","message":"m","code":400}\n\n', '400'],
    [
      '/v1/messages',
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
      'overloaded_error',
    ],
    [
      '/v1/responses',
      'event: error\ndata: {"type":"error","code":"server_error","sequence_number":3}\n\n',
      'server_error',
    ],
    ['/v1/responses', 'data: {"type":"error","error":{"code":"rate_limit_exceeded"}}\n\n', 'rate_limit_exceeded'],
    ['/v1/responses', 'data: {"type":"response.failed","response":{"error":{"code":"quota"}}}\n\n', 'quota'],
  ])('%s: %.60s passes as it is, and is on record with its code', async (path, error, code) => {
    const content = 'data: {"type":"x","choices":[{"delta":{"content":"\\"error\\": {}"},"finish_reason":null}]}\n\n';
    for (const split of [1, 50, 10_000]) {
      const body = content + error;
      p.mock.script({ body, split, ...SSE });
      const id = crypto.randomUUID();
      const answer = await p.call({ path, headers: { 'x-request-id': id } });
      expect([answer.status, answer.complete, textOf(answer)]).toEqual([200, true, body]);
      expect(await p.recordOf(id)).toMatchObject({ finish: 'error', errorCode: code, status: 200 });
    }
  });

  test('is not followed by another when the stream then breaks', async () => {
    const body = 'data: {"error":{"code":"overheated"}}\n\n';
    p.mock.script({ body: `${body}data: more`, ...SSE, fault: { kind: 'reset', after_bytes: body.length } });
    const id = crypto.randomUUID();
    expect(textOf(await p.call({ headers: { 'x-request-id': id } }))).toBe(body);
    expect(await p.recordOf(id)).toMatchObject({ finish: 'error', errorCode: 'overheated' });
  });
});

describe('the answer to a stream request without the label of one', () => {
  const p = pair();
  const EVENTS =
    'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\ndata: [DONE]\n\n';

  test.each([
    ['application/octet-stream', EVENTS, 7],
    ['application/octet-stream', `: hello\n\n${EVENTS}`, 7],
    ['application/octet-stream', `event: x\n${EVENTS}`, 7],
    ['application/octet-stream', ` ${EVENTS}`, null],
    ['application/octet-stream', EVENTS.replace('data', 'dat'), null],
    ['text/plain', EVENTS, null],
  ])('%s, %.12j: is metered when it begins as a stream does', async (content_type, body, totalTokens) => {
    for (const split of [1, 3, 10_000]) {
      p.mock.script({ body, content_type, split, framing: 'chunked' });
      const id = crypto.randomUUID();
      const answer = await p.call({ headers: { 'x-request-id': id } });
      expect([answer.header('content-type'), textOf(answer)]).toEqual([content_type, body]);
      expect(await p.recordOf(id)).toMatchObject({ finish: 'complete', totalTokens });
    }
  });

  test('is broken off as a stream when it is one, and as any other body when not', async () => {
    const events = 'data: {"choices":[]}\n\n';
    for (const [body, code] of [
      [events, true],
      ['binary', false],
      ['da', false],
    ] as const) {
      const fault = { kind: 'reset', after_bytes: body.length } as const;
      p.mock.script({ body: `${body}more`, content_type: 'application/octet-stream', framing: 'chunked', fault });
      const answer = await p.call();
      expect(textOf(answer).includes('upstream_stream_interrupted')).toBe(code);
      expect([answer.complete, answer.ended]).toEqual(code ? [true, 'keep-alive'] : [false, 'reset']);
    }
  });
});

describe('STREAM_BREAK=reset', () => {
  const p = pair({ env: { STREAM_BREAK: 'reset' } });

  test('resets wherever a stream breaks, with no byte of ours, but not behind its end', async () => {
    const event = 'data: {"choices":[]}\n\n';
    for (const after_bytes of [0, event.length - 5, event.length, 2 * event.length]) {
      p.mock.script({ body: event.repeat(3), ...SSE, fault: { kind: 'reset', after_bytes } });
      const id = crypto.randomUUID();
      const answer = await p.call({ headers: { 'x-request-id': id } });
      expect([answer.complete, answer.ended]).toEqual([false, 'reset']);
      expect(textOf(answer)).toBe(event.repeat(3).slice(0, after_bytes));
      expect(await p.recordOf(id)).toMatchObject({ finish: 'upstream_interrupted' });
    }
    const whole = `${event}data: [DONE]\n\n`;
    p.mock.script({ body: `${whole}x`, ...SSE, fault: { kind: 'reset', after_bytes: whole.length } });
    const answer = await p.call();
    expect([answer.complete, textOf(answer)]).toEqual([true, whole]);
  });
});
