/** The `openai` package. */
import OpenAI, { toFile } from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { type Access, type Case, collected, failing, type Mock, sha256 } from './case.ts';

const MODEL = 'gpt-4o';
const messages = [{ role: 'user' as const, content: 'Hello' }];
const WAIT_S = 2;

function client({ baseUrl, apiKey }: Access, options: object = {}): OpenAI {
  return new OpenAI({ baseURL: baseUrl, apiKey, maxRetries: 0, dangerouslyAllowBrowser: true, ...options });
}

/** Fields that the types of the package do not know. */
function withMock<T extends object>(body: T, mock: Mock): T {
  return { ...body, mock };
}

const chat = { model: MODEL, messages };
const toolCall = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Paris"}' } };
const answerWith = (message: object, finish_reason = 'stop') => ({
  json: {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: MODEL,
    choices: [{ index: 0, message: { role: 'assistant', content: null, ...message }, finish_reason }],
    usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
  },
});
const events = (...datas: object[]) => ({
  content_type: 'text/event-stream',
  body: `${datas.map((data) => `data: ${JSON.stringify(data)}\n\n`).join('')}data: [DONE]\n\n`,
});
const chunk = (delta: object, finish_reason: string | null = null) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: MODEL,
  choices: [{ index: 0, delta, finish_reason }],
});

export const openaiCases: Readonly<Record<string, Case>> = {
  chat: (access) => client(access).chat.completions.create(chat),
  'chat, streamed': async (access) =>
    collected(
      await client(access).chat.completions.create({ ...chat, stream: true, stream_options: { include_usage: true } }),
    ),
  'chat, stream helper': async (access) => {
    const stream = client(access).chat.completions.stream(chat);
    let text = '';
    stream.on('content', (delta) => (text += delta));
    return [(await stream.finalChatCompletion()).choices, text];
  },
  'chat, response headers': async (access) => {
    const { data, response } = await client(access).chat.completions.create(chat).withResponse();
    return [data.id, response.status, response.headers.get('content-type')];
  },
  'chat, tools': (access) => {
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object' } } }];
    return client(access).chat.completions.create(
      withMock({ ...chat, tools }, answerWith({ tool_calls: [toolCall] }, 'tool_calls')),
    );
  },
  'chat, tools streamed': async (access) => {
    const part = (args: string) => chunk({ tool_calls: [{ index: 0, function: { arguments: args } }] });
    const start = chunk({
      role: 'assistant',
      tool_calls: [{ index: 0, ...toolCall, function: { name: 'weather', arguments: '' } }],
    });
    const stream = client(access).chat.completions.stream(
      withMock(chat, events(start, part('{"city"'), part(':"Paris"}'), chunk({}, 'tool_calls'))),
    );
    return (await stream.finalChatCompletion()).choices;
  },
  'chat, tool runner': async (access) => {
    let asked = '';
    const runner = client(access).chat.completions.runTools({
      ...withMock(chat, answerWith({ content: 'done' })),
      tools: [
        {
          type: 'function',
          function: {
            name: 'weather',
            parse: JSON.parse,
            description: 'weather',
            parameters: { type: 'object', properties: { city: { type: 'string' } } },
            function: ({ city }: { city: string }) => {
              asked = city;
              return 'sun';
            },
          },
        },
      ],
    });
    return [await runner.finalContent(), asked];
  },
  'chat, structured output': async (access) => {
    const format = zodResponseFormat(z.object({ city: z.string() }), 'place');
    const completion = await client(access).chat.completions.parse(
      withMock({ ...chat, response_format: format }, answerWith({ content: '{"city":"Paris"}' })),
    );
    return completion.choices[0]?.message.parsed;
  },
  'chat, stored': async (access) => {
    const of = client(access).chat.completions;
    const { id } = await of.create({ ...chat, store: true });
    return [
      (await of.retrieve(id)).id,
      (await of.list()).data.length,
      await of.update(id, { metadata: { a: 'b' } }),
      (await of.messages.list(id)).data,
      await of.delete(id),
    ];
  },
  'a model whose name has a slash': (access) => {
    const mock = JSON.stringify({ json: { id: 'anthropic/claude-sonnet-4', object: 'model' } });
    return client(access).models.retrieve('anthropic/claude-sonnet-4', { query: { mock } });
  },
  models: async (access) => (await client(access).models.list()).data,
  embeddings: (access) => client(access).embeddings.create({ model: 'text-embedding-3-small', input: ['a', 'b'] }),
  'embeddings, base64': (access) =>
    client(access).embeddings.create({ model: 'text-embedding-3-small', input: 'a', encoding_format: 'base64' }),
  responses: async (access) => {
    const response = await client(access).responses.create({ model: MODEL, input: 'Hello' });
    return [response.output_text, response.usage];
  },
  'responses, streamed': async (access) =>
    collected(await client(access).responses.create({ model: MODEL, input: 'Hello', stream: true })),
  'responses, stream helper': async (access) =>
    (await client(access).responses.stream({ model: MODEL, input: 'Hello' }).finalResponse()).output_text,
  'responses, stored': async (access) => {
    const of = client(access).responses;
    const { id } = await of.create({ model: MODEL, input: 'Hello', background: true });
    return [
      (await of.retrieve(id)).object,
      (await of.inputItems.list(id)).data,
      (await of.cancel(id)).status,
      await of.inputTokens.count({ model: MODEL, input: 'Hello' }),
      (await of.compact({ model: MODEL, input: 'Hello' })).object,
      await of.delete(id),
    ];
  },
  conversations: async (access) => {
    const of = client(access).conversations;
    const { id } = await of.create({ items: [{ type: 'message', role: 'user', content: 'Hello' }] });
    return [
      (await of.retrieve(id)).object,
      await of.update(id, { metadata: { a: 'b' } }),
      (await of.items.list(id)).data.length,
      await of.delete(id),
    ];
  },
  'audio, speech': async (access) => {
    const answer = await client(access).audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Hello' });
    const bytes = await answer.arrayBuffer();
    return [bytes.byteLength, await sha256(bytes), answer.headers.get('content-type')];
  },
  'audio, transcription': async (access) =>
    client(access).audio.transcriptions.create({
      model: 'whisper-1',
      file: await toFile(new Uint8Array(70_000), 'a.mp3'),
    }),
  'audio, transcription streamed': async (access) =>
    collected(
      await client(access).audio.transcriptions.create({
        model: 'gpt-4o-transcribe',
        file: await toFile(new Uint8Array(100), 'a.mp3'),
        stream: true,
      }),
    ),
  'images, generated': (access) => client(access).images.generate({ model: 'gpt-image-1', prompt: 'a cat' }),
  'images, streamed': async (access) =>
    collected(await client(access).images.generate({ model: 'gpt-image-1', prompt: 'a cat', stream: true })),
  'images, edited': async (access) =>
    client(access).images.edit({
      model: 'gpt-image-1',
      prompt: 'a dog',
      image: await toFile(new Uint8Array(5000).fill(7), 'a.png', { type: 'image/png' }),
    }),
  files: async (access) => {
    const of = client(access).files;
    const content = new Uint8Array(300_000).map((_, i) => i % 251);
    const { id, bytes } = await of.create({ purpose: 'user_data', file: await toFile(content, 'data.bin') });
    const back = await (await of.content(id)).arrayBuffer();
    return [bytes, await sha256(back), await of.retrieve(id), (await of.list()).data.length, await of.delete(id)];
  },
  'assistants, threads and runs': async (access) => {
    const { assistants, threads } = client(access).beta;
    const assistant = await assistants.create({ model: MODEL });
    const thread = await threads.create({ messages });
    const run = await threads.runs.create(thread.id, { assistant_id: assistant.id });
    return [
      run.status,
      (await threads.runs.list(thread.id)).data.length,
      (await threads.messages.list(thread.id)).data.length,
      (await collected(threads.runs.stream(thread.id, { assistant_id: assistant.id }))).map(({ event }) => event),
      await threads.delete(thread.id),
      await assistants.delete(assistant.id),
    ];
  },
  'vector stores': async (access) => {
    const of = client(access).vectorStores;
    const file = await client(access).files.create({
      purpose: 'assistants',
      file: await toFile(new Uint8Array(9), 'a.txt'),
    });
    const { id } = await of.create({ name: 'a' });
    return [
      await of.files.create(id, { file_id: file.id }),
      (await of.files.list(id, { limit: 5, order: 'asc' })).data.length,
      (await of.search(id, { query: 'a' })).data,
      await of.delete(id),
    ];
  },
  'a stream that is left': async (access) => {
    const body = withMock({ ...chat, stream: true as const }, { events: 10_000, pace_ms: 5 });
    const stream = await client(access).chat.completions.create(body);
    const seen: unknown[] = [];
    for await (const part of stream) {
      seen.push(part.choices[0]?.delta);
      if (seen.length === 3) stream.controller.abort();
    }
    // A busy client may have received more by then.
    return seen.slice(0, 3);
  },
  'a request that times out': (access) =>
    client(access, { timeout: 300 }).chat.completions.create(withMock(chat, { fault: { kind: 'hang' } })),
  'a stream cut in the middle of an event': async (access) =>
    collected(
      await client(access).chat.completions.create(
        withMock({ ...chat, stream: true as const }, { events: 5, fault: { kind: 'reset', after_bytes: 300 } }),
      ),
    ),
  'an error inside a stream': async (access) =>
    collected(
      await client(access).chat.completions.create(
        withMock(
          { ...chat, stream: true as const },
          events(chunk({ content: 'a' }), { error: { message: 'no', code: 'x' } }),
        ),
      ),
    ),
  'status 500, streamed': async (access) =>
    collected(await client(access).chat.completions.create(withMock({ ...chat, stream: true as const }, failing(500)))),
  ...Object.fromEntries(
    [400, 403, 404, 409, 422, 429].map((status) => [
      `status ${status}`,
      (access: Access) => client(access).chat.completions.create(withMock(chat, failing(status))),
    ]),
  ),
  [`429 with retry-after: ${WAIT_S}`]: (access) =>
    client(access, { maxRetries: 1 }).chat.completions.create(
      withMock(chat, failing(429, [['retry-after', String(WAIT_S)]])),
    ),
  '429 with x-should-retry: false': (access) =>
    client(access, { maxRetries: 2 }).chat.completions.create(
      withMock(
        chat,
        failing(429, [
          ['x-should-retry', 'false'],
          ['retry-after', '50'],
        ]),
      ),
    ),
};
