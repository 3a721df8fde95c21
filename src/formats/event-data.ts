/**
 * Looks into the JSON text of an event for single members, without parsing it: keys are compared byte by byte with their quotes,
 * which in JSON text can only be those of a key or of a whole string (inside a string a quote is escaped). Parsing is for the one
 * event of a stream that reports an error.
 */

const QUOTE = 0x22;
const COLON = 0x3a;
const LF = 0x0a;
const CR = 0x0d;
const BLANK_LF = Buffer.from('\n\n');
const BLANK_CRLF = Buffer.from('\r\n\r\n');
const BACKSLASH = 0x5c;
/** What may be told of a foreign error code: a name or a number, no text. */
const CODE_FORM = /^[A-Za-z0-9._:-]{1,64}$/;
/** An error event has some hundred bytes; parsing more would hold up other streams. */
const PARSED_BYTES_MAX = 16 * 1024;
const UNNAMED_ERROR = 'upstream_error';

const decoder = new TextDecoder();

// Buffer's search is native, takes a needle of several bytes and works on any Uint8Array.
export function find(bytes: Uint8Array, needle: Buffer, from: number): number {
  return Buffer.prototype.indexOf.call(bytes, needle, from);
}

/** The last one that begins at `from` or before. */
export function findLast(bytes: Uint8Array, needle: Buffer, from: number): number {
  return from < 0 ? -1 : Buffer.prototype.lastIndexOf.call(bytes, needle, from);
}

/** Where the value of the last member called `key` begins; -1 when there is none. */
export function lastValueOf(bytes: Uint8Array, key: Buffer): number {
  for (let at = findLast(bytes, key, bytes.length - key.length); at >= 0; at = findLast(bytes, key, at - 1)) {
    const value = valueBehind(bytes, at, key.length);
    if (value >= 0) return value;
  }
  return -1;
}

export function hasKey(bytes: Uint8Array, key: Buffer): boolean {
  return lastValueOf(bytes, key) >= 0;
}

/** Null, or the empty text that some providers send in its place. */
export function isVoid(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] === QUOTE) return bytes[at + 1] === QUOTE;
  return bytes[at] === 0x6e && bytes[at + 1] === 0x75 && bytes[at + 2] === 0x6c && bytes[at + 3] === 0x6c;
}

/** The whole number that begins at `at`; -1 when there is none. */
export function numberAt(bytes: Uint8Array, at: number): number {
  let value = -1;
  for (let next = at; isDigit(bytes[next]) && value < 1e12; next++) {
    value = Math.max(0, value) * 10 + (bytes[next] as number) - 0x30;
  }
  return value;
}

interface ErrorEvent {
  readonly object?: unknown;
  readonly error?: unknown;
  readonly response?: { readonly error?: unknown } | null;
  readonly last_error?: unknown;
}

/** The code of the error that `pick` finds in an event; null when it finds none. Never a text of upstream. */
export function errorCodeOf(data: Uint8Array | null, pick: (root: ErrorEvent) => unknown): string | null {
  if (data === null || data.length > PARSED_BYTES_MAX) return null;
  let error: unknown;
  try {
    error = pick(JSON.parse(decoder.decode(data)) as ErrorEvent);
  } catch {
    return null;
  }
  if (!error) return null;
  if (typeof error !== 'object') return UNNAMED_ERROR;
  const { code, type } = error as { code?: unknown; type?: unknown };
  for (const name of [code, type]) {
    const text = typeof name === 'number' ? String(name) : name;
    if (typeof text === 'string' && CODE_FORM.test(text)) return text;
  }
  return UNNAMED_ERROR;
}

/** @param key where it begins, and how long it is */
export function valueBehind(bytes: Uint8Array, key: number, length: number): number {
  // `\"usage"` ends a string with an escaped quote in it.
  if (bytes[key - 1] === BACKSLASH) return -1;
  const colon = skipSpace(bytes, key + length);
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1) : -1;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  // Not line ends: in an event stream another event may begin behind them.
  while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
  return at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** The end of the last blank line up to `end`, or `from`; a line that begins at `from` is no blank line's end. */
export function lastBlankLine(bytes: Uint8Array, from: number, end: number): number {
  if (bytes[end - 1] === LF && end - from >= 4) {
    if (bytes[end - 2] === LF) return end;
    if (bytes[end - 2] === CR && bytes[end - 3] === LF && bytes[end - 4] === CR) return end;
  }
  const lf = findLast(bytes, BLANK_LF, end - BLANK_LF.length);
  const crlf = findLast(bytes, BLANK_CRLF, end - BLANK_CRLF.length);
  return Math.max(from, lf < from ? from : lf + BLANK_LF.length, crlf < from ? from : crlf + BLANK_CRLF.length);
}

/** The first `key` that may have another value than null, or `end`. OpenAI sends `"usage":null` with each event but the last. */
export function keyWithValue(bytes: Uint8Array, key: Buffer, from: number, end: number): number {
  let at = find(bytes, key, from);
  while (at >= 0 && at < end) {
    if (!isVoid(bytes, valueBehind(bytes, at, key.length))) return at;
    at = find(bytes, key, at + key.length);
  }
  return end;
}
