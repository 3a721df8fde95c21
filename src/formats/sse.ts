/**
 * An incremental scanner for event streams, over bytes, after the WHATWG EventSource grammar (HTML 9.2.6): LF, CRLF and CR line
 * ends, also mixed and cut between two reads; a BOM at the start; comments; fields with or without colon and space; several
 * data lines, which are joined by LF.
 * Guarantees: the same events for every split of the same bytes; nothing of the data is held (it is handed on as ranges of the
 * read it came in), only the event's name, in a bounded buffer. Never throws.
 */
import { ShortText } from './short-text.ts';

export interface EventSink {
  /** An event begins at `at` of the bytes pushed, with its first line that is no comment. */
  begin?(at: number): void;
  /** The next piece of the event's data. The bytes are only lent for the call. */
  data(bytes: Uint8Array, from: number, to: number): void;
  /** The blank line: the event is whole. Not called for an event without data, which the grammar drops. */
  end(): void;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const BOM = Uint8Array.of(0xef, 0xbb, 0xbf);
const LINE_FEED = Uint8Array.of(LF);
const DATA = new TextEncoder().encode('data');
const EVENT = new TextEncoder().encode('event');

// Where in a line the next byte stands.
const LINE_START = 0;
const FIELD_NAME = 1; // what was read so far begins `data` or `event`
const VALUE_START = 2; // behind the colon: one space is dropped
const VALUE = 3;
const IGNORED = 4; // a comment or a field of no interest

export class SseScanner {
  /** The name (`event:` field) of the event at hand; readable until `end()` has returned. */
  readonly name = new ShortText();
  readonly #sink: EventSink;
  #state = LINE_START;
  #field = DATA;
  #fieldAt = 0;
  #hasData = false;
  /** A line that is no comment was seen since the last blank line. */
  #inEvent = false;
  /** The last read ended with CR: an LF at the start of the next one belongs to it. */
  #afterCr = false;
  /** How much of a BOM was seen; 3 when none can come any more. */
  #bomAt = 0;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  /** As if new: for another stream. */
  reset(): void {
    this.name.clear();
    this.#state = LINE_START;
    this.#field = DATA;
    this.#fieldAt = 0;
    this.#hasData = false;
    this.#inEvent = false;
    this.#afterCr = false;
    this.#bomAt = 0;
  }

  /** Nothing, a whole event or a whole comment line was last: an event written now stands for itself. */
  get atBoundary(): boolean {
    return this.#state === LINE_START && !this.#inEvent && (this.#bomAt === 0 || this.#bomAt === 3);
  }

  /** The last byte was a CR, which may be half of a line end. */
  get endsWithCr(): boolean {
    return this.#afterCr;
  }

  /** False while the line that names the event is still on its way. */
  get nameIsWhole(): boolean {
    return this.#field !== EVENT || (this.#state !== VALUE && this.#state !== VALUE_START);
  }

  /** The event at hand has data, whole or not. */
  get hasData(): boolean {
    return this.#hasData;
  }

  /** The caller passed whole events by, from a boundary up to the end of a blank line: all this scanner needs to know of them. */
  skipped(): void {
    this.#bomAt = 3;
    this.#afterCr = false;
  }

  /** Scans from `from` to the end, or to the first blank line if asked; returns where it stopped. */
  push(bytes: Uint8Array, from: number, stopAtBlankLine: boolean): number {
    const end = bytes.length;
    let at = from;
    if (at >= end) return at;
    if (this.#afterCr) {
      this.#afterCr = false;
      if (bytes[at] === LF) at++;
    }
    if (this.#bomAt < 3) at = this.#passBom(bytes, at);
    // Each is searched for once per stretch without it, so a read costs two native passes however many lines it has.
    let lf = -1;
    let cr = -1;
    while (at < end) {
      if (lf < at) lf = indexOrEnd(bytes, LF, at);
      if (cr < at) cr = indexOrEnd(bytes, CR, at);
      const lineEnd = Math.min(lf, cr);
      if (lineEnd > at) this.#line(bytes, at, lineEnd);
      if (lineEnd === end) return end;
      at = lineEnd + 1;
      if (lineEnd === cr) {
        if (at === end) this.#afterCr = true;
        else if (bytes[at] === LF) at++;
      }
      if (this.#endLine() && stopAtBlankLine) return at;
    }
    return at;
  }

  #passBom(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && this.#bomAt < 3) {
      if (bytes[at] !== BOM[this.#bomAt]) {
        // Part of a BOM and then something else: these bytes were the start of a field nobody knows.
        if (this.#bomAt > 0) {
          this.#state = IGNORED;
          this.#inEvent = true;
        }
        this.#bomAt = 3;
        break;
      }
      this.#bomAt++;
      at++;
    }
    return at;
  }

  /** A part of one line, without its end; never empty. */
  #line(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    if (this.#state === LINE_START) {
      const first = bytes[at];
      this.#fieldAt = 0;
      if (first === COLON) {
        this.#state = IGNORED;
        return;
      }
      if (!this.#inEvent) this.#sink.begin?.(at);
      this.#inEvent = true;
      this.#field = first === EVENT[0] ? EVENT : DATA;
      this.#state = FIELD_NAME;
    }
    if (this.#state === FIELD_NAME) at = this.#fieldName(bytes, at, to);
    if (this.#state === VALUE_START && at < to) {
      if (bytes[at] === SPACE) at++;
      this.#state = VALUE;
    }
    if (this.#state !== VALUE || at >= to) return;
    if (this.#field === DATA) this.#sink.data(bytes, at, to);
    else this.name.append(bytes, at, to);
  }

  #fieldName(bytes: Uint8Array, from: number, to: number): number {
    const field = this.#field;
    for (let at = from; at < to; at++) {
      const byte = bytes[at];
      if (byte === field[this.#fieldAt]) {
        this.#fieldAt++;
      } else if (byte === COLON && this.#fieldAt === field.length) {
        this.#state = VALUE_START;
        this.#startField();
        return at + 1;
      } else {
        this.#state = IGNORED;
        return to;
      }
    }
    return to;
  }

  #startField(): void {
    if (this.#field === EVENT) {
      this.name.clear();
      return;
    }
    if (this.#hasData) this.#sink.data(LINE_FEED, 0, 1);
    this.#hasData = true;
  }

  /** True when the line was blank. */
  #endLine(): boolean {
    if (this.#state !== LINE_START) {
      // A field without a colon has the empty value.
      if (this.#state === FIELD_NAME && this.#fieldAt === this.#field.length) this.#startField();
      this.#state = LINE_START;
      return false;
    }
    if (this.#hasData) this.#sink.end();
    this.name.clear();
    this.#hasData = false;
    this.#inEvent = false;
    return true;
  }
}

function indexOrEnd(bytes: Uint8Array, byte: number, from: number): number {
  const at = bytes.indexOf(byte, from);
  return at < 0 ? bytes.length : at;
}
