/**
 * HTTP/1.1 answers from bytes as they come, in any split: head, then a body that is chunked, has a length, or ends with the
 * connection. Guarantees: body bytes are handed on as views of the read they came in; nothing but an unfinished head is
 * kept, and that is bounded. Strict where leniency would hide a broken server: whatever RFC 9112 forbids is a FramingError.
 */

/** The answer is not proper HTTP/1.1; the message says what is wrong. */
export class FramingError extends Error {
  override name = 'FramingError';
}

export interface ResponseHead {
  readonly status: number;
  /** Lower case, without parameters; '' when there is none. */
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly keepAlive: boolean;
}

export interface ResponseSink {
  head(head: ResponseHead): void;
  /** Never empty. The bytes are only lent for the call. */
  body(bytes: Buffer): void;
}

const HEAD = 0;
const LENGTH = 1;
const UNTIL_CLOSE = 2;
const CHUNK_SIZE = 3;
const CHUNK_EXTENSION = 4;
const CHUNK_SIZE_LF = 5;
const CHUNK_DATA = 6;
const CHUNK_CR = 7;
const CHUNK_LF = 8;
const TRAILER_START = 9;
const TRAILER_LINE = 10;
const TRAILER_LF = 11;
const LAST_LF = 12;
const DONE = 13;

const CR = 0x0d;
const LF = 0x0a;
const SEMICOLON = 0x3b;
const HEAD_BYTES_MAX = 65_536;
const CHUNK_BYTES_MAX = 2 ** 40;
const HEAD_END = Buffer.from('\r\n\r\n');
const BARE_HEAD_END = Buffer.from('\n\n');
const START = Buffer.from('HTTP/1.');

export class ResponseDecoder {
  #state = HEAD;
  #unfinishedHead: Buffer | undefined;
  /** Bytes left of the body or the chunk; the chunk size while it is read. */
  #left = 0;
  #sizeDigits = 0;
  #trailerBytes = 0;
  #keepAlive = true;
  #started = false;

  /** A byte of this answer has arrived. */
  get started(): boolean {
    return this.#started;
  }

  get done(): boolean {
    return this.#state === DONE;
  }

  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** Ready for the next answer on this connection. */
  reset(): void {
    this.#state = HEAD;
    this.#unfinishedHead = undefined;
    this.#started = false;
  }

  /** Returns how many bytes belonged to this answer. @throws FramingError */
  push(bytes: Buffer, sink: ResponseSink): number {
    this.#started = true;
    let at = 0;
    while (at < bytes.length && this.#state !== DONE) {
      if (this.#state === HEAD) at = this.#pushHead(bytes, at, sink);
      else if (this.#state === CHUNK_DATA || this.#state === LENGTH) at = this.#pushCounted(bytes, at, sink);
      else if (this.#state === UNTIL_CLOSE) {
        sink.body(at === 0 ? bytes : bytes.subarray(at));
        return bytes.length;
      } else at = this.#pushFraming(bytes, at);
    }
    return at;
  }

  /** The connection has ended: whether that is a proper end of this answer. */
  endOfConnection(): boolean {
    if (this.#state !== UNTIL_CLOSE) return false;
    this.#state = DONE;
    return true;
  }

  #pushCounted(bytes: Buffer, from: number, sink: ResponseSink): number {
    const to = Math.min(bytes.length, from + this.#left);
    this.#left -= to - from;
    if (this.#left === 0) this.#state = this.#state === LENGTH ? DONE : CHUNK_CR;
    sink.body(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
    return to;
  }

  /** Chunk lines and trailers, byte by byte: there are few of them. */
  #pushFraming(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      switch (this.#state) {
        case CHUNK_SIZE:
          this.#chunkSize(byte);
          break;
        case CHUNK_EXTENSION:
          if (byte === LF) throw new FramingError('a chunk line ends with LF alone');
          if (byte === CR) this.#state = CHUNK_SIZE_LF;
          else if (++this.#trailerBytes > HEAD_BYTES_MAX) throw new FramingError('a chunk extension has no end');
          break;
        case CHUNK_SIZE_LF:
          expect(byte, LF, 'a chunk size is not followed by CRLF');
          this.#trailerBytes = 0;
          this.#state = this.#left === 0 ? TRAILER_START : CHUNK_DATA;
          if (this.#left > 0) return at + 1;
          break;
        case CHUNK_CR:
          expect(byte, CR, 'a chunk is not followed by CRLF');
          this.#state = CHUNK_LF;
          break;
        case CHUNK_LF:
          expect(byte, LF, 'a chunk is not followed by CRLF');
          this.#startChunk();
          break;
        case TRAILER_START:
          this.#state = byte === CR ? LAST_LF : TRAILER_LINE;
          break;
        case TRAILER_LINE:
          if (byte === CR) this.#state = TRAILER_LF;
          else if (++this.#trailerBytes > HEAD_BYTES_MAX) throw new FramingError('the trailers have no end');
          break;
        case TRAILER_LF:
          expect(byte, LF, 'a trailer line does not end with CRLF');
          this.#state = TRAILER_START;
          break;
        default: // LAST_LF
          expect(byte, LF, 'the last chunk is not followed by CRLF');
          this.#state = DONE;
          return at + 1;
      }
    }
    return bytes.length;
  }

  #startChunk(): void {
    this.#state = CHUNK_SIZE;
    this.#left = 0;
    this.#sizeDigits = 0;
  }

  #chunkSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#left = this.#left * 16 + digit;
      this.#sizeDigits++;
      if (this.#left > CHUNK_BYTES_MAX) throw new FramingError('a chunk size is too large');
      return;
    }
    if (this.#sizeDigits === 0 || (byte !== CR && byte !== SEMICOLON)) {
      throw new FramingError(byte === LF ? 'a chunk line ends with LF alone' : 'a chunk size is no number');
    }
    this.#state = byte === CR ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
  }

  #pushHead(bytes: Buffer, from: number, sink: ResponseSink): number {
    const kept = this.#unfinishedHead;
    const all = kept ? Buffer.concat([kept, bytes.subarray(from)]) : from === 0 ? bytes : bytes.subarray(from);
    for (let i = 0; i < START.length && i < all.length; i++) {
      if (all[i] !== START[i]) throw new FramingError(`this is not HTTP/1: ${excerpt(all)}`);
    }
    const end = all.indexOf(HEAD_END);
    const bareEnd = all.subarray(0, end < 0 ? all.length : end).indexOf(BARE_HEAD_END);
    if (bareEnd >= 0) throw new FramingError('the head has lines that end with LF alone');
    if (end < 0) {
      if (all.length > HEAD_BYTES_MAX) throw new FramingError('the head is larger than 64 KiB');
      this.#unfinishedHead = Buffer.from(all);
      return bytes.length;
    }
    this.#unfinishedHead = undefined;
    this.#take(parseHead(all.toString('latin1', 0, end)), sink);
    return from + end + HEAD_END.length - (kept?.length ?? 0);
  }

  #take(head: ParsedHead, sink: ResponseSink): void {
    if (head.status < 200) return; // an interim answer: the real head follows
    this.#keepAlive = head.keepAlive;
    if (head.status === 204 || head.status === 304) this.#state = DONE;
    else if (head.chunked) this.#startChunk();
    else if (head.lengthBytes !== undefined) {
      this.#left = head.lengthBytes;
      this.#state = head.lengthBytes === 0 ? DONE : LENGTH;
    } else {
      this.#keepAlive = false;
      this.#state = UNTIL_CLOSE;
    }
    sink.head(head);
  }
}

interface ParsedHead extends ResponseHead {
  readonly chunked: boolean;
  readonly lengthBytes: number | undefined;
}

function parseHead(text: string): ParsedHead {
  const lines = text.split('\r\n');
  const status = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/.exec(lines[0]!);
  if (!status) throw new FramingError(`the status line is wrong: ${lines[0]!.slice(0, 60)}`);
  let keepAlive = status[1] === '1';
  let contentType = '';
  let contentEncoding = '';
  let chunked = false;
  let lengthBytes: number | undefined;
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!;
    const colon = line.indexOf(':');
    if (colon <= 0) throw new FramingError(`a header line has no name: ${line.slice(0, 60)}`);
    switch (line.slice(0, colon).toLowerCase()) {
      case 'content-type':
        contentType = line
          .slice(colon + 1)
          .split(';', 1)[0]!
          .trim()
          .toLowerCase();
        break;
      case 'content-encoding':
        contentEncoding = line
          .slice(colon + 1)
          .trim()
          .toLowerCase();
        break;
      case 'content-length':
        lengthBytes = parseLength(line.slice(colon + 1).trim(), lengthBytes);
        break;
      case 'transfer-encoding':
        if (
          line
            .slice(colon + 1)
            .trim()
            .toLowerCase() !== 'chunked'
        ) {
          throw new FramingError(
            `a transfer-encoding nobody asked for: ${line
              .slice(colon + 1)
              .trim()
              .slice(0, 60)}`,
          );
        }
        chunked = true;
        break;
      case 'connection':
        keepAlive = keepAlive && !/\bclose\b/i.test(line.slice(colon + 1));
        break;
    }
  }
  if (chunked && lengthBytes !== undefined) {
    throw new FramingError('both content-length and transfer-encoding are given');
  }
  return { status: Number(status[2]), contentType, contentEncoding, keepAlive, chunked, lengthBytes };
}

function parseLength(text: string, before: number | undefined): number {
  if (!/^\d{1,15}$/.test(text)) throw new FramingError(`content-length is no number: ${text.slice(0, 60)}`);
  const lengthBytes = Number(text);
  if (before !== undefined && before !== lengthBytes) throw new FramingError('two different content-lengths are given');
  return lengthBytes;
}

function expect(byte: number, wanted: number, complaint: string): void {
  if (byte !== wanted) throw new FramingError(complaint);
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function excerpt(bytes: Buffer): string {
  return JSON.stringify(bytes.subarray(0, 24).toString('latin1'));
}
