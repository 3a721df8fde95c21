/** Every endpoint of the mock, called with OpenAI's own SDK, which must understand each answer. */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import OpenAI, { NotFoundError, toFile } from 'openai';
import { binaryBytes } from '../../src/mock/binary.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { eventsOf } from '../support/events.ts';

let server: MockServer;
let client: OpenAI;

beforeAll(() => {
  server = startMock();
  client = new OpenAI({ baseURL: server.url, apiKey: 'any', maxRetries: 0 });
});

afterAll(() => server.stop());

const FILE = Buffer.from('\0\r\n--\xff not text', 'latin1');
const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher('sha256').update(bytes).digest('hex');

async function collect<T>(events: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const event of events) all.push(event);
  return all;
}

function failureOf(call: PromiseLike<unknown>): PromiseLike<unknown> {
  return call.then(
    () => undefined,
    (error) => error,
  );
}

test('models and embeddings', async () => {
  const models = await collect(client.models.list());
  expect(models.map(({ id }) => id)).toContain('meta-llama/llama-3.3-70b');
  for (const { id } of models) expect((await client.models.retrieve(id)).id).toBe(id);
  // The SDK asks for base64 and decodes it.
  const { data } = await client.embeddings.create({ model: 'text-embedding-3-small', input: ['a', 'b'] });
  expect(data.map(({ embedding }) => embedding)).toEqual([
    [0.25, -0.5, 0.125, 1],
    [0.25, -0.5, 0.125, 1],
  ]);
});

test('models are listed in the form of Anthropic for its clients', async () => {
  const answer = await fetch(`${server.url}/models`, { headers: { 'anthropic-version': '2023-06-01' } });
  const { data, has_more } = (await answer.json()) as { data: object[]; has_more: boolean };
  expect(data[0]).toMatchObject({ type: 'model', id: 'gpt-4o', display_name: 'gpt-4o' });
  expect(has_more).toBe(false);
});

test('tokens of a message are counted', async () => {
  const answer = await fetch(`${server.url}/messages/count_tokens`, { method: 'POST', body: '{"messages":[]}' });
  expect(await answer.json()).toEqual({ input_tokens: 9 });
});

test('stored chat completions', async () => {
  const messages = [{ role: 'user' as const, content: 'hi' }];
  const { id } = await client.chat.completions.create({ model: 'gpt-4o', messages, store: true });
  expect(id).toMatch(/^chatcmpl-[0-9a-f]{24}$/);
  expect((await client.chat.completions.retrieve(id)).choices[0]!.message.content).toStartWith('Hello');
  expect((await collect(client.chat.completions.messages.list(id))).map(({ content }) => content)).toEqual(['hi']);
  const updated = await client.chat.completions.update(id, { metadata: { a: 'b' } });
  expect(updated.metadata).toEqual({ a: 'b' });
  expect((await collect(client.chat.completions.list())).map((each) => each.id)).toEqual([id]);
  expect(await client.chat.completions.delete(id)).toMatchObject({ id, deleted: true });
  expect(await failureOf(client.chat.completions.retrieve(id))).toBeInstanceOf(NotFoundError);
});

test('responses by id', async () => {
  const created = await client.responses.create({ model: 'gpt-4o', input: 'hi', store: true });
  const { id } = created;
  expect(await client.responses.retrieve(id)).toMatchObject({ id, output_text: created.output_text });
  const items = await collect(client.responses.inputItems.list(id));
  expect(items).toMatchObject([{ role: 'user', content: [{ type: 'input_text', text: 'hi' }] }]);
  const events = await collect(await client.responses.retrieve(id, { stream: true }));
  expect(events.at(-1)).toMatchObject({
    type: 'response.completed',
    response: { id, output: [{ content: [{ text: created.output_text }] }] },
  });
  const later = await collect(await client.responses.retrieve(id, { stream: true, starting_after: 5 }));
  expect(later).toEqual(events.slice(6));
  await client.responses.delete(id);
  expect(await failureOf(client.responses.retrieve(id))).toBeInstanceOf(NotFoundError);
});

test('responses in the background: queued, then done or cancelled', async () => {
  const ask = (input: string) => client.responses.create({ model: 'gpt-4o', input, background: true });
  const queued = await ask('one');
  expect(queued).toMatchObject({ status: 'queued', output: [] });
  const done = await client.responses.retrieve(queued.id);
  expect(done.usage).toMatchObject({ input_tokens: 9 });
  expect(done.status).toBe('completed');
  expect((await client.responses.cancel((await ask('two')).id)).status).toBe('cancelled');
  const plain = await client.responses.create({ model: 'gpt-4o', input: 'hi' });
  expect(await failureOf(client.responses.cancel(plain.id))).toMatchObject({ status: 400 });
  expect(await failureOf(client.responses.cancel('resp_none'))).toBeInstanceOf(NotFoundError);
});

test('input tokens and compaction', async () => {
  expect((await client.responses.inputTokens.count({ model: 'gpt-4o', input: 'hi' })).input_tokens).toBe(9);
  const compacted = await client.responses.compact({ model: 'gpt-4o', input: 'hi' });
  expect(compacted).toMatchObject({ object: 'response.compaction', usage: { total_tokens: 12 } });
});

test('conversations and their items', async () => {
  const conversation = await client.conversations.create({ metadata: { a: '1' } });
  const { id } = conversation;
  expect(await client.conversations.retrieve(id)).toEqual(conversation);
  expect((await client.conversations.update(id, { metadata: { a: '2' } })).metadata).toEqual({ a: '2' });
  const items = [{ type: 'message' as const, role: 'user' as const, content: 'hi' }];
  const [item] = (await client.conversations.items.create(id, { items })).data as unknown as [{ id: string }];
  expect(await client.conversations.items.retrieve(item.id, { conversation_id: id })).toMatchObject(item);
  expect(await collect(client.conversations.items.list(id))).toMatchObject([item]);
  expect((await client.conversations.items.delete(item.id, { conversation_id: id })).id).toBe(id);
  expect(await collect(client.conversations.items.list(id))).toEqual([]);
  expect(await client.conversations.delete(id)).toEqual({ id, object: 'conversation.deleted', deleted: true });
});

test('speech: binary, and as events', async () => {
  const asked = { model: 'gpt-4o-mini-tts', voice: 'alloy', input: 'hi' } as const;
  const answer = await client.audio.speech.create({ ...asked, response_format: 'wav' });
  const audio = Buffer.from(await answer.arrayBuffer());
  expect(answer.headers.get('content-type')).toBe('audio/wav');
  expect(answer.headers.get('content-disposition')).toBe('attachment; filename="speech.wav"');
  expect(answer.headers.get('content-length')).toBe(String(audio.length));
  const streamed = await client.audio.speech.create({ ...asked, stream_format: 'sse' });
  const events = eventsOf(await streamed.text()).map(
    ({ data }) => JSON.parse(data) as { type: string; audio?: string; usage?: object },
  );
  const deltas = events.slice(0, -1).map((event) => Buffer.from(event.audio!, 'base64'));
  expect(Buffer.concat(deltas).equals(audio)).toBe(true);
  expect(events.at(-1)).toEqual({
    type: 'speech.audio.done',
    usage: { input_tokens: 9, output_tokens: 16, total_tokens: 25 },
  });
});

test('transcriptions: in each format, and as events', async () => {
  const file = () => toFile(FILE, 'a.mp3', { type: 'audio/mpeg' });
  const model = 'gpt-4o-transcribe';
  const plain = await client.audio.transcriptions.create({ file: await file(), model });
  expect(plain).toMatchObject({ usage: { type: 'tokens', input_tokens: 9 } });
  expect((plain as unknown as { mock: { files: object[] } }).mock.files).toEqual([
    { field: 'file', name: 'a.mp3', content_type: 'audio/mpeg', bytes: FILE.length, sha256: sha256(FILE) },
  ]);
  for (const response_format of ['text', 'srt', 'vtt'] as const) {
    const text = await client.audio.transcriptions.create({ file: await file(), model, response_format });
    expect(text).toContain(plain.text);
  }
  const verbose = await client.audio.transcriptions.create({
    file: await file(),
    model,
    response_format: 'verbose_json',
  });
  expect(verbose).toMatchObject({ text: plain.text, segments: [{ text: plain.text }] });
  const events = await collect(
    await client.audio.transcriptions.create({ file: await file(), model, stream: true, response_format: 'json' }),
  );
  const deltas = events.map((event) => (event.type === 'transcript.text.delta' ? event.delta : ''));
  expect(deltas.join('')).toBe(plain.text);
  expect(events.at(-1)).toMatchObject({ type: 'transcript.text.done', text: plain.text, usage: { input_tokens: 9 } });
});

test('images: generated and edited, whole and as events', async () => {
  const asked = { model: 'gpt-image-1', prompt: 'a cat', n: 2 };
  const generated = await client.images.generate(asked);
  expect(generated.data!.map(({ b64_json }) => Buffer.from(b64_json!, 'base64').toString('latin1', 1, 4))).toEqual([
    'PNG',
    'PNG',
  ]);
  expect(generated.usage).toMatchObject({ total_tokens: 1_065 });
  const events = await collect(await client.images.generate({ ...asked, stream: true, partial_images: 2 }));
  expect(events.map(({ type }) => type)).toEqual([
    'image_generation.partial_image',
    'image_generation.partial_image',
    'image_generation.completed',
  ]);
  expect(events.at(-1)).toMatchObject({ usage: { total_tokens: 1_065 } });
  const image = await toFile(FILE, 'a.png', { type: 'image/png' });
  const edited = await client.images.edit({ image: [image], prompt: 'a dog' });
  expect(edited).toMatchObject({ mock: { fields: { prompt: 'a dog' }, files: [{ sha256: sha256(FILE) }] } });
  const edits = await collect(await client.images.edit({ image, prompt: 'a dog', stream: true }));
  expect(edits.map(({ type }) => type)).toEqual(['image_edit.completed']);
});

test('files come back byte for byte', async () => {
  const created = await client.files.create({ file: await toFile(FILE, 'a.bin'), purpose: 'user_data' });
  expect(created).toMatchObject({ object: 'file', bytes: FILE.length, filename: 'a.bin', purpose: 'user_data' });
  expect(await client.files.retrieve(created.id)).toEqual(created);
  const content = await client.files.content(created.id);
  expect(Buffer.from(await content.arrayBuffer()).equals(FILE)).toBe(true);
  expect(content.headers.get('content-disposition')).toBe('attachment; filename="a.bin"');
  const large = binaryBytes(1_000_000);
  const other = await client.files.create({ file: await toFile(large, 'b.bin'), purpose: 'assistants' });
  expect((await (await client.files.content(other.id)).arrayBuffer()).byteLength).toBe(large.length);
  expect((await collect(client.files.list())).map(({ id }) => id)).toEqual([other.id, created.id]);
  expect((await collect(client.files.list({ limit: 1, order: 'asc' }))).map(({ id }) => id)).toEqual([
    created.id,
    other.id,
  ]);
  expect((await collect(client.files.list({ purpose: 'user_data' }))).map(({ id }) => id)).toEqual([created.id]);
  expect(await client.files.delete(created.id)).toEqual({ id: created.id, object: 'file', deleted: true });
  expect(await failureOf(client.files.content(created.id))).toBeInstanceOf(NotFoundError);
});

test('an upload without its file is refused', async () => {
  for (const path of ['/files', '/audio/transcriptions', '/images/edits']) {
    const form = new FormData();
    form.set('model', 'm');
    const answer = await fetch(server.url + path, { method: 'POST', body: form });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('is a required property')]);
  }
});

test('assistants, threads and messages', async () => {
  const assistant = await client.beta.assistants.create({ model: 'gpt-4o', name: 'one' });
  expect(await client.beta.assistants.retrieve(assistant.id)).toEqual(assistant);
  expect((await client.beta.assistants.update(assistant.id, { name: 'two' })).name).toBe('two');
  expect((await collect(client.beta.assistants.list())).map(({ name }) => name)).toEqual(['two']);
  const thread = await client.beta.threads.create({ messages: [{ role: 'user', content: 'first' }] });
  const second = await client.beta.threads.messages.create(thread.id, { role: 'user', content: 'second' });
  const texts = (await collect(client.beta.threads.messages.list(thread.id))).map(
    ({ content: [part] }) => part?.type === 'text' && part.text.value,
  );
  expect(texts).toEqual(['second', 'first']);
  const at = { thread_id: thread.id };
  expect(await client.beta.threads.messages.retrieve(second.id, at)).toEqual(second);
  expect((await client.beta.threads.messages.update(second.id, { ...at, metadata: { a: 'b' } })).metadata).toEqual({
    a: 'b',
  });
  expect(await client.beta.threads.messages.delete(second.id, at)).toMatchObject({ deleted: true });
  expect((await client.beta.threads.update(thread.id, { metadata: { c: 'd' } })).metadata).toEqual({ c: 'd' });
  expect(await client.beta.threads.delete(thread.id)).toMatchObject({ object: 'thread.deleted' });
  expect(await failureOf(client.beta.threads.messages.list(thread.id))).toBeInstanceOf(NotFoundError);
  expect(await client.beta.assistants.delete(assistant.id)).toMatchObject({ object: 'assistant.deleted' });
});

test('a run that is streamed ends with its usage, and its answer is a message of the thread', async () => {
  const assistant = await client.beta.assistants.create({ model: 'gpt-4o' });
  const thread = await client.beta.threads.create();
  const run = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
  const deltas: string[] = [];
  run.on('textDelta', ({ value }) => deltas.push(value ?? ''));
  const events = await collect(run);
  expect(events[0]!.event).toBe('thread.run.created');
  expect(events.at(-1)).toMatchObject({
    event: 'thread.run.completed',
    data: { status: 'completed', usage: { prompt_tokens: 9, completion_tokens: deltas.length } },
  });
  const [message] = await collect(client.beta.threads.messages.list(thread.id));
  expect(message).toMatchObject({ role: 'assistant', content: [{ text: { value: deltas.join('') } }] });
  const { id } = await run.finalRun();
  const steps = await collect(client.beta.threads.runs.steps.list(id, { thread_id: thread.id }));
  expect(steps).toMatchObject([{ run_id: id, status: 'completed' }]);
  const step = await client.beta.threads.runs.steps.retrieve(steps[0]!.id, { thread_id: thread.id, run_id: id });
  expect(step).toEqual(steps[0]!);
});

test('a run that is polled, a run that is cancelled, a run with a thread of its own', async () => {
  const assistant = await client.beta.assistants.create({ model: 'gpt-4o' });
  const thread = await client.beta.threads.create();
  const polled = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  expect(polled).toMatchObject({ status: 'completed', model: 'gpt-4o', usage: { prompt_tokens: 9 } });
  const other = await client.beta.threads.runs.create(thread.id, { assistant_id: assistant.id, model: 'gpt-x' });
  const at = { thread_id: thread.id };
  expect((await client.beta.threads.runs.cancel(other.id, at)).status).toBe('cancelling');
  expect((await client.beta.threads.runs.retrieve(other.id, at)).status).toBe('cancelled');
  expect((await client.beta.threads.runs.update(other.id, { ...at, metadata: { a: 'b' } })).metadata).toEqual({
    a: 'b',
  });
  expect((await collect(client.beta.threads.runs.list(thread.id))).map(({ id }) => id)).toEqual([other.id, polled.id]);
  const whole = await collect(
    await client.beta.threads.createAndRun({
      assistant_id: assistant.id,
      thread: { messages: [{ role: 'user', content: 'hi' }] },
      stream: true,
    }),
  );
  expect([whole[0]!.event, whole.at(-1)!.event]).toEqual(['thread.created', 'thread.run.completed']);
  const last = whole.at(-1)!.data as { id: string; thread_id: string };
  const tools = { thread_id: last.thread_id, tool_outputs: [] };
  expect((await client.beta.threads.runs.submitToolOutputs(last.id, tools)).status).toBe('completed');
});

test('vector stores, their files and batches', async () => {
  const store = await client.vectorStores.create({ name: 'one' });
  expect((await client.vectorStores.update(store.id, { name: 'two' })).name).toBe('two');
  expect((await collect(client.vectorStores.list())).map(({ id }) => id)).toEqual([store.id]);
  const file = await client.vectorStores.files.create(store.id, { file_id: 'file-1' });
  const at = { vector_store_id: store.id };
  expect(await client.vectorStores.files.retrieve('file-1', at)).toEqual(file);
  const attributes = { a: 1 };
  expect((await client.vectorStores.files.update('file-1', { ...at, attributes })).attributes).toEqual(attributes);
  expect(await collect(client.vectorStores.files.content('file-1', at))).toMatchObject([{ type: 'text' }]);
  const batch = await client.vectorStores.fileBatches.create(store.id, { file_ids: ['file-2', 'file-3'] });
  expect(batch.file_counts.completed).toBe(2);
  expect(await client.vectorStores.fileBatches.retrieve(batch.id, at)).toEqual(batch);
  expect((await client.vectorStores.fileBatches.cancel(batch.id, at)).id).toBe(batch.id);
  const inBatch = await collect(client.vectorStores.fileBatches.listFiles(batch.id, at));
  expect(inBatch.map(({ id }) => id)).toEqual(['file-3', 'file-2', 'file-1']);
  expect(await collect(client.vectorStores.search(store.id, { query: 'x' }))).toMatchObject([{ score: 0.5 }]);
  expect(await client.vectorStores.files.delete('file-1', at)).toMatchObject({ deleted: true });
  expect(await client.vectorStores.delete(store.id)).toMatchObject({ object: 'vector_store.deleted' });
  expect(await failureOf(client.vectorStores.files.list(store.id))).toBeInstanceOf(NotFoundError);
});

test('equal objects have different ids; reset removes all objects', async () => {
  const mock = startMock();
  try {
    const own = new OpenAI({ baseURL: mock.url, apiKey: 'any', maxRetries: 0 });
    const [one, two] = [await own.beta.threads.create(), await own.beta.threads.create()];
    expect(two.id).toBe(`${one.id}-2`);
    await own.beta.threads.delete(one.id);
    expect((await own.beta.threads.create()).id).toBe(one.id);
    mock.reset();
    expect(await failureOf(own.beta.threads.retrieve(two.id))).toBeInstanceOf(NotFoundError);
  } finally {
    await mock.stop();
  }
});
