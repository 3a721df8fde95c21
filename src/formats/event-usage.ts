/**
 * Reads out of a stream's events what the gateway has to know: the usage reported so far, and whether a terminal event passed.
 * Guarantees: only whole events count; for each event the answer is that of its format's own SDK, decided by the event's name
 * (`event:` field) or by the `type` in its data, whichever says so.
 */

import type { ShortText } from './short-text.ts';
import { type EventSink, SseScanner } from './sse.ts';
import { USAGE_FORMS, type Usage, UsageCounts } from './usage-counts.ts';
import { UsageDocument } from './usage-document.ts';

const encoder = new TextEncoder();
const DONE = encoder.encode('[DONE]');
const RESPONSE_PREFIX = encoder.encode('response.');
const MESSAGE_START = encoder.encode('message_start');
const MESSAGE_DELTA = encoder.encode('message_delta');
const MESSAGE_STOP = encoder.encode('message_stop');
const NO_MATCH = -1;

/** Which events end a stream: those of a name, or, where none is listed, the data `[DONE]`. */
const TERMINAL_NAMES = {
  chat: [],
  responses: ['response.completed', 'response.failed', 'response.incomplete', 'error'].map(encode),
  messages: [MESSAGE_STOP, encode('error')],
  opaque: [],
};

/** Where usage stands in an event, if not at its root. */
const PARENTS = { chat: null, responses: encode('response'), messages: encode('message'), opaque: null };

export type EventFormat = keyof typeof TERMINAL_NAMES;

export class EventUsage implements EventSink {
  readonly scanner = new SseScanner(this);
  readonly #format: EventFormat;
  readonly #terminalNames: Uint8Array[];
  readonly #document: UsageDocument;
  readonly #counts = new UsageCounts();
  #sawTerminal = false;
  #sawFinalUsage = false;
  /** How much of `[DONE]` the data of the event at hand begins with. */
  #doneAt = 0;

  constructor(format: EventFormat) {
    this.#format = format;
    this.#terminalNames = TERMINAL_NAMES[format];
    this.#document = new UsageDocument(PARENTS[format]);
  }

  /** As if new: for another stream of the same format. */
  reset(): void {
    this.scanner.reset();
    this.#document.reset();
    this.#counts.clear();
    this.#sawTerminal = false;
    this.#sawFinalUsage = false;
    this.#doneAt = 0;
  }

  /** A terminal event passed; or one did but for its last line ends, which some servers leave out at the end of the stream. */
  get sawTerminal(): boolean {
    if (this.#sawTerminal) return true;
    if (this.#terminalNames.length === 0) return this.#doneAt === DONE.length;
    return this.scanner.hasData && this.#document.complete && this.#isTerminalName();
  }

  /**
   * False while what was reported is what the stream began with: Anthropic counts the answer in `message_delta`, and says in
   * `message_start` what it is at that moment. Of the other formats whatever is reported may be the last word.
   */
  get sawFinalUsage(): boolean {
    return this.#sawFinalUsage || this.#isFinalUsage();
  }

  /** What was reported so far, also by an event that lacks nothing but its line ends. */
  usage(): Usage | null {
    const counts = new UsageCounts();
    counts.replaceBy(this.#counts);
    this.#report(counts);
    return counts.toUsage(USAGE_FORMS[this.#format]);
  }

  data(bytes: Uint8Array, from: number, to: number): void {
    if (this.#doneAt >= 0 && this.#doneAt < DONE.length) this.#matchDone(bytes, from, to);
    if (this.#format !== 'opaque') this.#document.push(bytes, from, to);
  }

  end(): void {
    this.#report(this.#counts);
    if (this.#isFinalUsage()) this.#sawFinalUsage = true;
    if (this.#terminalNames.length === 0 ? this.#doneAt === DONE.length : this.#isTerminalName())
      this.#sawTerminal = true;
    this.#document.reset();
    this.#doneAt = 0;
  }

  #matchDone(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to && this.#doneAt < DONE.length; at++) {
      if (bytes[at] !== DONE[this.#doneAt]) {
        this.#doneAt = NO_MATCH;
        return;
      }
      this.#doneAt++;
    }
  }

  #report(counts: UsageCounts): void {
    const { complete, rootUsage, parentUsage } = this.#document;
    if (!complete) return;
    if (this.#format === 'chat') {
      if (rootUsage.reportsSomething) counts.replaceBy(rootUsage);
    } else if (this.#format === 'responses') {
      if (parentUsage.reportsSomething && this.#isResponseEvent()) counts.replaceBy(parentUsage);
    } else if (this.#format === 'messages') {
      if (parentUsage.reportsSomething && this.#is(MESSAGE_START)) counts.replaceBy(parentUsage);
      // Counts are cumulative: a later one stands for the earlier, and a delta may carry only some.
      if (rootUsage.reportsSomething && this.#is(MESSAGE_DELTA)) counts.overlayBy(rootUsage);
    }
  }

  #isFinalUsage(): boolean {
    if (this.#format !== 'messages') return true;
    const { complete, rootUsage } = this.#document;
    return complete && ((rootUsage.reportsSomething && this.#is(MESSAGE_DELTA)) || this.#is(MESSAGE_STOP));
  }

  #name(): ShortText | null {
    return this.scanner.nameIsWhole ? this.scanner.name : null;
  }

  #is(name: Uint8Array): boolean {
    return this.#name()?.equals(name) === true || this.#document.type.equals(name);
  }

  #isResponseEvent(): boolean {
    return this.#name()?.startsWith(RESPONSE_PREFIX) === true || this.#document.type.startsWith(RESPONSE_PREFIX);
  }

  #isTerminalName(): boolean {
    // The type of a document that is none says nothing.
    const type = this.#document.complete ? this.#document.type : null;
    for (const name of this.#terminalNames) {
      if (this.#name()?.equals(name) === true || type?.equals(name) === true) return true;
    }
    return false;
  }
}

function encode(text: string): Uint8Array {
  return encoder.encode(text);
}
