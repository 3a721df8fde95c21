/** A scenario with a tool: the model calls it once, and answers its result with the text. */
import { expect, test } from 'bun:test';
import { eventsOf } from '../support/events.ts';
import { clientOf, mockServer } from './fixture.ts';

const TOOL = { name: 'get_weather', arguments: { city: 'Paris' } };
const ARGUMENTS = JSON.stringify(TOOL.arguments);
const mock = { tool: TOOL };

const APIS = [
  {
    path: '/v1/chat/completions',
    asked: { messages: [{ role: 'user', content: 'x' }] },
    answered: { messages: [{ role: 'tool', tool_call_id: 'call_mock', content: 'sunny' }] },
    whole: {
      choices: [{ finish_reason: 'tool_calls', message: { tool_calls: [{ function: { arguments: ARGUMENTS } }] } }],
    },
    piece: (data: never) => (data as Chunk).choices?.[0]?.delta.tool_calls?.[0]?.function.arguments,
  },
  {
    path: '/v1/responses',
    asked: { input: 'x' },
    answered: { input: [{ type: 'function_call_output', call_id: 'call_mock', output: 'sunny' }] },
    whole: { output: [{ type: 'function_call', name: TOOL.name, arguments: ARGUMENTS }] },
    piece: (data: never) => ((data as { type: string }).type.endsWith('arguments.delta') ? (data as Delta).delta : ''),
  },
  {
    path: '/v1/messages',
    asked: { messages: [{ role: 'user', content: 'x' }] },
    answered: { messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_mock' }] }] },
    whole: { stop_reason: 'tool_use', content: [{ type: 'tool_use', name: TOOL.name, input: TOOL.arguments }] },
    piece: (data: never) => (data as { delta?: { partial_json?: string } }).delta?.partial_json,
  },
] as const;

interface Chunk {
  readonly choices?: { delta: { tool_calls?: { function: { arguments: string } }[] } }[];
}

interface Delta {
  readonly delta: string;
}

for (const { path, asked, answered, whole, piece } of APIS) {
  test(`${path}: a tool call whole, in pieces, and its result answered`, async () => {
    const client = await clientOf(mockServer());
    expect((await client.post({ ...asked, mock }, path).answer()).json).toMatchObject(whole);
    const { text } = await client.post({ ...asked, mock, stream: true }, path).answer();
    const pieces = eventsOf(text)
      .filter(({ data }) => data !== '[DONE]')
      .map(({ data }) => piece(JSON.parse(data) as never) ?? '');
    expect(pieces.join('')).toBe(ARGUMENTS);
    const after = await client.post({ ...answered, mock }, path).answer();
    expect(after.text).toContain('every token of this answer');
  });
}

test('a tool without a name or with arguments that are no object is refused', async () => {
  const client = await clientOf(mockServer());
  const refused = async (tool: unknown) => (await client.post({ messages: [], mock: { tool } }).answer()).text;
  expect(await refused({ arguments: {} })).toContain('tool.name is missing');
  expect(await refused({ name: 'a', arguments: 7 })).toContain('tool.arguments takes an object');
});
