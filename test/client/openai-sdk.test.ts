/** The real `openai` package against a gateway in its own process: what its users see is what they see without a gateway. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import OpenAI, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai';
import type { Scenario } from '../../src/mock/scenario.ts';
import { eventsOf } from '../support/events.ts';
import { type Pair, pair, startPair, UUID } from '../support/pair.ts';
import { RECORDED_STREAMS, type RecordedStream } from '../support/streams.ts';

setDefaultTimeout(30_000);

const TEXT = 'Every byte, in order.';
const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];
const CHAT = { model: 'gpt-4o', messages: MESSAGES };

const bench = pair();

/** Each failure is one request: the SDK would otherwise try again twice and hide the first answer. */
const client = (apiKey = bench.gateway.key, { gateway }: Pair = bench) =>
  new OpenAI({ apiKey, baseURL: `${gateway.url}/v1`, maxRetries: 0, logLevel: 'off' });
const straight = () => new OpenAI({ apiKey: 'any', baseURL: bench.mock.url, maxRetries: 0, logLevel: 'off' });

interface Outcome {
  readonly events: unknown[];
  readonly error: { readonly name: string; readonly message: string; readonly code: unknown } | null;
}

async function collect(starting: PromiseLike<AsyncIterable<unknown>>): Promise<Outcome> {
  const events: unknown[] = [];
  try {
    for await (const event of await starting) events.push(event);
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return { events, error: { name: error.constructor.name, message: error.message, code: error.code } };
  }
  return { events, error: null };
}

async function failure(call: PromiseLike<unknown>): Promise<APIError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(APIError);
  return error as APIError;
}

/** The events of a recording, read without the SDK: what stands behind `data:`, up to `[DONE]`. */
function eventsIn(stream: RecordedStream): unknown[] {
  const datas = eventsOf(Buffer.from(stream.content).toString('utf8')).map(({ data }) => data);
  const done = datas.indexOf('[DONE]');
  return datas.slice(0, done === -1 ? undefined : done).map((data) => JSON.parse(data));
}

const replayOf = (stream: RecordedStream, more: Scenario = {}): Scenario => ({
  body_base64: Buffer.from(stream.content).toString('base64'),
  content_type: 'text/event-stream',
  framing: 'chunked',
  split: 61,
  ...more,
});

describe('chat completions', () => {
  test('a stream: all chunks, in order, then its end', async () => {
    bench.mock.script({ text: TEXT });
    const stream = await client().chat.completions.create({ ...CHAT, stream: true });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe(TEXT);
    expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('stop');
    expect(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && !chunk.usage)).toBe(true);
  });

  test('include_usage: one more chunk with usage and no choices', async () => {
    bench.mock.script({ text: TEXT });
    const stream = await client().chat.completions.create({
      ...CHAT,
      stream: true,
      stream_options: { include_usage: true },
    });
    const { events } = await collect(Promise.resolve(stream));
    const last = events.at(-1) as OpenAI.ChatCompletionChunk;
    expect(last.choices).toEqual([]);
    expect(last.usage!.total_tokens).toBe(last.usage!.prompt_tokens + last.usage!.completion_tokens);
    expect(last.usage!.completion_tokens).toBeGreaterThan(0);
  });

  test('the helper that puts a stream together gets the whole text', async () => {
    bench.mock.script({ text: TEXT });
    const stream = client().chat.completions.stream({ ...CHAT, stream_options: { include_usage: true } });
    const whole = await stream.finalChatCompletion();
    expect(whole.choices[0]!.message.content).toBe(TEXT);
    expect(whole.usage!.completion_tokens).toBeGreaterThan(0);
  });

  test('without stream: the completion, its request id and the latency header', async () => {
    bench.mock.script({ text: TEXT });
    const { data, response, request_id } = await client().chat.completions.create(CHAT).withResponse();
    expect(data.choices[0]!.message.content).toBe(TEXT);
    expect(request_id).toMatch(UUID);
    expect(response.headers.get('x-bve-latency')).toMatch(/^\d+$/);
  });

  test('parameters the gateway does not know reach upstream as the SDK wrote them', async () => {
    const body = { ...CHAT, temperature: 0.1, seed: 42, metadata: { b: '2', a: '1' }, logit_bias: { 50256: -100 } };
    await client().chat.completions.create(body);
    expect(bench.mock.requests[0]!.text).toBe(JSON.stringify(body));
  });
});

describe.skipIf(RECORDED_STREAMS.length === 0)('recordings', () => {
  const chats = RECORDED_STREAMS.filter((stream) => !/responses|messages/.test(stream.endpoint));
  const responses = RECORDED_STREAMS.filter((stream) => stream.endpoint === '/v1/responses');

  for (const stream of chats) {
    test(`${stream.file}: the SDK yields what the file holds, and what it yields without a gateway`, async () => {
      for (const more of [{}, { framing: 'close' }] satisfies Scenario[]) {
        bench.mock.script(replayOf(stream, more));
        const [gated, direct] = await Promise.all([
          collect(client().chat.completions.create({ ...CHAT, stream: true })),
          collect(straight().chat.completions.create({ ...CHAT, stream: true })),
        ]);
        expect(gated).toEqual(direct);
        // The SDK adds a null finish_reason where a provider leaves it out.
        expect(gated).toMatchObject({ events: eventsIn(stream) as object[], error: null });
        expect(gated.events.length).toBe(eventsIn(stream).length);
      }
    });
  }

  for (const stream of responses) {
    test(`${stream.file}: the SDK yields what it yields without a gateway`, async () => {
      bench.mock.script(replayOf(stream));
      const params = { model: 'gpt-4o', input: 'Hello', stream: true } as const;
      const [gated, direct] = await Promise.all([
        collect(client().responses.create(params)),
        collect(straight().responses.create(params)),
      ]);
      expect(gated).toEqual(direct);
      expect(gated.events).toEqual(eventsIn(stream).slice(0, gated.events.length));
      if (!gated.error) expect(gated.events.length).toBe(eventsIn(stream).length);
    });
  }
});

describe('errors', () => {
  test('a key that does not exist: AuthenticationError', async () => {
    const error = await failure(client(`sk-bve-${'0'.repeat(64)}`).chat.completions.create(CHAT));
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(error).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
      type: 'invalid_request_error',
      message: '401 Invalid API key',
      requestID: expect.stringMatching(UUID),
    });
    expect(bench.mock.requests.length).toBe(0);
  });

  test('a model outside of what the key may use: PermissionDeniedError', async () => {
    const { key } = await bench.gateway.createKey('--allowed-models', 'gpt-4o-mini');
    const error = await failure(client(key).chat.completions.create({ ...CHAT, stream: true }));
    expect(error).toBeInstanceOf(PermissionDeniedError);
    expect(error).toMatchObject({ status: 403, code: 'model_not_allowed', requestID: expect.stringMatching(UUID) });
    expect(bench.mock.requests.length).toBe(0);
  });

  test('a model that upstream does not know: NotFoundError, in the words of upstream', async () => {
    const error = await failure(client().models.retrieve('gpt-0'));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({
      status: 404,
      code: 'model_not_found',
      message: "404 The model 'gpt-0' does not exist",
    });
  });

  test('a route that does not exist: NotFoundError', async () => {
    const error = await failure(client().moderations.create({ input: 'x' }));
    expect(error).toBeInstanceOf(NotFoundError);
    expect(error).toMatchObject({ code: 'route_not_found', message: '404 Route POST /v1/moderations not found' });
  });

  test('a field of the wrong type: BadRequestError that names it', async () => {
    const error = await failure(client().chat.completions.create({ ...CHAT, model: 7 as unknown as string }));
    expect(error).toBeInstanceOf(BadRequestError);
    expect(error).toMatchObject({ code: 'invalid_request', message: expect.stringContaining("'model'") });
  });

  for (const stream of [false, true]) {
    test(`upstream's 429 (stream: ${stream}): RateLimitError, with its code and its request id`, async () => {
      const body = { error: { message: 'slow down', type: 'tokens', param: null, code: 'rate_limit_exceeded' } };
      bench.mock.script({ status: 429, json: body, headers: [['x-request-id', 'req_upstream']] });
      const error = await failure(client().chat.completions.create({ ...CHAT, stream }));
      expect(error).toBeInstanceOf(RateLimitError);
      expect(error).toMatchObject({
        status: 429,
        code: 'rate_limit_exceeded',
        type: 'tokens',
        message: '429 slow down',
        requestID: 'req_upstream',
      });
      expect(bench.mock.requests.length).toBe(1);
    });
  }

  test("upstream's 500 to a request that is not streamed: InternalServerError 502", async () => {
    bench.mock.script({ status: 500, json: { error: { message: 'overheated' } } });
    const error = await failure(client().chat.completions.create(CHAT));
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 502, code: 'upstream_error', type: 'upstream_error' });
    expect(error.message).toContain('status 500: overheated');
    expect(error.requestID).toMatch(UUID);
  });

  test("upstream's 500 to a streamed request passes as it is", async () => {
    bench.mock.script({ status: 500, json: { error: { message: 'overheated', code: 'oops' } } });
    const error = await failure(client().chat.completions.create({ ...CHAT, stream: true }));
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 500, code: 'oops', message: '500 overheated' });
  });

  test('an upstream that does not answer in time: InternalServerError 504', async () => {
    // A gateway of its own: for the others a machine that stands still must not be an upstream that does not answer.
    await using impatient = await startPair({ env: { UPSTREAM_HEAD_TIMEOUT_MS: '300' } });
    impatient.mock.script({ fault: { kind: 'hang' } });
    const waiting = client(impatient.gateway.key, impatient);
    const error = await failure(waiting.chat.completions.create({ ...CHAT, stream: true }));
    expect(error).toBeInstanceOf(InternalServerError);
    expect(error).toMatchObject({ status: 504, code: 'upstream_timeout', type: 'upstream_error' });
  });

  for (const kind of ['reset', 'end_early'] as const) {
    test(`a chat stream that breaks off between two events (${kind}) raises the gateway's APIError`, async () => {
      const events = [0, 1, 2].map((i) => `data: {"choices":[{"index":0,"delta":{"content":"${i}"}}]}\n\n`);
      for (const whole of [0, 1, 3]) {
        const body = `${events.join('')}data: [DONE]\n\n`;
        const after_bytes = events.slice(0, whole).join('').length;
        bench.mock.script({
          body,
          content_type: 'text/event-stream',
          framing: 'chunked',
          fault: { kind, after_bytes },
        });
        const outcome = await collect(client().chat.completions.create({ ...CHAT, stream: true }));
        expect(outcome.error).toEqual({
          name: 'APIError',
          code: 'upstream_stream_interrupted',
          message: expect.stringContaining('upstream connection broke'),
        });
        expect(outcome.events.length).toBeLessThanOrEqual(whole);
      }
    });
  }

  test('a chat stream that breaks off within an event raises: it is never a shorter answer', async () => {
    for (const after_bytes of [1, 20, 300, 500, 700]) {
      bench.mock.script({ text: TEXT, fault: { kind: 'end_early', after_bytes } });
      const iterating = collect(client().chat.completions.create({ ...CHAT, stream: true }));
      // The cut event is closed before the error event: the SDK may stumble over its half JSON first.
      expect(
        await iterating.then(
          ({ error }) => error,
          (error: Error) => error,
        ),
      ).toBeTruthy();
    }
  });

  test('a Responses stream that breaks off raises the same', async () => {
    const body = 'event: response.created\ndata: {"type":"response.created"}\n\nevent: response.';
    const fault = { kind: 'end_early', after_bytes: body.lastIndexOf('event') } as const;
    bench.mock.script({ body, content_type: 'text/event-stream', framing: 'chunked', fault });
    const { error } = await collect(client().responses.create({ model: 'gpt-4o', input: 'Hello', stream: true }));
    expect(error).toMatchObject({ name: 'APIError', code: 'upstream_stream_interrupted' });
  });
});

describe('leaving early', () => {
  test('abort cancels the request upstream, and ends the iteration without an error', async () => {
    bench.mock.script({ events: 1_000_000, pace_ms: 5 });
    const stream = await client().chat.completions.create({ ...CHAT, stream: true });
    const request = await bench.mock.waitForRequest();
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) stream.controller.abort();
    expect(chunks).toBeGreaterThanOrEqual(3);
    expect(await request.closed).toBe('client_closed');
  });

  test('break cancels the request upstream', async () => {
    bench.mock.script({ events: 1_000_000, pace_ms: 5 });
    for await (const _ of await client().chat.completions.create({ ...CHAT, stream: true })) break;
    expect(await bench.mock.requests[0]!.closed).toBe('client_closed');
  });

  test('an abort while upstream has not answered cancels it, too', async () => {
    bench.mock.script({ fault: { kind: 'hang' } });
    const controller = new AbortController();
    const call = failure(client().chat.completions.create(CHAT, { signal: controller.signal }));
    const request = await bench.mock.waitForRequest();
    controller.abort();
    expect((await call).constructor.name).toBe('APIUserAbortError');
    expect(await request.closed).toBe('client_closed');
  });
});

describe('the other endpoints', () => {
  test('models.list and models.retrieve', async () => {
    const ids: string[] = [];
    for await (const model of client().models.list()) ids.push(model.id);
    expect(ids).toContain('gpt-4o');
    expect((await client().models.retrieve('gpt-4o')).id).toBe('gpt-4o');
  });

  test('models.list shows a key only what it may use', async () => {
    const { key } = await bench.gateway.createKey('--allowed-models', 'gpt-4o-mini,not-upstream');
    const page = await client(key).models.list();
    expect(page.data.map((model) => model.id)).toEqual(['gpt-4o-mini']);
  });

  test('embeddings', async () => {
    const answer = await client().embeddings.create({
      model: 'text-embedding-3-small',
      input: ['a', 'b'],
      encoding_format: 'float',
    });
    expect(answer.data.map((item) => item.embedding)).toEqual([
      [0.25, -0.5, 0.125, 1],
      [0.25, -0.5, 0.125, 1],
    ]);
    expect(answer.usage.total_tokens).toBeGreaterThan(0);
  });

  test('responses, whole and streamed, give the same text', async () => {
    bench.mock.script({ text: TEXT });
    const params = { model: 'gpt-4o', input: 'Hello' };
    expect((await client().responses.create(params)).output_text).toBe(TEXT);
    let text = '';
    for await (const event of await client().responses.create({ ...params, stream: true })) {
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    expect(text).toBe(TEXT);
  });
});
