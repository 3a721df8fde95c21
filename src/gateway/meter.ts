/**
 * The meter is told of the bytes of one answer as they pass, and says what was in them: how many, the usage they reported, and
 * how far the stream is. Guarantees: it never owns or changes the bytes; bounded memory (about 1 kB, and an event that is cut
 * between two reads); the same answer for every split; never throws. What it reads is defined in src/formats/.
 */
import { find, findLast, keyWithValue, lastBlankLine, numberAt, valueBehind } from '../formats/event-data.ts';
import { EventInterpreter } from '../formats/event-interpreter.ts';
import type { Format } from '../formats/format.ts';
import { SEQUENCE_NUMBER } from '../formats/responses.ts';
import type { Usage } from '../formats/usage-counts.ts';
import { UsageDocument } from '../formats/usage-document.ts';

export type { Usage };

/** `unlabelled`: the first bytes tell whether it is an event stream. */
export type BodyKind = 'sse' | 'json' | 'unlabelled' | 'none';

/** What an event stream without a label begins with, behind a byte order mark or without one. */
const STREAM_STARTS = ['data:', 'event:', ':'].flatMap((start) => [Buffer.from(start), Buffer.from(`\ufeff${start}`)]);
const NOTHING = new Uint8Array(0);

export class Meter {
  readonly format: Format;
  #bytes = 0;
  #chunks = 0;
  #unsentBytes = 0;
  #isEventStream: boolean;
  /** Taken for the first event that may matter: for most of its life a stream does without, which is a kilobyte each. */
  #events: EventInterpreter | null = null;
  readonly #document: UsageDocument | null;
  /** The first bytes of an unlabelled body, until they tell what it is. */
  #start: Uint8Array | null;
  #sequenceNumber = -1;

  constructor(format: Format, kind: BodyKind) {
    this.format = format;
    this.#isEventStream = kind === 'sse';
    this.#document = kind === 'json' && format.usageForm !== null ? new UsageDocument(null) : null;
    this.#start = kind === 'unlabelled' ? NOTHING : null;
  }

  /** Bytes passed to the client so far. */
  get bytes(): number {
    return this.#bytes - this.#unsentBytes;
  }

  /** How many reads they came in. */
  get chunks(): number {
    return this.#chunks;
  }

  get isEventStream(): boolean {
    return this.#isEventStream;
  }

  /** Usage may still be reported by what comes. */
  get canReport(): boolean {
    return this.format.usageForm !== null && (this.#isEventStream || this.#document !== null || this.#start !== null);
  }

  /** Nothing or a whole event was last: what is written now is read as an event of its own. Always true for other kinds. */
  get atEventBoundary(): boolean {
    return this.#events === null || this.#events.scanner.atBoundary;
  }

  /** The last byte was a CR, which many readers do not take for a line end. */
  get endsWithCr(): boolean {
    return this.#events?.scanner.endsWithCr === true;
  }

  /** The event that ends a stream of this format has passed, with its blank line. Always false for other kinds. */
  get sawTerminalEvent(): boolean {
    return this.#events?.facts.sawTerminal === true;
  }

  /** Upstream has nothing more to generate. Always false for other kinds. */
  get contentEnded(): boolean {
    return this.#events?.facts.contentEnded === true;
  }

  /** The stream ended without the event that ends it. Always false for formats without one. */
  get endedUnfinished(): boolean {
    if (!this.#isEventStream || !this.format.readsEvents) return false;
    return !this.sawTerminalEvent && !this.contentEnded;
  }

  /** The code of an error that upstream reported inside the stream. */
  get errorCode(): string | null {
    return this.#events?.facts.errorCode ?? null;
  }

  /** `usage()` is the usage of the whole answer, not of a stream up to some point. */
  get usageIsFinal(): boolean {
    if (this.#events !== null) return this.#events.usage().isFinal;
    return this.#document === null ? !this.#isEventStream && this.#start === null : this.#document.complete;
  }

  /** The number of an event that follows the last one; meaningless where events have no numbers. */
  get nextSequenceNumber(): number {
    return Math.max(this.#sequenceNumber, this.#events?.facts.sequenceNumber ?? -1) + 1;
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#chunks++;
    if (this.#isEventStream) this.#pushEvents(bytes);
    else if (this.#document !== null) this.#document.push(bytes, 0, bytes.length);
    else if (this.#start !== null) this.#pushUnlabelled(bytes);
  }

  /** Bytes that come after the client has left. */
  pushUnsent(bytes: Uint8Array): void {
    this.#unsentBytes += bytes.length;
    this.push(bytes);
  }

  /** What was reported up to now; null when nothing was, or only in an event or document that was cut. */
  usage(): Usage | null {
    if (this.#events !== null) return this.#events.usage().usage;
    const form = this.format.usageForm;
    if (form === null || this.#document?.complete !== true) return null;
    return this.#document.rootUsage.toUsage(form);
  }

  /** The last word: `usage()`. Nothing is pushed and nothing asked any more, except for `bytes`. */
  close(): Usage | null {
    const usage = this.usage();
    if (this.#events !== null) giveBack(this.format, this.#events);
    this.#events = null;
    return usage;
  }

  #pushUnlabelled(bytes: Uint8Array): void {
    const start = Buffer.concat([this.#start!, bytes]);
    const isUndecided = (mark: Buffer) => start.length < mark.length && mark.subarray(0, start.length).equals(start);
    if (STREAM_STARTS.some((mark) => start.subarray(0, mark.length).equals(mark))) {
      this.#isEventStream = true;
      this.#start = null;
      this.#pushEvents(start);
    } else {
      this.#start = STREAM_STARTS.some(isUndecided) ? start : null;
    }
  }

  #pushEvents(bytes: Uint8Array): void {
    const events = this.#events;
    let at = 0;
    if (events !== null && !events.scanner.atBoundary) at = events.scanner.push(bytes, 0, true);
    if (at < bytes.length) {
      const skippable = this.#wholeEventsThatCannotMatter(bytes, at, events);
      if (skippable > at) {
        if (this.format.sequenced) this.#noteSequenceNumber(bytes, at, skippable);
        events?.scanner.skipped();
        at = skippable;
      }
    }
    if (at < bytes.length) (events ?? this.#readEvents(this.#bytes > bytes.length - at)).scanner.push(bytes, at, false);
  }

  /** @param behindOthers whole events have passed already */
  #readEvents(behindOthers: boolean): EventInterpreter {
    const events = spareFor(this.format).pop() ?? new EventInterpreter(this.format);
    if (behindOthers) events.scanner.skipped();
    this.#events = events;
    return events;
  }

  /**
   * The fast path: most reads are whole events that hold none of the format's needles, and a few native searches prove it.
   * Returns where the last whole event before the first needle ends, or `from`.
   */
  #wholeEventsThatCannotMatter(bytes: Uint8Array, from: number, events: EventInterpreter | null): number {
    // What follows the last content is short, and some of it may take that back.
    if (events !== null && (events.facts.contentEnded || events.facts.usageIsFinal)) return from;
    const end = lastBlankLine(bytes, from, bytes.length);
    if (end <= from) return from;
    const { needles, keysThatMatter } = this.format;
    let needle = end;
    // Loops by index: without the last tier of the JIT an iterator costs more than a search.
    for (let index = 0; index < needles.length; index++) {
      const at = find(bytes, needles[index]!, from);
      if (at >= 0 && at < needle) needle = at;
    }
    for (let index = 0; index < keysThatMatter.length; index++)
      needle = keyWithValue(bytes, keysThatMatter[index]!, from, needle);
    return needle === end ? end : lastBlankLine(bytes, from, needle);
  }

  #noteSequenceNumber(bytes: Uint8Array, from: number, to: number): void {
    const { length } = SEQUENCE_NUMBER;
    let value = -1;
    // A text of that name is no key: a delta may be the word.
    for (let at = findLast(bytes, SEQUENCE_NUMBER, to - length); at >= from && value < 0; ) {
      value = numberAt(bytes, valueBehind(bytes, at, length));
      at = at === 0 ? -1 : findLast(bytes, SEQUENCE_NUMBER, at - 1);
    }
    if (value > this.#sequenceNumber) this.#sequenceNumber = value;
  }
}

/**
 * Most streams need one for their last read only. Made anew each time they were a tenth of a short request's processor time
 * and a fifth of its garbage; one that was just used is in the cache, too.
 */
const SPARE = new Map<Format, EventInterpreter[]>();
const SPARE_MAX = 64;

function spareFor(format: Format): EventInterpreter[] {
  const spare = SPARE.get(format) ?? [];
  if (spare.length === 0) SPARE.set(format, spare);
  return spare;
}

function giveBack(format: Format, events: EventInterpreter): void {
  const spare = spareFor(format);
  if (spare.length >= SPARE_MAX) return;
  events.reset();
  spare.push(events);
}
