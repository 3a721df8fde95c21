/** Completions in the form of Anthropic's POST /v1/messages. */
import { type Completion, PROMPT_TOKENS, tokenEvent } from '../completion.ts';
import type { EventList } from '../content.ts';
import type { ToolCall } from '../scenario.ts';

export function messagesEvents(of: Completion): EventList {
  const event = (type: string, rest: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
  const begun = {
    ...message(of),
    content: [],
    stop_reason: null,
    usage: of.usage ?? { input_tokens: PROMPT_TOKENS, output_tokens: 1 },
  };
  const delta = { stop_reason: of.tool ? 'tool_use' : 'end_turn', stop_sequence: null };
  const block = of.tool ? { ...toolUse(of.tool), input: {} } : { type: 'text', text: '' };
  return {
    prelude: [
      event('message_start', { message: begun }),
      event('content_block_start', { index: 0, content_block: block }),
      event('ping', {}),
    ],
    count: of.tokenCount,
    token: (i) => tokenEvent(of, i, DELTA, of.tool ? DELTA_INPUT : DELTA_TEXT, DELTA_END),
    epilogue: [
      event('content_block_stop', { index: 0 }),
      event('message_delta', { delta, usage: of.usage ?? { output_tokens: of.tokenCount } }),
      event('message_stop', {}),
    ],
  };
}

export function messagesJson(of: Completion): unknown {
  return {
    ...message(of),
    content: [of.tool ? toolUse(of.tool) : { type: 'text', text: of.text }],
    stop_reason: of.tool ? 'tool_use' : 'end_turn',
    usage: of.usage ?? { input_tokens: PROMPT_TOKENS, output_tokens: of.tokenCount },
  };
}

const DELTA = 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,';
const DELTA_TEXT = '"delta":{"type":"text_delta","text":"';
const DELTA_INPUT = '"delta":{"type":"input_json_delta","partial_json":"';
const DELTA_END = '"}}\n\n';

function toolUse(tool: ToolCall) {
  return { type: 'tool_use', id: 'toolu_mock', name: tool.name, input: tool.arguments };
}

function message(of: Completion) {
  return { id: 'msg_mock', type: 'message', role: 'assistant', model: of.model, stop_sequence: null };
}
