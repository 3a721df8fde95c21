import { expect, test } from 'bun:test';
import { eventsOf } from '../support/events.ts';
import { clientOf, mockServer } from './fixture.ts';

interface Event {
  readonly event: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

/** All events except `[DONE]`; the stream must end with a blank line. */
function eventsIn(text: string): Event[] {
  expect(text).toEndWith('\n\n');
  return eventsOf(text)
    .filter(({ data }) => data !== '[DONE]')
    .map(({ event, data }) => ({ event, data: JSON.parse(data) }));
}

test('chat completions as JSON and as a stream have the same content', async () => {
  const client = await clientOf(mockServer());
  const asked = { model: 'gpt-x', messages: [{ role: 'user', content: 'hi' }] };
  const json = (await client.post(asked).answer()).json as {
    model: string;
    choices: [{ message: { content: string }; finish_reason: string }];
    usage: { total_tokens: number; prompt_tokens: number; completion_tokens: number };
  };
  expect(json).toMatchObject({ object: 'chat.completion', model: 'gpt-x' });
  expect(json.usage.total_tokens).toBe(json.usage.prompt_tokens + json.usage.completion_tokens);
  const answer = await client.post({ ...asked, stream: true }).answer();
  expect(answer.header('content-type')).toBe('text/event-stream');
  expect(answer.text).toEndWith('data: [DONE]\n\n');
  const chunks = eventsIn(answer.text).map((event) => event.data) as unknown as {
    object: string;
    usage?: object;
    choices: [{ delta: { role?: string; content?: string }; finish_reason: string | null }];
  }[];
  expect(chunks[0]!.choices[0].delta.role).toBe('assistant');
  expect(chunks.at(-1)!.choices[0].finish_reason).toBe('stop');
  expect(chunks.every((chunk) => chunk.object === 'chat.completion.chunk' && chunk.usage === undefined)).toBe(true);
  expect(chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join('')).toBe(json.choices[0].message.content);
});

test('a chat stream ends with usage only when the request or the scenario says so', async () => {
  const client = await clientOf(mockServer());
  const usageOf = async (body: object) => {
    const last = eventsIn((await client.post({ stream: true, ...body }).answer()).text).at(-1)!;
    return (last.data as { usage?: unknown }).usage;
  };
  expect(await usageOf({})).toBeUndefined();
  expect(await usageOf({ stream_options: { include_usage: true } })).toBeDefined();
  expect(await usageOf({ mock: { text: 'a b', include_usage: true } })).toEqual({
    prompt_tokens: 9,
    completion_tokens: 2,
    total_tokens: 11,
  });
  expect(await usageOf({ stream_options: { include_usage: true }, mock: { include_usage: false } })).toBeUndefined();
  expect(await usageOf({ mock: { include_usage: true, usage: { total_tokens: 0 } } })).toEqual({ total_tokens: 0 });
});

test('text is streamed word by word and adds up to itself', async () => {
  const client = await clientOf(mockServer());
  const text = ' Grüße,\n"Welt" 👋 \\ end ';
  const answer = await client.post({ stream: true, mock: { text } }).answer();
  const chunks = eventsIn(answer.text).map((event) => event.data) as unknown as {
    choices: [{ delta: { content?: string } }];
  }[];
  expect(chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join('')).toBe(text);
  expect(answer.chunks.length).toBeGreaterThan(6);
  expect(answer.text).not.toContain('"i":');
});

test('messages and responses stream in their own form', async () => {
  const client = await clientOf(mockServer());
  const body = { model: 'm', stream: true, mock: { text: 'one two' } };
  const messages = eventsIn((await client.post(body, '/v1/messages').answer()).text);
  expect(messages.map((event) => event.event as string)).toEqual([
    'message_start',
    'content_block_start',
    'ping',
    'content_block_delta',
    'content_block_delta',
    'content_block_stop',
    'message_delta',
    'message_stop',
  ]);
  expect(messages[0]!.data).toMatchObject({ message: { model: 'm', usage: { input_tokens: 9 } } });
  expect(messages.at(-2)!.data).toMatchObject({ usage: { output_tokens: 2 } });
  const responses = eventsIn((await client.post(body, '/v1/responses').answer()).text);
  expect(responses.every(({ event, data }, i) => data.type === event && (data.sequence_number as number) === i)).toBe(
    true,
  );
  expect(responses.at(-1)).toMatchObject({
    event: 'response.completed',
    data: { response: { status: 'completed', usage: { input_tokens: 9, output_tokens: 2, total_tokens: 11 } } },
  });
});

test('messages and responses as JSON', async () => {
  const client = await clientOf(mockServer());
  const body = { model: 'm', mock: { text: 'one two' } };
  expect((await client.post(body, '/v1/messages').answer()).json).toMatchObject({
    type: 'message',
    content: [{ type: 'text', text: 'one two' }],
    usage: { input_tokens: 9, output_tokens: 2 },
  });
  expect((await client.post(body, '/v1/responses').answer()).json).toMatchObject({
    object: 'response',
    output: [{ content: [{ text: 'one two' }] }],
  });
});

test('numbered events work on every API and are ignored where there is no completion', async () => {
  const server = mockServer({ scenario: { events: 3 } });
  const client = await clientOf(server);
  for (const path of ['/v1/chat/completions', '/v1/messages', '/v1/responses', '/v1/anything']) {
    const { text } = await client.post({ stream: true }, path).answer();
    expect(text.match(/"i":\d/g)).toEqual(['"i":0', '"i":1', '"i":2']);
    eventsIn(text);
  }
  expect((await client.post({}).answer()).json).toMatchObject({ usage: { completion_tokens: 3 } });
  expect((await client.get('/v1/models').answer()).json).toMatchObject({ object: 'list' });
});

test('models: the list, one of them, and an unknown one', async () => {
  const client = await clientOf(mockServer());
  const { data } = (await client.get('/v1/models').answer()).json as { data: { id: string }[] };
  for (const model of data) {
    expect(model).toEqual({ id: model.id, object: 'model', created: 1_716_288_000, owned_by: 'mock' } as never);
    expect((await client.get(`/v1/models/${model.id}`).answer()).json).toEqual(model);
  }
  const missing = await client.get('/v1/models/none').answer();
  expect([missing.status, missing.json]).toMatchObject([404, { error: { code: 'model_not_found' } }]);
});

test('embeddings: one vector per input', async () => {
  const client = await clientOf(mockServer());
  const answer = await client.post({ model: 'e', input: ['a', 'b'] }, '/v1/embeddings').answer();
  expect(answer.json).toMatchObject({ object: 'list', model: 'e', data: [{ index: 0 }, { index: 1 }] });
});

test('everything else is a 404, a body that is not a JSON object a 400, in the OpenAI envelope', async () => {
  const client = await clientOf(mockServer());
  for (const [method, path, body, status] of [
    ['GET', '/v1/nothing', '', 404],
    ['GET', '/v1/audio/speech', '', 404],
    ['POST', '/v1/audio/translations', '{}', 404],
    ['GET', '/v1/models/', '', 404],
    ['DELETE', '/v1/models', '', 404],
    ['POST', '/v1/chat/completions', '{', 400],
    ['POST', '/v1/chat/completions', '[]', 400],
    ['POST', '/v1/chat/completions', '', 400],
  ] as const) {
    client.send(`${method} ${path} HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const answer = await client.answer();
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ error: { type: 'invalid_request_error' } });
  }
});
