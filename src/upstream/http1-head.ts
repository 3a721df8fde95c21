/**
 * The head of an HTTP/1.x response: strict, because whatever two parsers read differently can be used to smuggle one
 * response into another. What is refused here ends the exchange and the connection (RFC 9112, sections 2.2, 4, 5, 6).
 */
import type { ResponseHeaders } from './client.ts';

/** The answer is not valid HTTP/1.1; the connection that carried it must not be used again. */
export class Http1Error extends Error {}

export type BodyFraming =
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
/** Where in a valid head the minor version and the status stand. */
const MINOR_VERSION_AT = 'HTTP/1.'.length;
const STATUS_AT = 'HTTP/1.1 '.length;
/** CRLF, a name of one character, a colon: shorter heads need not be counted. */
const FIELD_LENGTH_MIN = 4;

/** The fields of a head that is known to be valid; what nobody asks for is never taken out of it. */
class Fields implements ResponseHeaders {
  readonly #text: string;
  /** The same length as the text: lower case moves no character of Latin-1. */
  readonly #lower: string;

  /** @param text each field preceded by CRLF, and before the first of them anything without one */
  constructor(text: string) {
    this.#text = text;
    this.#lower = text.toLowerCase();
  }

  get count(): number {
    let count = 0;
    for (let at = this.#text.indexOf('\r\n'); at !== -1; at = this.#text.indexOf('\r\n', at + 2)) count++;
    return count;
  }

  get(name: string): string | null {
    const start = startOf(name);
    let at = this.#lower.indexOf(start);
    if (at === -1) return null;
    let found = this.#value(at + start.length);
    for (at = this.#lower.indexOf(start, at + 1); at !== -1; at = this.#lower.indexOf(start, at + 1))
      found = `${found}, ${this.#value(at + start.length)}`;
    return found;
  }

  /** Without the blanks around it. They are looked for before it is cut out, because a text that was cut is slow to look into. */
  #value(from: number): string {
    const text = this.#text;
    const lineEnd = text.indexOf('\r\n', from);
    let start = from;
    let end = lineEnd === -1 ? text.length : lineEnd;
    while (start < end && isBlank(text.charCodeAt(start))) start++;
    while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
    return text.slice(start, end);
  }
}

/** By name: made for each look-up they took half of its time. Only names that are written in this program are ever asked for. */
const STARTS = new Map<string, string>();

function startOf(name: string): string {
  const known = STARTS.get(name);
  if (known !== undefined) return known;
  const start = `\r\n${name}:`;
  STARTS.set(name, start);
  return start;
}

/**
 * @param text the head in Latin-1, without the empty line that ends it
 * @param bodiless the request was a HEAD: the framing describes a body that does not come
 * @throws Http1Error
 */
export function parseHead(text: string, bodiless = false): ResponseHead {
  if (!HEAD.test(text)) throw new Http1Error('invalid response head');
  const fields = new Fields(text);
  if (text.length > HEADER_COUNT_MAX * FIELD_LENGTH_MIN && fields.count > HEADER_COUNT_MAX)
    throw new Http1Error('too many header fields');
  const http11 = text[MINOR_VERSION_AT] === '1';
  const status = Number(text.slice(STATUS_AT, STATUS_AT + 3));
  const framing = framingOf(status, fields, http11, bodiless);
  return { status, headers: fields, framing, keepAlive: framing.kind !== 'close' && keepsAlive(fields, http11) };
}

/** RFC 9112, section 6.3; where it lets a recipient choose between repairing and refusing, this refuses. */
function framingOf(status: number, fields: ResponseHeaders, http11: boolean, bodiless: boolean): BodyFraming {
  const length = fields.get('content-length');
  const encoding = fields.get('transfer-encoding');
  if (encoding !== null) {
    if (length !== null) throw new Http1Error('both content-length and transfer-encoding');
    if (!http11) throw new Http1Error('transfer-encoding in an HTTP/1.0 response');
    if (encoding.toLowerCase() !== 'chunked') throw new Http1Error('unknown transfer-encoding');
  }
  const bytes = length === null ? null : parseLength(length);
  if (bodiless || status < 200 || status === 204 || status === 304) return { kind: 'none' };
  if (encoding !== null) return { kind: 'chunked' };
  return bytes === null ? { kind: 'close' } : { kind: 'length', bytes };
}

/** Equal values that were repeated are one value; differing ones are refused. */
function parseLength(value: string): number {
  const values = value.split(',').map(trimBlanks);
  if (values.some((other) => other !== values[0]) || !/^\d{1,15}$/.test(values[0]!)) {
    throw new Http1Error('invalid content-length');
  }
  return Number(values[0]);
}

/** RFC 9112, section 9.3. */
function keepsAlive(fields: ResponseHeaders, http11: boolean): boolean {
  const connection = fields.get('connection')?.toLowerCase();
  if (connection === undefined) return http11;
  const options = connection.split(',').map(trimBlanks);
  return !options.includes('close') && (http11 || options.includes('keep-alive'));
}

function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
