/**
 * Reads the events of one stream and keeps the facts that its format finds in them: the usage reported so far, whether a terminal
 * event passed, and what else `StreamFacts` has. Guarantees: only whole events count, except for usage (see `usage()`); the same
 * facts for every split of the same bytes; of an event at most `EVENT_DATA_BYTES_MAX` are held, and only until it ends.
 */

import type { Format, StreamFacts, WireEvent } from './format.ts';
import type { ShortText } from './short-text.ts';
import { type EventSink, SseScanner } from './sse.ts';
import { type Usage, UsageCounts } from './usage-counts.ts';
import { UsageDocument } from './usage-document.ts';

const EVENT_DATA_BYTES_MAX = 64 * 1024;
/** Room that is kept for the next event, or the next stream; an event is seldom larger. */
const KEPT_BYTES_MAX = 2 * 1024;

const DONE = new TextEncoder().encode('[DONE]');
const NO_MATCH = -1;

export class EventInterpreter implements EventSink, WireEvent {
  readonly scanner = new SseScanner(this);
  readonly document: UsageDocument;
  readonly facts = new Facts();
  readonly #format: Format;
  /** How much of `[DONE]` the data of the event at hand begins with. */
  #doneAt = 0;
  #held = new Uint8Array(0);
  /** Of the event's data; more than the maximum when it is not held. */
  #heldBytes = 0;

  constructor(format: Format) {
    this.#format = format;
    this.document = new UsageDocument(format.usageParent);
  }

  /** As if new: for another stream of the same format. */
  reset(): void {
    this.scanner.reset();
    this.#nextEvent();
    this.facts.clear();
  }

  /** What was reported so far, also by an event that lacks nothing but its line ends. */
  usage(): { usage: Usage | null; isFinal: boolean } {
    const form = this.#format.usageForm;
    if (form === null) return { usage: null, isFinal: true };
    let facts = this.facts;
    if (this.scanner.hasData) {
      facts = facts.copy();
      this.#format.read(this, facts);
    }
    return { usage: facts.counts.toUsage(form), isFinal: facts.usageIsFinal };
  }

  get isDone(): boolean {
    return this.#doneAt === DONE.length;
  }

  get json(): Uint8Array | null {
    return this.#heldBytes <= EVENT_DATA_BYTES_MAX ? this.#held.subarray(0, this.#heldBytes) : null;
  }

  is(name: Uint8Array): boolean {
    return this.#name()?.equals(name) === true || this.#type()?.equals(name) === true;
  }

  startsWith(name: Uint8Array): boolean {
    return this.#name()?.startsWith(name) === true || this.#type()?.startsWith(name) === true;
  }

  data(bytes: Uint8Array, from: number, to: number): void {
    if (this.#doneAt >= 0 && this.#doneAt < DONE.length) this.#matchDone(bytes, from, to);
    if (!this.#format.readsEvents) return;
    this.document.push(bytes, from, to);
    this.#hold(bytes, from, to);
  }

  end(): void {
    this.#format.read(this, this.facts);
    this.#nextEvent();
  }

  #nextEvent(): void {
    this.document.reset();
    this.#doneAt = 0;
    this.#heldBytes = 0;
    if (this.#held.length > KEPT_BYTES_MAX) this.#held = new Uint8Array(0);
  }

  #hold(bytes: Uint8Array, from: number, to: number): void {
    const before = this.#heldBytes;
    this.#heldBytes += to - from;
    if (this.#heldBytes > EVENT_DATA_BYTES_MAX) return;
    if (this.#heldBytes > this.#held.length) {
      const larger = new Uint8Array(Math.max(512, 2 * this.#heldBytes));
      larger.set(this.#held.subarray(0, before));
      this.#held = larger;
    }
    Buffer.prototype.copy.call(bytes, this.#held, before, from, to);
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

  #name(): ShortText | null {
    return this.scanner.nameIsWhole ? this.scanner.name : null;
  }

  /** The type of a document that is none says nothing. */
  #type(): ShortText | null {
    return this.document.complete ? this.document.type : null;
  }
}

class Facts implements StreamFacts {
  readonly counts = new UsageCounts();
  sawTerminal = false;
  contentEnded = false;
  usageIsFinal = false;
  errorCode: string | null = null;
  sequenceNumber = -1;

  clear(): void {
    this.counts.clear();
    this.sawTerminal = false;
    this.contentEnded = false;
    this.usageIsFinal = false;
    this.errorCode = null;
    this.sequenceNumber = -1;
  }

  copy(): Facts {
    const copy = new Facts();
    copy.counts.replaceBy(this.counts);
    copy.sawTerminal = this.sawTerminal;
    copy.contentEnded = this.contentEnded;
    copy.usageIsFinal = this.usageIsFinal;
    copy.errorCode = this.errorCode;
    copy.sequenceNumber = this.sequenceNumber;
    return copy;
  }
}
