/**
 * The head of an HTTP/1.x response: strict, because whatever two parsers read differently can be used to smuggle one
 * response into another. What is refused here ends the exchange and the connection (RFC 9112, sections 2.2, 4, 5, 6).
 */
import type { ResponseHeaders } from './client.ts';

/** The answer is not valid HTTP/1.1; the connection that carried it must not be used again. */
export class Http1Error extends Error {}

type BodyFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** Everything until the connection closes. */
  | { readonly kind: 'close' };

export interface ResponseHead {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly framing: BodyFraming;
  /** Whether the connection may be used again after this response. */
  readonly keepAlive: boolean;
  /** How long the peer keeps the connection without a request, when it says so. */
  readonly idleTimeoutMs: number | null;
}

/** A gateway's upstream sends some dozens. */
const HEADER_COUNT_MAX = 200;
/**
 * The whole of a valid head. Status codes end at 599 (RFC 9110, section 15), and Response takes no other. A name is a token:
 * one that starts with a space would be obs-fold, one that ends with a space is "space before the colon". Values hold visible
 * characters, spaces, tabs, obs-text; no NUL, CR, LF or other controls (RFC 9110, section 5.5).
 *
 * One expression for all of it: native code from end to end, where one per field took two thirds of this file's time.
 */
const HEAD =
  /^HTTP\/1\.[01] [1-5]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*$/;
/**
 * Empty elements of a list mean nothing (RFC 9110, section 5.6.1.2). Behind the coding they are refused: a parser that looks at
 * the last element only would read another body (llhttp does).
 */
const CHUNKED = /^[\t ,]*chunked$/i;
/** Up to what a number holds exactly. */
const LENGTH = /^0*\d{1,15}$/;
const IDLE_TIMEOUT = /\btimeout=(\d{1,9})\b/i;
/** Where in a valid head the minor version and the status stand. */
const MINOR_VERSION_AT = 'HTTP/1.'.length;
const STATUS_AT = 'HTTP/1.1 '.length;
/** How many numbers `Fields` keeps of each field. */
const MARKS = 4;
const COLON = 0x3a;

/**
 * The fields of a head that is known to be valid. A value is cut out of the text only when it is asked for. One pass marks
 * where each field is: searching the text for each of the dozen names took a third more, and a copy in lower case.
 */
class Fields implements ResponseHeaders {
  readonly #text: string;
  /** Of each field: where its name begins and ends, where its value begins and ends without the blanks around it. */
  readonly #marks: number[] = [];

  /** @param text each field preceded by CRLF, and before the first of them anything without one */
  constructor(text: string) {
    this.#text = text;
    for (let line = text.indexOf('\r\n'); line !== -1; ) {
      const start = line + 2;
      line = text.indexOf('\r\n', start);
      this.#mark(start, line === -1 ? text.length : line);
    }
  }

  get count(): number {
    return this.#marks.length / MARKS;
  }

  get(name: string): string | null {
    const text = this.#text;
    const marks = this.#marks;
    let found: string | null = null;
    for (let at = 0; at < marks.length; at += MARKS) {
      const start = marks[at]!;
      if (marks[at + 1]! - start !== name.length || !isNamed(text, start, name)) continue;
      const value = text.slice(marks[at + 2], marks[at + 3]);
      found = found === null ? value : `${found}, ${value}`;
    }
    return found;
  }

  keys(): string[] {
    const names = new Set<string>();
    for (let at = 0; at < this.#marks.length; at += MARKS) {
      names.add(this.#text.slice(this.#marks[at], this.#marks[at + 1]).toLowerCase());
    }
    return [...names];
  }

  #mark(start: number, end: number): void {
    const text = this.#text;
    let colon = start;
    while (text.charCodeAt(colon) !== COLON) colon++;
    const from = behindBlanks(text, colon + 1, end);
    this.#marks.push(start, colon, from, beforeBlanks(text, from, end));
  }
}

/**
 * @param text the head in Latin-1, without the empty line that ends it
 * @param bodiless the request was a HEAD: the framing describes a body that does not come
 * @throws Http1Error
 */
export function parseHead(text: string, bodiless = false): ResponseHead {
  if (!HEAD.test(text)) throw new Http1Error('invalid response head');
  const fields = new Fields(text);
  if (fields.count > HEADER_COUNT_MAX) throw new Http1Error('too many header fields');
  const http11 = text[MINOR_VERSION_AT] === '1';
  const status = Number(text.slice(STATUS_AT, STATUS_AT + 3));
  const framing = framingOf(status, fields, http11, bodiless);
  const keepAlive = framing.kind !== 'close' && keepsAlive(fields, http11) && !announcesMissingBody(status, fields);
  return { status, headers: fields, framing, keepAlive, idleTimeoutMs: keepAlive ? idleTimeoutOf(fields) : null };
}

/** A 204 or 304 has no body whatever its fields say. A server that announces one may send it all the same. */
function announcesMissingBody(status: number, fields: ResponseHeaders): boolean {
  if (status !== 204 && status !== 304) return false;
  return fields.get('transfer-encoding') !== null || /[1-9]/.test(fields.get('content-length') ?? '');
}

/** `Keep-Alive: timeout=5`, as Node's servers and others send it. */
function idleTimeoutOf(fields: ResponseHeaders): number | null {
  const seconds = fields.get('keep-alive')?.match(IDLE_TIMEOUT)?.[1];
  return seconds === undefined ? null : Number(seconds) * 1000;
}

/** RFC 9112, section 6.3; where it lets a recipient choose between repairing and refusing, this refuses. */
function framingOf(status: number, fields: ResponseHeaders, http11: boolean, bodiless: boolean): BodyFraming {
  const length = fields.get('content-length');
  const encoding = fields.get('transfer-encoding');
  if (encoding !== null) {
    if (length !== null) throw new Http1Error('both content-length and transfer-encoding');
    if (!http11) throw new Http1Error('transfer-encoding in an HTTP/1.0 response');
    if (!CHUNKED.test(encoding)) throw new Http1Error('unknown transfer-encoding');
  }
  const bytes = length === null ? null : parseLength(length);
  if (bodiless || status < 200 || status === 204 || status === 304) return { kind: 'none' };
  if (encoding !== null) return { kind: 'chunked' };
  return bytes === null ? { kind: 'close' } : { kind: 'length', bytes };
}

/** Equal values that were repeated are one value; differing ones are refused. Leading zeros mean nothing. */
function parseLength(value: string): number {
  const values = value.split(',').map(trimBlanks);
  const [digits] = values;
  if (values.some((other) => other !== digits) || !LENGTH.test(digits!)) throw new Http1Error('invalid content-length');
  return Number(digits);
}

/** RFC 9112, section 9.3. */
function keepsAlive(fields: ResponseHeaders, http11: boolean): boolean {
  const connection = fields.get('connection')?.toLowerCase();
  if (connection === undefined) return http11;
  const options = connection.split(',').map(trimBlanks);
  return !options.includes('close') && (http11 || options.includes('keep-alive'));
}

function trimBlanks(text: string): string {
  const start = behindBlanks(text, 0, text.length);
  return text.slice(start, beforeBlanks(text, start, text.length));
}

/** Where what is between `from` and `to` begins without the blanks in front of it: `to` when it is nothing else. */
function behindBlanks(text: string, from: number, to: number): number {
  let at = from;
  while (at < to && isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** Where it ends without the blanks behind it. */
function beforeBlanks(text: string, from: number, to: number): number {
  let at = to;
  while (at > from && isBlank(text.charCodeAt(at - 1))) at--;
  return at;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/**
 * @param start of a name in the text that is as long
 * @param name letters in lower case, digits and hyphens: of the characters that a name may have (RFC 9110, section 5.6.2),
 *   only the two cases of a letter are the same with bit 5 set
 */
function isNamed(text: string, start: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    if ((text.charCodeAt(start + at) | 0x20) !== name.charCodeAt(at)) return false;
  }
  return true;
}
