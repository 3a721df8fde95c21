/**
 * Asks upstream for a stream's usage on behalf of a client that did not (STREAM_USAGE=inject, contract section 6):
 * `stream_options.include_usage` becomes true and no other byte of the request changes: no key moves, no number is
 * written anew, unknown fields stay. The body is known to be a JSON object.
 */

interface Span {
  readonly from: number;
  readonly to: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

const decoder = new TextDecoder();

/** The body that asks for usage, or null when the client has asked itself (or has asked for something unheard of). */
export function withUsageRequested(body: Uint8Array): Uint8Array | null {
  const start = body.indexOf(OPEN_BRACE);
  const options = lastMember(body, start, 'stream_options');
  if (!options) return splice(body, { from: start + 1, to: start + 1 }, '"stream_options":{"include_usage":true},');
  const value = textOf(body, options);
  if (value === 'null') return splice(body, options, '{"include_usage":true}');
  // Neither an object nor null: upstream is the one to refuse it.
  if (body[options.from] !== OPEN_BRACE) return null;
  const include = lastMember(body, options.from, 'include_usage');
  if (include) return textOf(body, include) === 'true' ? null : splice(body, include, 'true');
  const empty = body[skipBlanks(body, options.from + 1)] === CLOSE_BRACE;
  return splice(body, { from: options.from + 1, to: options.from + 1 }, `"include_usage":true${empty ? '' : ','}`);
}

/** The value of a member of the object that starts at `open`; the last one of that name, because parsers take that. */
function lastMember(body: Uint8Array, open: number, name: string): Span | null {
  let found: Span | null = null;
  let at = skipBlanks(body, open + 1);
  while (at < body.length && body[at] !== CLOSE_BRACE) {
    const keyEnd = endOfString(body, at);
    const key = keyText(body, at, keyEnd);
    const from = skipBlanks(body, skipPast(body, keyEnd, COLON));
    const to = endOfValue(body, from);
    if (key === name) found = { from, to };
    at = skipPast(body, to, COMMA);
  }
  return found;
}

function keyText(body: Uint8Array, from: number, to: number): string {
  // Names may be spelled with escapes; JSON.parse knows them all.
  return JSON.parse(decoder.decode(body.subarray(from, to))) as string;
}

function textOf(body: Uint8Array, { from, to }: Span): string {
  return decoder.decode(body.subarray(from, to));
}

/** @param from at the opening quote; @returns behind the closing one */
function endOfString(body: Uint8Array, from: number): number {
  let at = from + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

function endOfValue(body: Uint8Array, from: number): number {
  let depth = 0;
  let at = from;
  while (at < body.length) {
    const byte = body[at]!;
    if (byte === QUOTE) {
      at = endOfString(body, at);
      if (depth === 0) return at;
      continue;
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      // The end of the object around a number, true, false or null.
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (byte === COMMA || isBlank(byte))) return at;
    at++;
  }
  return at;
}

function skipPast(body: Uint8Array, from: number, mark: number): number {
  const at = skipBlanks(body, from);
  return body[at] === mark ? skipBlanks(body, at + 1) : at;
}

function skipBlanks(body: Uint8Array, from: number): number {
  let at = from;
  while (at < body.length && isBlank(body[at]!)) at++;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function splice(body: Uint8Array, { from, to }: Span, text: string): Uint8Array {
  return Buffer.concat([body.subarray(0, from), Buffer.from(text), body.subarray(to)]);
}
