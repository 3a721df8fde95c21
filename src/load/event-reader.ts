/**
 * What the harness learns from the events of one stream: their count, times and numbers, usage, whether a terminal event
 * came, errors inside the stream. Bytes are read in place; an event is copied only when it is spread over several reads, and
 * parsed as JSON only when it reports usage or an error.
 */
import { type EventSink, SseScanner } from '../formats/sse.ts';
import { SequenceCheck } from './sequence-check.ts';

/** What the events of all streams of a run have in common. */
export interface EventLayout {
  /** Offset of the number in the data of an event, learned from the first numbered event; -1 until then. */
  numberOffset: number;
}

/** Called for each event with data except `[DONE]`, with the time of the read that completed it. */
type EventListener = (atUs: number) => void;

/** How much is kept of an event that is spread over several reads. */
const HELD_BYTES_MAX = 1_048_576;
/** A stream counts as one without numbers when its first events have none. */
const NUMBER_SEARCHES_MAX = 4;
const NUMBER_SEARCH_BYTES = 1_024;

const NUMBER = Buffer.from('"i":');
const USAGE = Buffer.from('"usage":');
const ERROR = Buffer.from('{"error":');
const DONE = Buffer.from('[DONE]');
/** Names of the terminal events of /responses and /messages. */
const TERMINAL_NAMES = ['message_stop', 'response.completed', 'response.failed', 'response.incomplete'].map((name) =>
  Buffer.from(name),
);
const ERROR_NAMES = ['error', 'response.failed'].map((name) => Buffer.from(name));
const NOTHING = Buffer.alloc(0);
/** Native search in any bytes, without creating a Buffer. */
const { indexOf } = Buffer.prototype;
const NULL_START = 0x6e;
const SPACE = 0x20;
const BRACE = 0x7b;
const BRACKET = 0x5b;

export class EventReader implements EventSink {
  /** Events with data except `[DONE]`. */
  events = 0;
  /** Those of them without usage: they stand for tokens when no usage is reported. */
  contentEvents = 0;
  sawTerminal = false;
  /** Completion or output tokens of the last usage. */
  usageTokens: number | undefined;
  /** The message of an error event. */
  errorMessage: string | undefined;
  /** What is wrong with the data of an event. */
  complaint: string | undefined;
  /** Undefined for a stream without numbers. */
  sequence: SequenceCheck | undefined;
  readonly #scanner = new SseScanner(this);
  readonly #layout: EventLayout;
  readonly #onEvent: EventListener;
  #searchesLeft = NUMBER_SEARCHES_MAX;
  #atUs = 0;
  #read: Uint8Array = NOTHING;
  /** Offset of the next `"usage":` in this read; -1 when not searched yet, infinite when there is none. */
  #usageAt = -1;
  // The data of the current event: a range of this read, or held.
  #from = -1;
  #to = -1;
  #held: Buffer = NOTHING;
  #heldBytes = 0;

  constructor(layout: EventLayout, onEvent: EventListener) {
    this.#layout = layout;
    this.#onEvent = onEvent;
  }

  push(bytes: Uint8Array, atUs: number): void {
    this.#atUs = atUs;
    this.#read = bytes;
    this.#usageAt = -1;
    this.#scanner.push(bytes, 0, false);
    if (this.#from >= 0) this.#hold(bytes, this.#from, this.#to);
    this.#from = -1;
    this.#read = NOTHING;
  }

  /** The body has ended. `[DONE]` counts without its blank line: some servers omit it, and clients accept that. */
  finish(): void {
    if (this.#heldBytes === DONE.length && startsWith(this.#held, 0, DONE)) this.sawTerminal = true;
  }

  data(bytes: Uint8Array, from: number, to: number): void {
    if (this.#from < 0 && this.#heldBytes === 0 && bytes === this.#read) {
      this.#from = from;
      this.#to = to;
      return;
    }
    if (this.#from >= 0) this.#hold(this.#read, this.#from, this.#to);
    this.#from = -1;
    this.#hold(bytes, from, to);
  }

  end(): void {
    if (this.#from >= 0) this.#event(this.#read, this.#from, this.#to, this.#usageIn(this.#from, this.#to));
    else {
      const at = indexOf.call(this.#held.subarray(0, this.#heldBytes), USAGE);
      this.#event(this.#held, 0, this.#heldBytes, at);
    }
    this.#from = -1;
    this.#heldBytes = 0;
  }

  /** @param usageAt offset of `"usage":`, or -1 */
  #event(bytes: Uint8Array, from: number, to: number, usageAt: number): void {
    if (bytes[from] === BRACKET && to - from === DONE.length && startsWith(bytes, from, DONE)) {
      this.sawTerminal = true;
      return;
    }
    this.events++;
    const usage = usageAt >= 0 && this.#usage(bytes, from, to, usageAt);
    if (!usage) this.contentEvents++;
    if (bytes[from] !== BRACE) this.complaint ??= 'the data of an event is neither JSON nor [DONE]';
    const { name } = this.#scanner;
    if (!name.empty) {
      if (TERMINAL_NAMES.some((terminal) => name.equals(terminal))) this.sawTerminal = true;
      if (ERROR_NAMES.some((error) => name.equals(error))) this.#error(bytes, from, to);
    }
    if (bytes[from + 2] === ERROR[2] && startsWith(bytes, from, ERROR)) this.#error(bytes, from, to);
    if (this.sequence !== undefined || this.#searchesLeft > 0) this.#number(bytes, from, to);
    this.#onEvent(this.#atUs);
  }

  #number(bytes: Uint8Array, from: number, to: number): void {
    const hint = this.#layout.numberOffset;
    let at = hint >= 0 && from + hint + NUMBER.length < to && startsWith(bytes, from + hint, NUMBER) ? from + hint : -1;
    if (at < 0) at = this.#searchNumber(bytes, from, to);
    if (at < 0) return;
    let number = 0;
    let digit = at + NUMBER.length;
    for (; digit < to; digit++) {
      const byte = bytes[digit]!;
      if (byte < 0x30 || byte > 0x39) break;
      number = number * 10 + byte - 0x30;
    }
    if (digit === at + NUMBER.length) return;
    this.sequence ??= new SequenceCheck();
    this.sequence.number(number);
  }

  /** The slow path: once per stream, and for events without a number. The number must be a field of the event itself. */
  #searchNumber(bytes: Uint8Array, from: number, to: number): number {
    if (this.sequence === undefined) this.#searchesLeft--;
    const at = indexOf.call(bytes.subarray(from, Math.min(to, from + NUMBER_SEARCH_BYTES)), NUMBER);
    if (at < 0) return -1;
    if (!Number.isInteger(fieldsOf(parse(bytes, from, to)).i)) return -1;
    this.#layout.numberOffset = at;
    return from + at;
  }

  #usageIn(from: number, to: number): number {
    if (this.#usageAt < from) {
      const at = indexOf.call(this.#read, USAGE, from);
      this.#usageAt = at < 0 ? Number.POSITIVE_INFINITY : at;
    }
    return this.#usageAt < to ? this.#usageAt : -1;
  }

  /** Whether the event reports tokens and nothing else. Many services write `"usage":null` into all other events. */
  #usage(bytes: Uint8Array, from: number, to: number, usageAt: number): boolean {
    let value = usageAt + USAGE.length;
    while (bytes[value] === SPACE) value++;
    if (bytes[value] === NULL_START) return false;
    const event = fieldsOf(parse(bytes, from, to));
    for (const holder of [event, fieldsOf(event.response), fieldsOf(event.message)]) {
      const usage = fieldsOf(holder.usage);
      const tokens = usage.completion_tokens ?? usage.output_tokens;
      if (typeof tokens !== 'number') continue;
      this.usageTokens = tokens;
      // Chat reports usage in an event of its own; the other APIs add it to events with another purpose.
      return holder === event && (!Array.isArray(event.choices) || event.choices.length === 0);
    }
    return false;
  }

  #error(bytes: Uint8Array, from: number, to: number): void {
    if (this.errorMessage !== undefined) return;
    const event = fieldsOf(parse(bytes, from, to));
    const error = fieldsOf(event.error ?? fieldsOf(event.response).error ?? event);
    const text = [error.code, error.message].filter((part) => typeof part === 'string').join(': ');
    this.errorMessage = text === '' ? 'an error event without a message' : text;
  }

  #hold(bytes: Uint8Array, from: number, to: number): void {
    const kept = Math.min(to - from, HELD_BYTES_MAX - this.#heldBytes);
    if (kept <= 0) return;
    if (this.#held.length < this.#heldBytes + kept) {
      const grown = Buffer.allocUnsafe(Math.max(1024, 2 * (this.#heldBytes + kept)));
      grown.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = grown;
    }
    this.#held.set(bytes.subarray(from, from + kept), this.#heldBytes);
    this.#heldBytes += kept;
  }
}

function startsWith(bytes: Uint8Array, from: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text[i]) return false;
  return true;
}

function parse(bytes: Uint8Array, from: number, to: number): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8'));
  } catch {
    return undefined;
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
