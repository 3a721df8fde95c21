/** A generated completion, independent of the API that returns it. */
import { monotonicNs } from './clock.ts';
import type { Scenario, ToolCall } from './scenario.ts';

/** Fixed, so that answers can be compared and usage checked without counting words. */
export const PROMPT_TOKENS = 9;
export const CREATED_S = 1_716_288_000;
const DEFAULT_MODEL = 'gpt-4o';
const DEFAULT_TEXT = 'Hello 👋 from the mock upstream: every token of this answer arrives as an event of its own.';

export interface Completion {
  /** Of a stored completion; all others share one id. */
  readonly id?: string;
  readonly model: string;
  readonly tokenCount: number;
  /** The text of one token; positions start at 0. */
  token(position: number): string;
  /** The text of all tokens. */
  readonly text: string;
  /** Token events carry their number and the time they were created. */
  readonly numbered: boolean;
  /** Token events are padded to this size. */
  readonly eventBytes: number;
  readonly includeUsage: boolean;
  /** Instead of the text: tokens are then pieces of its arguments. */
  readonly tool: ToolCall | null;
  /** Replaces the API's own usage object unless undefined. */
  readonly usage: unknown;
}

/** @param asked the fields of the request's body */
export function completionFor(asked: Readonly<Record<string, unknown>>, scenario: Scenario): Completion {
  const shared = {
    model: typeof asked.model === 'string' ? asked.model : DEFAULT_MODEL,
    includeUsage: scenario.include_usage ?? fieldsOf(asked.stream_options).include_usage === true,
    usage: scenario.usage,
    eventBytes: scenario.event_bytes ?? 0,
    tool: null,
  };
  if (scenario.tool && !bringsResult(asked)) {
    const text = JSON.stringify(scenario.tool.arguments);
    const tokens = text.match(/.{1,8}/gsu) ?? [];
    const tokenCount = tokens.length;
    return { ...shared, tool: scenario.tool, tokenCount, token: (i) => tokens[i]!, text, numbered: false };
  }
  if (scenario.events !== undefined) {
    const tokenCount = scenario.events;
    // The whole text is only sent without a stream, where this much is enough.
    const text = TOKEN.repeat(Math.min(tokenCount, 100_000));
    return { ...shared, tokenCount, token: () => TOKEN, text, numbered: true };
  }
  const text = scenario.text ?? DEFAULT_TEXT;
  const tokens = text.match(/\s*\S+|\s+$/g) ?? [];
  return { ...shared, tokenCount: tokens.length, token: (i) => tokens[i]!, text, numbered: false };
}

/** Whether the last message (or item of a Responses request) is the result of a tool. */
function bringsResult({ messages, input }: Readonly<Record<string, unknown>>): boolean {
  const list = messages ?? input;
  const { role, type, content } = fieldsOf(Array.isArray(list) ? list.at(-1) : undefined);
  const parts: unknown[] = Array.isArray(content) ? content : [];
  return (
    role === 'tool' || type === 'function_call_output' || parts.some((part) => fieldsOf(part).type === 'tool_result')
  );
}

/**
 * One token event: `before`, number and time if wanted, `middle`, the token (padded), `after`. The JSON is concatenated by
 * hand because this runs once per event of a load test.
 */
export function tokenEvent(of: Completion, position: number, before: string, middle: string, after: string): string {
  const token = JSON.stringify(of.token(position)).slice(1, -1);
  const number = of.numbered ? `"i":${position},"t":${monotonicNs()},` : '';
  const start = before + number + middle + token;
  if (of.eventBytes === 0) return start + after;
  const missingBytes = of.eventBytes - Buffer.byteLength(start) - after.length;
  return missingBytes > 0 ? start + 'x'.repeat(missingBytes) + after : start + after;
}

/** The fields of an object; none for any other value. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

const TOKEN = 'tok';
