/**
 * Scans a multipart form (RFC 7578) as its bytes come, in pieces of any size, for the few fields the gateway needs. A part may
 * have gigabytes: nothing is held but the head of a part, the value of a wanted field, and what may be part of a boundary.
 *
 * A lenient scan looks on: what it cannot read passes. A strict one refuses all that two parsers could read differently, and
 * holds the final boundary back until the body has ended: without it nobody takes the form for whole.
 */
import { type PartHead, readPartHead } from './multipart-head.ts';

/** It is no form, or one that could be read in two ways; the message is for the client. */
export class FormError extends Error {}

/** Receives the fields of a form. */
export interface FormSink {
  /** A part begins. @returns whether its value is wanted. May throw. */
  part(head: PartHead): boolean;
  /** The value of a wanted part; null when it has more than `FIELD_BYTES_MAX`. What it throws comes before its end passes. */
  value(head: PartHead, value: Uint8Array | null): void;
}

export const FIELD_BYTES_MAX = 4096;
const HEAD_BYTES_MAX = 16 * 1024;
const CR = 0x0d;
const LF = 0x0a;
const DASH = 0x2d;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const NOTHING = new Uint8Array(0);

enum State {
  /** The first boundary is due. */
  Start,
  /** At a boundary: behind it is another part, or the end. */
  Boundary,
  Head,
  Value,
  /** At the final boundary, which is held back. */
  End,
  /** Nothing is looked at any more. */
  Passing,
}

export class MultipartScanner {
  #state = State.Start;
  readonly #boundary: Buffer;
  /** With the line end that belongs to it. */
  readonly #delimiter: Buffer;
  /** Of the boundary at hand. */
  #delimiterBytes: number;
  /** In the bytes at hand: what is before it may pass. */
  #at = 0;
  #held: Uint8Array = NOTHING;
  #head: PartHead | null = null;
  #isWanted = false;
  #value: Uint8Array[] = [];
  #valueBytes = 0;

  constructor(
    boundary: string,
    private readonly sink: FormSink,
    private readonly strict: boolean,
  ) {
    this.#boundary = Buffer.from(`--${boundary}`, 'latin1');
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
    this.#delimiterBytes = this.#boundary.length;
  }

  /**
   * @returns what may pass now: all bytes but those that are held back, in order
   * @throws FormError, and what the sink throws
   */
  push(bytes: Uint8Array): Uint8Array {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    this.#at = 0;
    while (this.#step(all));
    const end = this.#state === State.Passing ? all.length : this.#at;
    if (end === all.length) {
      this.#held = NOTHING;
      return all;
    }
    // A copy: a view would keep all of the piece.
    this.#held = new Uint8Array(all.subarray(end));
    return all.subarray(0, end);
  }

  /** The body has ended. @returns what was held back @throws FormError */
  end(): Uint8Array {
    if (this.strict && this.#state !== State.End) throw new FormError('The form has no end');
    const held = this.#held;
    this.#held = NOTHING;
    return held;
  }

  /** @returns false when more bytes are needed, or none */
  #step(bytes: Uint8Array): boolean {
    switch (this.#state) {
      case State.Start:
        return this.#passStart(bytes);
      case State.Boundary:
        return this.#passBoundary(bytes);
      case State.Head:
        return this.#passHead(bytes);
      case State.Value:
        return this.#passValue(bytes);
      case State.End:
        this.#checkEnd(bytes);
        return false;
      case State.Passing:
        return false;
    }
  }

  #passStart(bytes: Uint8Array): boolean {
    const length = Math.min(this.#boundary.length, bytes.length);
    if (!this.#boundary.subarray(0, length).equals(bytes.subarray(0, length)))
      return this.#refuse('The form does not begin with its boundary');
    if (length < this.#boundary.length) return false;
    this.#state = State.Boundary;
    return true;
  }

  #passBoundary(bytes: Uint8Array): boolean {
    const behind = this.#at + this.#delimiterBytes;
    if (bytes.length < behind + 2) return false;
    const first = bytes[behind];
    const second = bytes[behind + 1];
    this.#delimiterBytes = this.#delimiter.length;
    if (first === CR && second === LF) {
      this.#at = behind + 2;
      this.#state = State.Head;
      return true;
    }
    if (first !== DASH || second !== DASH) return this.#refuse('Something follows a boundary of the form');
    this.#state = this.strict ? State.End : State.Passing;
    return true;
  }

  #passHead(bytes: Uint8Array): boolean {
    const end = indexOf(bytes, END_OF_HEAD, this.#at);
    if ((end < 0 ? bytes.length : end) - this.#at > HEAD_BYTES_MAX)
      return this.#refuse(`The head of a part has more than ${HEAD_BYTES_MAX} bytes`);
    if (end < 0) return false;
    const head = readPartHead(Buffer.from(bytes.subarray(this.#at, end)).toString('latin1'));
    if (typeof head === 'string') return this.#refuse(head);
    this.#head = head;
    this.#isWanted = this.sink.part(head);
    this.#value = [];
    this.#valueBytes = 0;
    this.#at = end + END_OF_HEAD.length;
    this.#state = State.Value;
    return true;
  }

  #passValue(bytes: Uint8Array): boolean {
    const found = indexOf(bytes, this.#boundary, this.#at);
    if (found < 0) {
      this.#take(bytes, bytes.length - this.#startOfBoundary(bytes));
      return false;
    }
    const end = found - 2;
    if (end < this.#at || bytes[end] !== CR || bytes[end + 1] !== LF) {
      // Some parsers find a boundary behind a bare line feed, or behind the head.
      if (this.strict) return this.#refuse('A part of the form has the boundary in it');
      this.#take(bytes, found + 1);
      return true;
    }
    this.#take(bytes, end);
    const head = this.#head as PartHead;
    if (head.contentLength !== null && head.contentLength !== this.#valueBytes && this.strict)
      return this.#refuse('A part of the form has another length than it says');
    if (this.#isWanted) this.sink.value(head, this.#valueBytes > FIELD_BYTES_MAX ? null : Buffer.concat(this.#value));
    this.#state = State.Boundary;
    return true;
  }

  /** The value goes on up to there. */
  #take(bytes: Uint8Array, to: number): void {
    const from = this.#at;
    this.#at = to;
    this.#valueBytes += to - from;
    if (!this.#isWanted) return;
    if (this.#valueBytes > FIELD_BYTES_MAX) this.#value = [];
    else this.#value.push(new Uint8Array(bytes.subarray(from, to)));
  }

  /** How many bytes at the end of a value may be the beginning of a boundary, with its line end or without. */
  #startOfBoundary(bytes: Uint8Array): number {
    const longest = Math.min(this.#delimiter.length - 1, bytes.length - this.#at);
    for (let length = longest; length > 0; length--) {
      const end = bytes.subarray(bytes.length - length);
      if (this.#delimiter.subarray(0, length).equals(end)) return length;
      if (this.#boundary.subarray(0, length).equals(end)) return length;
    }
    return 0;
  }

  #checkEnd(bytes: Uint8Array): void {
    const behind = this.#at + this.#delimiter.length + 2;
    const isLineEnd = bytes.length === behind + 2 && bytes[behind] === CR && bytes[behind + 1] === LF;
    const mayBecome = bytes.length <= behind || (bytes.length === behind + 1 && bytes[behind] === CR);
    if (!isLineEnd && !mayBecome) throw new FormError('Something follows the end of the form');
  }

  #refuse(problem: string): false {
    if (this.strict) throw new FormError(problem);
    this.#state = State.Passing;
    return false;
  }
}

// Buffer's search is native, and takes a needle of several bytes.
function indexOf(bytes: Uint8Array, needle: Buffer, from: number): number {
  return Buffer.prototype.indexOf.call(bytes, needle, from);
}
