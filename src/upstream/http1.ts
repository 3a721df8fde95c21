/**
 * Incremental reader of HTTP/1.1 responses on one connection, one response after another.
 *
 * Guarantees: any split of the same bytes gives the same events; body bytes are handed on once per read, however many
 * chunks it held; a usual read costs no object, no string and no promise; head, chunk lines and trailers are bounded;
 * what is not strictly valid is an Http1Error, after which the reader is of no further use.
 */
import type { BodySink } from './client.ts';
import { Http1Error, parseHead, type ResponseHead } from './http1-head.ts';
import { Payload } from './payload.ts';

/** Receives the body of a response. It owns the bytes during the call, and must copy what it keeps. */
export type DataSink = Pick<BodySink, 'data'>;

export const HEAD_BYTES_MAX = 64 * 1024;
/** No server sends chunks of this size; a larger number is an overflow or an attack. */
const CHUNK_BYTES_MAX = 2 ** 31;
const CHUNK_LINE_BYTES_MAX = 4 * 1024;
/**
 * Of a response, so many bytes of chunk lines may come beyond 16 a chunk and twice its payload: a long extension on
 * every byte would cost processor time and carry nothing (Go's net/http has the same rule).
 */
const CHUNK_EXCESS_MAX = 16 * 1024;
const CHUNK_LINE_USUAL = 16;
const TRAILER_BYTES_MAX = 16 * 1024;
/** A server that sends interim heads without end must not keep an exchange alive. */
const INTERIM_HEADS_MAX = 16;

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const HEAD_END = Buffer.from('\r\n\r\n');

enum State {
  /** Between responses: any byte is unexpected. */
  Idle,
  Head,
  Length,
  UntilClose,
  ChunkSize,
  ChunkSizePadding,
  ChunkExtension,
  ChunkSizeLf,
  ChunkData,
  ChunkDataCr,
  ChunkDataLf,
  TrailerStart,
  TrailerName,
  TrailerLine,
  TrailerLineLf,
  TrailerEndLf,
  /** Nothing is read any more. */
  Stopped,
}

const payload = new Payload();
const NOBODY: DataSink = { data: () => {} };

/**
 * The connection extends it, so that a stream has one object for both: with hundreds of streams another object to look at
 * is another cache miss for each chunk (some 0.1 µs). The fields that each chunk touches come first.
 */
export abstract class ResponseReader {
  #state = State.Idle;
  #gotBytes = false;
  /** Of the body (Length) or of the chunk (ChunkData), bytes still to come. */
  #remaining = 0;
  #digits = 0;
  #body = NOBODY;
  #lineBytes = 0;
  #excessBytes = 0;
  #head: Buffer | null = null;
  #interimHeads = 0;
  #trailerBytes = 0;
  #keepAlive = false;
  #bodiless = false;

  /** A final head; interim (1xx) ones are skipped. @returns who takes the body */
  protected abstract onHead(head: ResponseHead): DataSink;
  /** The response is complete. */
  protected abstract onEnd(): void;

  /**
   * A request has been written: its response may come now.
   * @param bodiless the request was a HEAD
   */
  expect(bodiless = false): void {
    this.#state = State.Head;
    this.#bodiless = bodiless;
    this.#interimHeads = 0;
    this.#keepAlive = false;
    this.#gotBytes = false;
  }

  /** Whether the response under way has begun. */
  get gotBytes(): boolean {
    return this.#gotBytes;
  }

  /** Nothing more is told, not even of the read that is being looked at. */
  stop(): void {
    this.#state = State.Stopped;
    this.#body = NOBODY;
    this.#head = null;
  }

  /** No response is under way, and the connection may carry another request. */
  get reusable(): boolean {
    return this.#state === State.Idle && this.#keepAlive;
  }

  /** @throws Http1Error */
  push(bytes: Uint8Array): void {
    this.#gotBytes = true;
    let at = 0;
    while (at < bytes.length) {
      switch (this.#state) {
        case State.Head:
          at = this.#readHead(bytes, at);
          break;
        case State.Length:
          at = this.#readLength(bytes, at);
          break;
        case State.UntilClose:
          this.#handOn(bytes, at, bytes.length);
          return;
        case State.Stopped:
          return;
        case State.Idle:
          // Answers to nothing (RFC 9112, section 9.2): who reads on would take them for the next response.
          this.#keepAlive = false;
          throw new Http1Error('bytes that belong to no request');
        default:
          at = this.#readChunks(bytes, at);
      }
    }
  }

  /** The connection has ended in an orderly way. @returns whether the response was complete by that */
  closedInOrder(): boolean {
    if (this.#state === State.UntilClose) {
      this.#finish(true);
      return true;
    }
    return this.#state === State.Idle;
  }

  #readHead(bytes: Uint8Array, from: number): number {
    const rest = from === 0 ? bytes : bytes.subarray(from);
    const held = this.#head?.length ?? 0;
    const all = this.#head ? Buffer.concat([this.#head, rest]) : asBuffer(rest);
    // The end may straddle two reads.
    const end = all.indexOf(HEAD_END, Math.max(0, held - HEAD_END.length + 1));
    if (end > HEAD_BYTES_MAX || (end === -1 && all.length >= HEAD_BYTES_MAX + HEAD_END.length))
      throw new Http1Error('head too large');
    if (end === -1) {
      rejectEarly(all, held);
      this.#head = held === 0 ? Buffer.from(all) : all;
      return bytes.length;
    }
    this.#head = null;
    const to = from + (end + HEAD_END.length - held);
    this.#begin(parseHead(all.toString('latin1', 0, end), this.#bodiless), to === bytes.length);
    return to;
  }

  #begin(head: ResponseHead, isLastOfRead: boolean): void {
    if (head.status < 200) {
      // 101 would hand the connection to another protocol, and the request asked for none.
      if (head.status === 101) throw new Http1Error('unexpected protocol switch');
      if (++this.#interimHeads > INTERIM_HEADS_MAX) throw new Http1Error('too many interim responses');
      return;
    }
    this.#keepAlive = head.keepAlive;
    this.#remaining = head.framing.kind === 'length' ? head.framing.bytes : 0;
    this.#state = stateOf(head);
    this.#digits = 0;
    this.#lineBytes = 0;
    this.#excessBytes = 0;
    this.#trailerBytes = 0;
    this.#deliverTo(this.onHead(head));
    if (this.#state === State.Idle || (this.#state === State.Length && this.#remaining === 0))
      this.#finish(isLastOfRead);
  }

  #readLength(bytes: Uint8Array, from: number): number {
    const to = Math.min(bytes.length, from + this.#remaining);
    this.#remaining -= to - from;
    this.#handOn(bytes, from, to);
    if (this.#remaining === 0) this.#finish(to === bytes.length);
    return to;
  }

  /** All chunks of this read: their payloads are put together, so that one read leads to one `data`. */
  #readChunks(bytes: Uint8Array, from: number): number {
    let at = from;
    let complete = false;
    payload.begin(bytes, from);
    try {
      while (at < bytes.length && !complete) {
        if (this.#state === State.ChunkData) {
          const to = Math.min(bytes.length, at + this.#remaining);
          payload.add(bytes, at, to);
          this.#remaining -= to - at;
          at = to;
          if (this.#remaining === 0) this.#state = State.ChunkDataCr;
        } else {
          complete = this.#chunkByte(bytes[at++]!);
        }
      }
    } finally {
      // What came before a mistake is still part of the answer.
      if (payload.length > 0) this.#body.data(payload.take(bytes));
    }
    if (complete) this.#finish(at === bytes.length);
    return at;
  }

  /** One byte of chunk framing (RFC 9112, section 7.1). @returns whether it was the last of the response */
  #chunkByte(byte: number): boolean {
    switch (this.#state) {
      case State.ChunkSize:
        this.#chunkSizeByte(byte);
        return false;
      case State.ChunkSizePadding:
      case State.ChunkExtension:
        if (byte === CR) this.#state = State.ChunkSizeLf;
        else this.#chunkLineByte(byte);
        return false;
      case State.ChunkSizeLf:
        requireLf(byte);
        if (this.#lineBytes + this.#digits > CHUNK_LINE_USUAL) this.#countExcess();
        this.#state = this.#remaining === 0 ? State.TrailerStart : State.ChunkData;
        return false;
      case State.ChunkDataCr:
        if (byte !== CR) throw new Http1Error('chunk longer than its size');
        this.#state = State.ChunkDataLf;
        return false;
      case State.ChunkDataLf:
        requireLf(byte);
        this.#startChunk();
        return false;
      default:
        return this.#trailerByte(byte);
    }
  }

  #chunkSizeByte(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#remaining = this.#remaining * 16 + digit;
      // Leading zeros are harmless, but a line of them without end is not.
      if (this.#remaining > CHUNK_BYTES_MAX || ++this.#digits > CHUNK_LINE_BYTES_MAX)
        throw new Http1Error('chunk size too large');
      return;
    }
    if (this.#digits === 0) throw new Http1Error('invalid chunk size');
    if (byte === CR) this.#state = State.ChunkSizeLf;
    else this.#chunkLineByte(byte);
  }

  /** A byte behind the size. */
  #chunkLineByte(byte: number): void {
    if (++this.#lineBytes > CHUNK_LINE_BYTES_MAX) throw new Http1Error('chunk line too long');
    if (this.#state === State.ChunkExtension) {
      if (isControl(byte)) throw new Http1Error('invalid chunk extension');
    } else if (byte === SEMICOLON) {
      this.#state = State.ChunkExtension;
    } else if (isBlank(byte)) {
      // RFC 9110, section 5.6.3: "bad" whitespace is read past. Some pad the size with it.
      this.#state = State.ChunkSizePadding;
    } else {
      throw new Http1Error('invalid chunk size');
    }
  }

  #countExcess(): void {
    const line = this.#lineBytes + this.#digits;
    this.#excessBytes = Math.max(0, this.#excessBytes + line - CHUNK_LINE_USUAL - 2 * this.#remaining);
    if (this.#excessBytes > CHUNK_EXCESS_MAX) throw new Http1Error('chunk lines too long for what they carry');
  }

  #startChunk(): void {
    this.#remaining = 0;
    this.#digits = 0;
    this.#lineBytes = 0;
    this.#state = State.ChunkSize;
  }

  /**
   * Trailer fields are read past and dropped: none is on an allow-list. Their names are checked all the same: where the
   * last CRLF is missing, the head of another response would be read as a trailer.
   */
  #trailerByte(byte: number): boolean {
    if (++this.#trailerBytes > TRAILER_BYTES_MAX) throw new Http1Error('trailers too large');
    switch (this.#state) {
      case State.TrailerStart:
        if (byte === CR) this.#state = State.TrailerEndLf;
        else if (!isToken(byte)) throw new Http1Error('invalid trailer');
        else this.#state = State.TrailerName;
        return false;
      case State.TrailerName:
        if (byte === COLON) this.#state = State.TrailerLine;
        else if (!isToken(byte)) throw new Http1Error('invalid trailer');
        return false;
      case State.TrailerLine:
        if (byte === CR) this.#state = State.TrailerLineLf;
        else if (isControl(byte)) throw new Http1Error('invalid trailer');
        return false;
      case State.TrailerLineLf:
        requireLf(byte);
        this.#state = State.TrailerStart;
        return false;
      default:
        requireLf(byte);
        return true;
    }
  }

  /** Bytes behind the response are refused later. A request that is sent from within `end` must not get them as its answer. */
  #finish(isLastOfRead: boolean): void {
    if (this.#state === State.Stopped) return;
    this.#state = State.Idle;
    this.#remaining = 0;
    this.#body = NOBODY;
    this.#keepAlive &&= isLastOfRead;
    this.onEnd();
  }

  #deliverTo(body: DataSink): void {
    if (this.#state !== State.Stopped) this.#body = body;
  }

  #handOn(bytes: Uint8Array, from: number, to: number): void {
    this.#body.data(from === 0 && to === bytes.length ? bytes : payload.part(bytes, from, to));
  }
}

function stateOf({ framing }: ResponseHead): State {
  switch (framing.kind) {
    case 'chunked':
      return State.ChunkSize;
    case 'length':
      return State.Length;
    case 'close':
      return State.UntilClose;
    default:
      return State.Idle;
  }
}

/**
 * Refuses at once what cannot become a head: the empty line that ends it would never come from a peer that ends its lines
 * in another way.
 * @param seen bytes of it that were looked at before
 */
function rejectEarly(start: Buffer, seen: number): void {
  const prefix = start.toString('latin1', 0, Math.min(start.length, PROTOCOL.length));
  if (!PROTOCOL.startsWith(prefix)) throw new Http1Error('not HTTP/1.x');
  for (let lf = start.indexOf(LF, seen); lf !== -1; lf = start.indexOf(LF, lf + 1)) {
    if (start[lf - 1] !== CR) throw new Http1Error('LF without CR');
  }
}

const PROTOCOL = 'HTTP/1.';

function requireLf(byte: number): void {
  if (byte !== LF) throw new Http1Error('CR without LF');
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09;
}

function isControl(byte: number): boolean {
  return (byte < 0x20 && byte !== 0x09) || byte === 0x7f;
}

/** `tchar` of RFC 9110, section 5.6.2. */
function isToken(byte: number): boolean {
  return TOKEN_BYTES[byte] === 1;
}

const TOKEN_BYTES = new Uint8Array(256);
for (const byte of Buffer.from("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
  TOKEN_BYTES[byte] = 1;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
