/**
 * What the harness learns from the events of one stream: how many there are and when, their numbers, usage, whether a
 * terminal event came, errors told inside of the stream. Bytes are looked at where they lie; an event is only copied when
 * it is spread over several reads, and only parsed as JSON when it reports usage or an error.
 */
import { type EventSink, SseScanner } from '../formats/sse.ts';
import { SequenceCheck } from './sequence-check.ts';

/** What streams of one run have in common. */
export interface StreamCustom {
  /** Where in the data the number of an event stands, learned from the first numbered event; -1 while none was seen. */
  numberOffset: number;
}

/** Called for each event with data but `[DONE]`, with the time of the read that completed it. */
type EventListener = (atUs: number) => void;

/** Of an event spread over several reads so much is looked at. */
const HELD_BYTES_MAX = 1_048_576;
/** Numbers are looked for in so many events of a stream before it counts as one without numbers. */
const NUMBER_SEARCHES_MAX = 4;
const NUMBER_SEARCH_BYTES = 1_024;

const NUMBER = Buffer.from('"i":');
const USAGE = Buffer.from('"usage":');
const ERROR = Buffer.from('{"error":');
const DONE = Buffer.from('[DONE]');
/** Named events that end a stream properly, of /responses and /messages. */
const TERMINAL_NAMES = ['message_stop', 'response.completed', 'response.failed', 'response.incomplete'].map((name) =>
  Buffer.from(name),
);
const ERROR_NAMES = ['error', 'response.failed'].map((name) => Buffer.from(name));
const NOTHING = Buffer.alloc(0);
/** Searches any bytes natively, without a Buffer made for it. */
const { indexOf } = Buffer.prototype;
const NULL_START = 0x6e;
const SPACE = 0x20;
const BRACE = 0x7b;
const BRACKET = 0x5b;

export class EventReader implements EventSink {
  /** Events with data but `[DONE]`. */
  events = 0;
  /** Those of them that report no usage: what counts as tokens where nobody reports any. */
  contentEvents = 0;
  sawTerminal = false;
  /** Completion or output tokens as reported last. */
  usageTokens: number | undefined;
  /** The message of an error event. */
  errorMessage: string | undefined;
  /** What is wrong with the data of an event. */
  complaint: string | undefined;
  /** Undefined for streams without numbers. */
  sequence: SequenceCheck | undefined;
  readonly #scanner = new SseScanner(this);
  readonly #custom: StreamCustom;
  readonly #onEvent: EventListener;
  #searchesLeft = NUMBER_SEARCHES_MAX;
  #atUs = 0;
  #read: Uint8Array = NOTHING;
  /** Where in this read `"usage":` comes next; -1 when that is not known, past the end when it does not come. */
  #usageAt = -1;
  // The data of the event at hand: a range of this read, or held.
  #from = -1;
  #to = -1;
  #held: Buffer = NOTHING;
  #heldBytes = 0;

  constructor(custom: StreamCustom, onEvent: EventListener) {
    this.#custom = custom;
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

  /** The body is over. `[DONE]` counts without its blank line, too: some servers leave that out, and clients take it. */
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

  /** @param usageAt where `"usage":` stands, or -1 */
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
    const hint = this.#custom.numberOffset;
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

  /** The slow way: once per stream, and for events without a number. What is found has to be a field of the event itself. */
  #searchNumber(bytes: Uint8Array, from: number, to: number): number {
    if (this.sequence === undefined) this.#searchesLeft--;
    const at = indexOf.call(bytes.subarray(from, Math.min(to, from + NUMBER_SEARCH_BYTES)), NUMBER);
    if (at < 0) return -1;
    if (!Number.isInteger(fieldsOf(parse(bytes, from, to)).i)) return -1;
    this.#custom.numberOffset = at;
    return from + at;
  }

  #usageIn(from: number, to: number): number {
    if (this.#usageAt < from) {
      const at = indexOf.call(this.#read, USAGE, from);
      this.#usageAt = at < 0 ? Number.POSITIVE_INFINITY : at;
    }
    return this.#usageAt < to ? this.#usageAt : -1;
  }

  /** Whether the event reports tokens. Many services write `"usage":null` into every other event. */
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
      // Chat tells usage in an event of its own; other events report it beside what they are for.
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
