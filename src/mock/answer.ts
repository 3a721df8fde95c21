/** The answer to one request, before it is written as HTTP. */
import { binaryBody } from './binary.ts';
import type { Content, EventList } from './content.ts';
import type { Header } from './framing.ts';
import type { RecordedPace } from './timing.ts';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly content: Content;
  readonly headers?: readonly Header[];
  /** When to send its events; undefined unless that was recorded. */
  readonly pace?: RecordedPace;
}

export function json(value: unknown, status = 200): Answer {
  return { status, contentType: 'application/json', content: Buffer.from(JSON.stringify(value)) };
}

export function bytes(content: Uint8Array, contentType: string): Answer {
  return { status: 200, contentType, content };
}

export function binary(totalBytes: number, contentType: string): Answer {
  return { status: 200, contentType, content: binaryBody(totalBytes) };
}

export function stream(content: EventList): Answer {
  return { status: 200, contentType: 'text/event-stream', content };
}

/** A download with a file name. */
export function attachment(answer: Answer, fileName: string): Answer {
  const name = fileName.replace(/[^\x20-\x7e]|["\\]/g, '_');
  return { ...answer, headers: [['content-disposition', `attachment; filename="${name}"`]] };
}

export function errorAnswer(status: number, message: string, code: string | null = null, path = ''): Answer {
  return json(errorBody(status, message, code, path), status);
}

/** The OpenAI error envelope; Anthropic's on the paths of its API. */
export function errorBody(status: number, message: string, code: string | null, path: string): unknown {
  if (/^\/(v1\/)?messages\b/.test(path)) {
    return { type: 'error', error: { type: ANTHROPIC_TYPES[status] ?? 'api_error', message } };
  }
  const type = TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'server_error');
  return { error: { message, type, param: null, code } };
}

const TYPES: Readonly<Record<number, string>> = { 429: 'rate_limit_error' };
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};
