/** What the meter's tests share: bytes in reads of any size, and the answer in short. */
import { expect } from 'bun:test';
import { CHAT } from '../../src/formats/chat.ts';
import { MESSAGES } from '../../src/formats/messages.ts';
import { OPAQUE } from '../../src/formats/opaque.ts';
import { RESPONSES } from '../../src/formats/responses.ts';
import { type BodyKind, Meter, type Usage } from '../../src/gateway/meter.ts';

export const FORMATS = { chat: CHAT, responses: RESPONSES, messages: MESSAGES, opaque: OPAQUE };
export type FormatName = keyof typeof FORMATS;

const encoder = new TextEncoder();

export function metered(format: FormatName, kind: BodyKind, text: string | Uint8Array, size?: number): Meter {
  const bytes = typeof text === 'string' ? encoder.encode(text) : text;
  const meter = new Meter(FORMATS[format], kind);
  const step = size ?? Math.max(1, bytes.length);
  for (let at = 0; at < bytes.length; at += step) meter.push(bytes.subarray(at, at + step));
  return meter;
}

/** Usage as `prompt+completion=total`; fails unless it is the same for every size of read. */
export function usageOf(format: FormatName, kind: BodyKind, text: string): string | null {
  const whole = brief(metered(format, kind, text).close());
  for (const size of [1, 7, 64]) expect(brief(metered(format, kind, text, size).close())).toBe(whole);
  return whole;
}

export function brief(usage: Usage | null): string | null {
  return usage === null ? null : `${usage.promptTokens}+${usage.completionTokens}=${usage.totalTokens}`;
}

export function event(data: unknown): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}

export const CONTENT = event({ choices: [{ delta: { content: 'hi' } }] });
export const DONE = 'data: [DONE]\n\n';
/** Counts that no test may ever see counted. */
export const FAKE = { prompt_tokens: 999, completion_tokens: 999, input_tokens: 999, output_tokens: 999 };
