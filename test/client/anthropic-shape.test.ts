/** /v1/messages as Anthropic's SDKs use it: x-api-key, their headers, their events, their errors. Spoken with fetch. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventsOf } from '../support/events.ts';
import { pair, UUID } from '../support/pair.ts';
import { RECORDED_STREAMS, sha256 } from '../support/streams.ts';

setDefaultTimeout(30_000);

const CALL = { model: 'claude-sonnet-4', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] };
const bench = pair();

function messages(body: object, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
  return fetch(`${bench.gateway.url}/v1/messages`, {
    method: 'POST',
    headers: {
      'x-api-key': bench.gateway.key,
      'anthropic-version': '2023-06-01',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  });
}

/** Name and data of each event. */
function eventsIn(text: string): { event: string | undefined; data: { type?: string; error?: unknown } }[] {
  return eventsOf(text).map(({ event, data }) => ({ event, data: JSON.parse(data) }));
}

test('a message: x-api-key opens, the version and beta headers go upstream, the key does not', async () => {
  bench.mock.script({ text: 'Hello there' });
  const response = await messages(CALL, { 'anthropic-beta': 'a-1,b-2' });
  const answer = (await response.json()) as { type: string; content: { text: string }[] };
  expect([response.status, answer.type, answer.content[0]!.text]).toEqual([200, 'message', 'Hello there']);
  const request = bench.mock.requests[0]!;
  expect([
    request.path,
    request.get('anthropic-version'),
    request.get('anthropic-beta'),
    request.get('x-api-key'),
  ]).toEqual(['/v1/messages', '2023-06-01', 'a-1,b-2', undefined]);
  expect(JSON.stringify(request.headers)).not.toContain(bench.gateway.key);
});

test('a streamed message: every event, named as its data says, to message_stop', async () => {
  bench.mock.script({ text: 'One two three' });
  const response = await messages({ ...CALL, stream: true });
  const events = eventsIn(await response.text());
  expect(events.every(({ event, data }) => event === data.type)).toBe(true);
  expect([events[0]!.event, events.at(-1)!.event]).toEqual(['message_start', 'message_stop']);
});

describe.skipIf(RECORDED_STREAMS.length === 0)('recordings', () => {
  for (const stream of RECORDED_STREAMS.filter(({ endpoint }) => endpoint === '/v1/messages')) {
    test(`${stream.file} comes through byte for byte, and its tokens are counted`, async () => {
      const body_base64 = Buffer.from(stream.content).toString('base64');
      bench.mock.script({ body_base64, content_type: 'text/event-stream', framing: 'chunked', split: 13 });
      const requestId = crypto.randomUUID();
      const response = await messages({ ...CALL, stream: true }, { 'x-request-id': requestId });
      const body = await response.bytes();
      expect([body.length, sha256(body)]).toEqual([stream.bytes, stream.sha256]);
      expect(eventsIn(new TextDecoder().decode(body)).length).toBe(stream.events);
      const { prompt, completion, total } = stream.usage!;
      expect(await bench.recordOf(requestId)).toMatchObject({
        endpoint: '/v1/messages',
        finish: 'complete',
        promptTokens: prompt,
        completionTokens: completion,
        totalTokens: total,
      });
    });
  }
});

describe('a stream that breaks off', () => {
  const start = 'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n';
  const INTERRUPTED = { type: 'api_error', code: 'upstream_stream_interrupted', message: expect.any(String) };

  test.each([
    ['between two events', start],
    ['behind a comment', `${start}: ping\n`],
  ])('%s ends with an error event of its own', async (_, sent) => {
    bench.mock.script({
      body: `${sent}rest`,
      content_type: 'text/event-stream',
      framing: 'chunked',
      fault: { kind: 'end_early', after_bytes: sent.length },
    });
    const text = await (await messages({ ...CALL, stream: true })).text();
    const errorAt = text.lastIndexOf('event: error\n');
    // What arrives together with the break may be lost with it; what came is a part of what was sent.
    const before = text.slice(0, errorAt);
    expect([sent, '']).toContain(before);
    const [error] = eventsIn(text.slice(errorAt));
    expect(error).toEqual({ event: 'error', data: { type: 'error', error: INTERRUPTED } });
    expect(text).not.toContain('message_stop');
  });

  test.each([
    ['within a name', `${start}event: content_bl`],
    ['behind its data', `${start}event: ping\ndata: {"type":"ping"}`],
  ])('%s is reset, as without a gateway', async (_, sent) => {
    bench.mock.script({
      body: `${sent}rest`,
      content_type: 'text/event-stream',
      framing: 'chunked',
      fault: { kind: 'end_early', after_bytes: sent.length },
    });
    expect(messages({ ...CALL, stream: true }).then((response) => response.text())).rejects.toThrow();
  });

  test('is recorded as interrupted', async () => {
    bench.mock.script({
      body: start,
      content_type: 'text/event-stream',
      framing: 'chunked',
      fault: { kind: 'end_early', after_bytes: start.length },
    });
    const requestId = crypto.randomUUID();
    await (await messages({ ...CALL, stream: true }, { 'x-request-id': requestId })).text();
    expect(await bench.recordOf(requestId)).toMatchObject({
      finish: 'upstream_interrupted',
      status: 200,
      streamed: true,
    });
  });

  test('by the client is recorded so, with the tokens known by then', async () => {
    bench.mock.script({
      body: start,
      content_type: 'text/event-stream',
      framing: 'chunked',
      fault: { kind: 'silence', after_bytes: start.length },
    });
    const controller = new AbortController();
    const requestId = crypto.randomUUID();
    const response = await messages({ ...CALL, stream: true }, { 'x-request-id': requestId }, controller.signal);
    await response.body!.getReader().read();
    controller.abort();
    expect(await bench.recordOf(requestId)).toMatchObject({
      finish: 'client_closed',
      promptTokens: 3,
      usageSource: 'partial',
    });
  });
});

describe('errors', () => {
  test.each([
    ['no key', { 'x-api-key': '' }, 401, 'authentication_error', 'Missing API key'],
    ['an unknown key', { 'x-api-key': `sk-bve-${'0'.repeat(64)}` }, 401, 'authentication_error', 'Invalid API key'],
    ["Anthropic's own key", { 'x-api-key': 'sk-ant-123' }, 401, 'authentication_error', 'Invalid API key'],
  ] as const)('%s: in the envelope of Anthropic', async (_, headers, status, type, message) => {
    const response = await messages(CALL, headers);
    const body = (await response.json()) as object;
    expect([response.status, body]).toEqual([
      status,
      { type: 'error', error: { type, message }, request_id: response.headers.get('x-request-id') },
    ]);
    expect(response.headers.get('x-request-id')).toMatch(UUID);
  });

  test('a model that the key may not use: permission_error', async () => {
    const { key } = await bench.gateway.createKey('--allowed-models', 'gpt-4o');
    const response = await messages(CALL, { 'x-api-key': key });
    expect([response.status, await response.json()]).toMatchObject([403, { error: { type: 'permission_error' } }]);
  });

  test("upstream's own errors pass as they are", async () => {
    const own = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };
    bench.mock.script({ status: 529, json: own });
    const response = await messages({ ...CALL, stream: true });
    expect([response.status, await response.json()]).toEqual([529, own]);
  });

  test("upstream's 5xx to a message that is not streamed: api_error 502 that names the status", async () => {
    bench.mock.script({ status: 529, json: {} });
    const response = await messages(CALL);
    expect([response.status, await response.json()]).toMatchObject([
      502,
      { type: 'error', error: { type: 'api_error', message: expect.stringContaining('529') } },
    ]);
  });
});
