/**
 * Reads HTTP/1.1 requests off one connection: keep-alive, Content-Length and chunked bodies, everything bounded.
 *
 * `push` takes bytes, `next` returns the next request; what follows stays unread until then, so that pipelined requests are
 * answered one after the other.
 */
import { headerOf, type RequestHead } from './received-request.ts';

const HEAD_BYTES_MAX = 65_536;
const BODY_BYTES_MAX = 256 * 1_048_576;
const CHUNK_LINE_BYTES_MAX = 1_024;

/** The request cannot be read; the connection must be closed after the answer. */
export class BadRequest extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export interface WholeRequest {
  readonly head: RequestHead;
  readonly body: Uint8Array;
}

export class RequestReader {
  #unread: Buffer = EMPTY;
  #head: RequestHead | undefined;
  /** Bytes of the body still to come; undefined: chunked. */
  #missingBytes: number | undefined = 0;
  #chunk: 'size' | 'data' | 'data_end' | 'trailers' = 'size';
  #chunkBytes = 0;
  #body: Uint8Array[] = [];
  #bodyBytes = 0;
  #trailerBytes = 0;

  /** @param continueBody called when the client waits for permission to send its body */
  constructor(readonly continueBody: () => void) {}

  /** Takes what was read from the socket; the bytes are copied or consumed before the next call returns. */
  push(bytes: Uint8Array): void {
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#unread = this.#unread.length === 0 ? view : Buffer.concat([this.#unread, view]);
  }

  get unreadBytes(): number {
    return this.#unread.length;
  }

  /** The next whole request, or undefined until more bytes come. @throws BadRequest */
  next(): WholeRequest | undefined {
    if (!this.#head && !this.#readHead()) return undefined;
    const whole = this.#missingBytes === undefined ? this.#readChunks() : this.#readLength();
    if (!whole) return undefined;
    const request = { head: this.#head!, body: this.#takeBody() };
    this.#head = undefined;
    return request;
  }

  #readHead(): boolean {
    // A robust server skips an empty line before a request (RFC 9112, 2.2).
    let start = 0;
    while (this.#unread[start] === CR || this.#unread[start] === LF) start++;
    const end = this.#unread.indexOf('\r\n\r\n', start, 'latin1');
    if (end - start > HEAD_BYTES_MAX || (end < 0 && this.#unread.length > HEAD_BYTES_MAX)) {
      throw new BadRequest(431, 'request head is too large');
    }
    if (end < 0) return false;
    const head = parseHead(this.#unread.toString('latin1', start, end));
    this.#unread = this.#unread.subarray(end + 4);
    this.#head = head;
    this.#missingBytes = bodyLengthOf(head);
    this.#chunk = 'size';
    const waits = headerOf(head, 'expect')?.toLowerCase() === '100-continue';
    if (waits && this.#missingBytes !== 0 && this.#unread.length === 0) this.continueBody();
    return true;
  }

  #readLength(): boolean {
    const take = Math.min(this.#missingBytes!, this.#unread.length);
    if (take > 0) this.#keep(take);
    this.#missingBytes! -= take;
    return this.#missingBytes === 0;
  }

  #readChunks(): boolean {
    while (true) {
      if (this.#chunk === 'data') {
        const take = Math.min(this.#chunkBytes, this.#unread.length);
        if (take > 0) this.#keep(take);
        this.#chunkBytes -= take;
        if (this.#chunkBytes > 0) return false;
        this.#chunk = 'data_end';
      }
      const line = this.#readLine();
      if (line === undefined) return false;
      if (this.#chunk === 'data_end') {
        if (line !== '') throw new BadRequest(400, 'chunk is longer than its size');
        this.#chunk = 'size';
      } else if (this.#chunk === 'size') {
        this.#chunkBytes = chunkSizeOf(line);
        this.#chunk = this.#chunkBytes === 0 ? 'trailers' : 'data';
        this.#trailerBytes = 0;
      } else {
        if (line === '') return true;
        this.#trailerBytes += line.length;
        if (this.#trailerBytes > HEAD_BYTES_MAX) throw new BadRequest(431, 'trailers are too large');
      }
    }
  }

  #readLine(): string | undefined {
    const end = this.#unread.indexOf('\r\n', 0, 'latin1');
    if (end > CHUNK_LINE_BYTES_MAX || (end < 0 && this.#unread.length > CHUNK_LINE_BYTES_MAX)) {
      throw new BadRequest(400, 'chunk line is too long');
    }
    if (end < 0) return undefined;
    const line = this.#unread.toString('latin1', 0, end);
    this.#unread = this.#unread.subarray(end + 2);
    return line;
  }

  /** Bun may reuse the memory it handed to `data`, so what outlives the call is copied. */
  #keep(take: number): void {
    this.#bodyBytes += take;
    if (this.#bodyBytes > BODY_BYTES_MAX) throw new BadRequest(413, 'request body is too large');
    this.#body.push(Uint8Array.prototype.slice.call(this.#unread, 0, take));
    this.#unread = this.#unread.subarray(take);
  }

  #takeBody(): Uint8Array {
    const parts = this.#body;
    this.#body = [];
    this.#bodyBytes = 0;
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** Call at the end of a read: copies what is left unread. */
  settle(): void {
    this.#unread = this.#unread.length === 0 ? EMPTY : Buffer.from(this.#unread);
  }
}

const EMPTY = Buffer.alloc(0);
const CR = 13;
const LF = 10;

function parseHead(text: string): RequestHead {
  const lines = text.split('\r\n');
  const match = /^([A-Z]{1,20}) (\S+) HTTP\/(1\.[01])$/.exec(lines[0]!);
  if (!match) throw new BadRequest(400, 'bad request line');
  const headers: [string, string][] = [];
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(':');
    if (colon < 1) throw new BadRequest(400, 'bad header line');
    headers.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
  }
  return { method: match[1]!, path: match[2]!, version: match[3]!, headers };
}

/** Bytes of the body, or undefined when it is chunked. */
function bodyLengthOf(head: RequestHead): number | undefined {
  const encoding = headerOf(head, 'transfer-encoding');
  const length = headerOf(head, 'content-length');
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== 'chunked')
      throw new BadRequest(501, `transfer-encoding ${encoding} is not supported`);
    if (length !== undefined) throw new BadRequest(400, 'content-length and transfer-encoding');
    return undefined;
  }
  if (length === undefined) return 0;
  if (!/^\d{1,15}$/.test(length)) throw new BadRequest(400, 'bad content-length');
  if (Number(length) > BODY_BYTES_MAX) throw new BadRequest(413, 'request body is too large');
  return Number(length);
}

function chunkSizeOf(line: string): number {
  const match = /^([0-9A-Fa-f]{1,8})[ \t]*(;.*)?$/.exec(line);
  if (!match) throw new BadRequest(400, 'bad chunk size');
  return Number.parseInt(match[1]!, 16);
}
