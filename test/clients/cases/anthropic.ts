/** `@anthropic-ai/sdk`. Its base URL is without /v1. */
import Anthropic from '@anthropic-ai/sdk';
import { type Access, type Case, collected, type Mock } from './case.ts';

const MODEL = 'claude-sonnet-4';
const WAIT_S = 2;
const body = { model: MODEL, max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hello' }] };

function client({ baseUrl, apiKey }: Access, options: object = {}): Anthropic {
  const baseURL = baseUrl.replace(/\/v1$/, '');
  return new Anthropic({ baseURL, apiKey, maxRetries: 0, dangerouslyAllowBrowser: true, ...options });
}

function withMock<T extends object>(fields: T, mock: Mock): T {
  return { ...fields, mock };
}

function failing(status: number, type: string, headers: readonly (readonly [string, string])[] = []): Mock {
  return { status, headers, json: { type: 'error', error: { type, message: `mock ${status}` } } };
}

export const anthropicCases: Readonly<Record<string, Case>> = {
  messages: (access) => client(access).messages.create(body),
  'messages, with a bearer token': (access) =>
    client(access, { apiKey: null, authToken: access.apiKey }).messages.create(body),
  'messages, streamed': async (access) => collected(await client(access).messages.create({ ...body, stream: true })),
  'messages, stream helper': async (access) => {
    const stream = client(access).messages.stream(body);
    let text = '';
    stream.on('text', (delta) => (text += delta));
    const { content, usage, stop_reason } = await stream.finalMessage();
    return [content, usage, stop_reason, text];
  },
  'messages, tool use': (access) =>
    client(access).messages.create({
      ...withMock(body, {
        json: {
          id: 'msg_1',
          type: 'message',
          role: 'assistant',
          model: MODEL,
          content: [{ type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Paris' } }],
          stop_reason: 'tool_use',
          stop_sequence: null,
          usage: { input_tokens: 1, output_tokens: 1 },
        },
      }),
      tools: [{ name: 'weather', input_schema: { type: 'object' } }],
    }),
  count_tokens: (access) => client(access).messages.countTokens({ model: MODEL, messages: body.messages }),
  'a stream cut in the middle of an event': async (access) =>
    collected(
      await client(access).messages.create({
        ...withMock(body, { text: 'one two three four', fault: { kind: 'reset', after_bytes: 500 } }),
        stream: true,
      }),
    ),
  'a stream that is left': async (access) => {
    const mock = { events: 10_000, pace_ms: 5 };
    const stream = await client(access).messages.create({ ...withMock(body, mock), stream: true });
    let seen = 0;
    for await (const _ of stream) if (++seen === 3) stream.controller.abort();
    // A busy client may have received more by then.
    return Math.min(seen, 3);
  },
  'an error inside a stream': async (access) =>
    collected(
      await client(access).messages.create({
        ...withMock(body, {
          content_type: 'text/event-stream',
          body: 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        }),
        stream: true,
      }),
    ),
  ...Object.fromEntries(
    (
      [
        [400, 'invalid_request_error'],
        [403, 'permission_error'],
        [404, 'not_found_error'],
        [413, 'request_too_large'],
        [429, 'rate_limit_error'],
      ] as const
    ).map(([status, type]) => [
      `status ${status}`,
      (access: Access) => client(access).messages.create(withMock(body, failing(status, type))),
    ]),
  ),
  [`429 with retry-after: ${WAIT_S}`]: (access) =>
    client(access, { maxRetries: 1 }).messages.create(
      withMock(body, failing(429, 'rate_limit_error', [['retry-after', String(WAIT_S)]])),
    ),
};
