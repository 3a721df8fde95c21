/** STREAM_USAGE=inject: the gateway counts what the client did not ask for, and the client sees none of it. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';

let mock: MockServer;
let gateway: GatewayProcess;
let sent = 0;

beforeAll(async () => {
  mock = startMock({ port: 0 });
  gateway = await startGatewayProcess({ upstreamUrl: mock.url, env: { STREAM_USAGE: 'inject', LOG_LEVEL: 'warn' } });
});
beforeEach(() => mock.reset());
afterAll(async () => {
  await gateway.stop();
  await mock.stop();
});

async function stream(body: string, path = '/v1/chat/completions') {
  sent++;
  const response = await fetch(gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}` },
    body,
  });
  const text = await response.text();
  const [record] = await gateway.waitForUsage(sent);
  return { text, record: record!, upstreamBody: mock.requests.at(-1)!.text };
}

/** The same answer straight from the mock, which sends usage only when the request asks for it. */
async function direct(body: string): Promise<string> {
  return (await fetch(`${mock.url}/chat/completions`, { method: 'POST', body })).text();
}

describe('with STREAM_USAGE=inject', () => {
  test.each([1, 5, 4096])(
    'the stream is equal to one without injection, split every %d bytes, and its usage is known',
    async (split) => {
      const body = `{"model":"m",  "stream":true, "temperature":1.0, "messages":[], "mock":{"text":"a b c d e f g","split":${split}}}`;
      const { text, record, upstreamBody } = await stream(body);
      expect(text).toBe(await direct(body));
      expect(upstreamBody).toBe(body.replace('{', '{"stream_options":{"include_usage":true},'));
      expect(record).toMatchObject({
        totalTokens: 16,
        usageSource: 'upstream',
        finish: 'complete',
        bytesOut: text.length,
      });
    },
  );

  test('a client that asked for usage gets it, and its request is not touched', async () => {
    const body =
      '{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[],"mock":{"text":"a b c"}}';
    const { text, record, upstreamBody } = await stream(body);
    expect([text, upstreamBody]).toEqual([await direct(body), body]);
    expect(text).toContain('"usage":{');
    expect(record.totalTokens).toBe(12);
  });

  test('cached and reasoning tokens are on record, of a stream and of an answer with a byte order mark', async () => {
    const usage = {
      prompt_tokens: 11,
      completion_tokens: '7',
      total_tokens: 18,
      prompt_tokens_details: { cached_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 0 },
    };
    const expected = {
      promptTokens: 11,
      cachedTokens: 5,
      completionTokens: 7,
      reasoningTokens: 0,
      totalTokens: 18,
      usageSource: 'upstream',
    };
    const streamed = await stream(
      JSON.stringify({ model: 'm', stream: true, messages: [], mock: { text: 'a', usage } }),
    );
    expect(streamed.record).toMatchObject(expected);
    const body = `\ufeff${JSON.stringify({ choices: [], usage })}`;
    const mocked = { body, headers: [['content-type', 'application/json']] };
    const plain = await stream(JSON.stringify({ model: 'm', messages: [], mock: mocked }));
    expect(plain.record).toMatchObject(expected);
  });

  test('a request that is not streamed, or of another API, is not touched', async () => {
    for (const [body, path] of [
      ['{"model":"m","messages":[]}', '/v1/chat/completions'],
      ['{"model":"m","stream":true,"input":"x"}', '/v1/responses'],
      ['{"model":"m","stream":true,"messages":[],"max_tokens":1}', '/v1/messages'],
    ] as const) {
      expect((await stream(body, path)).upstreamBody).toBe(body);
    }
  });

  test('a stream that breaks off inside an event ends with the error event behind the whole ones', async () => {
    const mockField = '"mock":{"text":"a b c d e","fault":{"kind":"reset","after_bytes":300}}';
    const body = `{"model":"m","stream":true,"messages":[],${mockField}}`;
    const { text, record } = await stream(body);
    expect(text).toMatch(/^(data: .+\n\n)+data: \{"error":.+"upstream_stream_interrupted"\}\}\n\n$/);
    // What was held back of the unfinished event never went to the client.
    expect(text.indexOf('data: {"error"')).toBeLessThan(300);
    for (const event of text.trimEnd().split('\n\n')) JSON.parse(event.slice('data: '.length));
    expect(record.finish).toBe('upstream_interrupted');
  });
});
