/** Completions in the form of POST /v1/chat/completions. */
import { type Completion, CREATED_S, PROMPT_TOKENS, tokenEvent } from '../completion.ts';
import type { EventList } from '../content.ts';

const ID = 'chatcmpl-mock';
const CALL_ID = 'call_mock';

export function chatEvents(of: Completion): EventList {
  const start = { id: of.id ?? ID, object: 'chat.completion.chunk', created: CREATED_S, model: of.model };
  const before = `data: ${JSON.stringify(start).slice(0, -1)},`;
  const chunk = (choices: unknown[], rest = {}) => `data: ${JSON.stringify({ ...start, choices, ...rest })}\n\n`;
  const delta = (content: object, finish: string | null) =>
    chunk([{ index: 0, delta: content, finish_reason: finish }]);
  if (of.tool) {
    const call = { index: 0, id: CALL_ID, type: 'function', function: { name: of.tool.name, arguments: '' } };
    return {
      prelude: [delta({ role: 'assistant', content: null, tool_calls: [call] }, null)],
      count: of.tokenCount,
      token: (i) => delta({ tool_calls: [{ index: 0, function: { arguments: of.token(i) } }] }, null),
      epilogue: [
        delta({}, 'tool_calls'),
        ...(of.includeUsage ? [chunk([], { usage: chatUsage(of) })] : []),
        'data: [DONE]\n\n',
      ],
    };
  }
  // Numbered streams are for counting: token events only, so that the position is the number.
  const plain = !of.numbered;
  return {
    prelude: plain ? [delta({ role: 'assistant', content: '' }, null)] : [],
    count: of.tokenCount,
    token: (i) => tokenEvent(of, i, before, CHOICE, CHOICE_END),
    epilogue: [
      ...(plain ? [delta({}, 'stop')] : []),
      ...(of.includeUsage ? [chunk([], { usage: chatUsage(of) })] : []),
      'data: [DONE]\n\n',
    ],
  };
}

export function chatJson(of: Completion): unknown {
  const call = of.tool && { id: CALL_ID, type: 'function', function: { name: of.tool.name, arguments: of.text } };
  const message = call
    ? { role: 'assistant', content: null, tool_calls: [call] }
    : { role: 'assistant', content: of.text };
  return {
    id: of.id ?? ID,
    object: 'chat.completion',
    created: CREATED_S,
    model: of.model,
    choices: [{ index: 0, message, finish_reason: call ? 'tool_calls' : 'stop' }],
    usage: chatUsage(of),
  };
}

const CHOICE = '"choices":[{"index":0,"delta":{"content":"';
const CHOICE_END = '"},"finish_reason":null}]}\n\n';

function chatUsage(of: Completion): unknown {
  if (of.usage !== undefined) return of.usage;
  const completion = of.tokenCount;
  return { prompt_tokens: PROMPT_TOKENS, completion_tokens: completion, total_tokens: PROMPT_TOKENS + completion };
}
