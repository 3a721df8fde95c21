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
/** Status codes end at 599 (RFC 9110, section 15), and Response takes no other. */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Field values: visible characters, spaces, tabs, obs-text; no NUL, CR, LF or other controls (RFC 9110, section 5.5). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

class FieldList implements ResponseHeaders {
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  add(name: string, value: string): void {
    this.#names.push(name);
    this.#values.push(value);
  }

  get(name: string): string | null {
    let found: string | null = null;
    for (let i = 0; i < this.#names.length; i++) {
      if (this.#names[i] === name) found = found === null ? this.#values[i]! : `${found}, ${this.#values[i]!}`;
    }
    return found;
  }
}

/**
 * @param text the head in Latin-1, without the empty line that ends it
 * @param bodiless the request was a HEAD: the framing describes a body that does not come
 * @throws Http1Error
 */
export function parseHead(text: string, bodiless = false): ResponseHead {
  const lines = text.split('\r\n');
  const statusLine = STATUS_LINE.exec(lines[0]!);
  if (!statusLine) throw new Http1Error('invalid status line');
  if (lines.length - 1 > HEADER_COUNT_MAX) throw new Http1Error('too many header fields');
  const fields = new FieldList();
  for (let i = 1; i < lines.length; i++) addField(fields, lines[i]!);
  const http11 = statusLine[1] === '1';
  const status = Number(statusLine[2]);
  const framing = framingOf(status, fields, http11, bodiless);
  return { status, headers: fields, framing, keepAlive: framing.kind !== 'close' && keepsAlive(fields, http11) };
}

function addField(fields: FieldList, line: string): void {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  // A name that starts with a space is obs-fold, one that ends with a space is "space before the colon": neither is a token.
  if (colon < 1 || !FIELD_NAME.test(name)) throw new Http1Error('invalid header field name');
  const value = line.slice(colon + 1);
  if (!FIELD_VALUE.test(value)) throw new Http1Error(`invalid value of header field ${name.toLowerCase()}`);
  fields.add(name.toLowerCase(), trimBlanks(value));
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
  const connection = fields.get('connection')?.toLowerCase() ?? '';
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
