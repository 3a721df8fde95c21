/** Completions in the form of POST /v1/responses. */
import { type Completion, CREATED_S, PROMPT_TOKENS, tokenEvent } from '../completion.ts';
import type { EventList } from '../content.ts';
import type { ToolCall } from '../scenario.ts';

const ITEM_ID = 'msg_mock';
const CALL_ITEM_ID = 'fc_mock';

export function responsesEvents(of: Completion): EventList {
  if (of.tool) return callEvents(of, of.tool);
  const part = { item_id: ITEM_ID, output_index: 0, content_index: 0 };
  const begun = { response: response(of, 'in_progress', []) };
  const prelude = [
    event('response.created', 0, begun),
    event('response.in_progress', 1, begun),
    event('response.output_item.added', 2, { output_index: 0, item: item('in_progress', []) }),
    event('response.content_part.added', 3, { ...part, part: outputText('') }),
  ];
  const last = prelude.length + of.tokenCount;
  const done = { item: item('completed', [outputText(of.text)]) };
  return {
    prelude,
    count: of.tokenCount,
    token: (i) => tokenEvent(of, i, `${DELTA}${prelude.length + i},`, DELTA_TEXT, DELTA_END),
    epilogue: [
      event('response.output_text.done', last, { ...part, text: of.text, logprobs: [] }),
      event('response.content_part.done', last + 1, { ...part, part: outputText(of.text) }),
      event('response.output_item.done', last + 2, { output_index: 0, ...done }),
      event('response.completed', last + 3, { response: response(of, 'completed', [done.item]) }),
    ],
  };
}

export function responsesJson(of: Completion): unknown {
  return response(of, 'completed', [
    of.tool ? functionCall(of.tool, 'completed', of.text) : item('completed', [outputText(of.text)]),
  ]);
}

function callEvents(of: Completion, tool: ToolCall): EventList {
  const begun = { response: response(of, 'in_progress', []) };
  const part = { item_id: CALL_ITEM_ID, output_index: 0 };
  const done = functionCall(tool, 'completed', of.text);
  const first = 3;
  const last = first + of.tokenCount;
  return {
    prelude: [
      event('response.created', 0, begun),
      event('response.in_progress', 1, begun),
      event('response.output_item.added', 2, { output_index: 0, item: functionCall(tool, 'in_progress', '') }),
    ],
    count: of.tokenCount,
    token: (i) => event('response.function_call_arguments.delta', first + i, { ...part, delta: of.token(i) }),
    epilogue: [
      event('response.function_call_arguments.done', last, { ...part, name: tool.name, arguments: of.text }),
      event('response.output_item.done', last + 1, { output_index: 0, item: done }),
      event('response.completed', last + 2, { response: response(of, 'completed', [done]) }),
    ],
  };
}

const DELTA = 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":';
const DELTA_TEXT = `"item_id":"${ITEM_ID}","output_index":0,"content_index":0,"logprobs":[],"delta":"`;
const DELTA_END = '"}\n\n';

function event(type: string, sequence: number, rest: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence, ...rest })}\n\n`;
}

function response(of: Completion, status: string, output: unknown[]): unknown {
  const usage = status === 'completed' ? responsesUsage(of) : null;
  return {
    id: of.id ?? 'resp_mock',
    object: 'response',
    created_at: CREATED_S,
    status,
    model: of.model,
    output,
    usage,
  };
}

function responsesUsage(of: Completion): unknown {
  if (of.usage !== undefined) return of.usage;
  const tokens = { input_tokens: PROMPT_TOKENS, output_tokens: of.tokenCount };
  return { ...tokens, total_tokens: PROMPT_TOKENS + of.tokenCount };
}

function item(status: string, content: unknown[]): unknown {
  return { id: ITEM_ID, type: 'message', status, role: 'assistant', content };
}

function functionCall(tool: ToolCall, status: string, args: string): unknown {
  return { id: CALL_ITEM_ID, type: 'function_call', call_id: 'call_mock', name: tool.name, arguments: args, status };
}

function outputText(text: string): unknown {
  return { type: 'output_text', annotations: [], logprobs: [], text };
}
