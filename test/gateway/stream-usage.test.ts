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

  const brokenAt = (afterBytes: number) =>
    `{"model":"m","stream":true,"messages":[],"mock":{"text":"a b c d e","include_usage":true,"fault":{"kind":"reset","after_bytes":${afterBytes}}}}`;

  test('a stream that breaks off inside an event is reset there, as it is without injection', async () => {
    const requestId = crypto.randomUUID();
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.key}`, 'x-request-id': requestId },
      body: brokenAt(300),
    });
    await expect(response.text()).rejects.toThrow();
    const [record] = await gateway.waitForUsage(++sent);
    expect(record).toMatchObject({ requestId, finish: 'upstream_interrupted' });
  });

  test('a stream that breaks off inside the added event ends with the error event behind the others', async () => {
    const whole = await direct(brokenAt(0).replace(/,"fault":.*/, '}}'));
    const added = whole.indexOf('data: ', whole.indexOf('"finish_reason":"stop"'));
    const { text, record } = await stream(brokenAt(added + 100));
    expect(text.slice(0, added)).toBe(whole.slice(0, added));
    expect(text.slice(added)).toMatch(/^data: \{"error":.+"upstream_stream_interrupted"\}\}\n\n$/);
    expect(record).toMatchObject({ finish: 'upstream_interrupted', bytesOut: added });
  });
});
