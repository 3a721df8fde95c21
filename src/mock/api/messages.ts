/** Completions in the form of Anthropic's POST /v1/messages. */
import { type Completion, PROMPT_TOKENS, tokenEvent } from '../completion.ts';
import type { EventList } from '../content.ts';

export function messagesEvents(of: Completion): EventList {
  const event = (type: string, rest: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
  const begun = {
    ...message(of),
    content: [],
    stop_reason: null,
    usage: of.usage ?? { input_tokens: PROMPT_TOKENS, output_tokens: 1 },
  };
  const delta = { stop_reason: 'end_turn', stop_sequence: null };
  return {
    prelude: [
      event('message_start', { message: begun }),
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      event('ping', {}),
    ],
    count: of.tokenCount,
    token: (i) => tokenEvent(of, i, DELTA, DELTA_TEXT, DELTA_END),
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
    content: [{ type: 'text', text: of.text }],
    stop_reason: 'end_turn',
    usage: of.usage ?? { input_tokens: PROMPT_TOKENS, output_tokens: of.tokenCount },
  };
}

const DELTA = 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,';
const DELTA_TEXT = '"delta":{"type":"text_delta","text":"';
const DELTA_END = '"}}\n\n';

function message(of: Completion) {
  return { id: 'msg_mock', type: 'message', role: 'assistant', model: of.model, stop_sequence: null };
}
