/**
 * Takes the usage event out of a chat stream that was asked for it on behalf of the client (see usage-request.ts), and nothing
 * else. That is an event which carries a `usage` object and no other data: its `choices` are absent, null or empty, and all
 * other members are labels that every event of the stream has, or empty. What is left is byte for byte what came.
 *
 * Only what may still become this event is held back, 16 kB of it at most: a comment passes at once, and any other event as
 * soon as something in it says so, which is its first choice at the latest. The usual read (whole events, none with usage)
 * costs two native searches.
 */
import { keyWithValue, lastBlankLine } from './event-data.ts';
import { NO_EVENT, UsageOnlyEvent } from './usage-only-event.ts';

/** A usage event has some hundred bytes. A longer one is none. */
const EVENT_BYTES_MAX = 16 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const USAGE_KEY = Buffer.from('"usage"');

export class UsageEventFilter {
  readonly #event = new UsageOnlyEvent();
  readonly #scanner = this.#event.scanner;
  /** What came of the event at hand with earlier reads and is held back. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** The last event was taken out, and so is the LF of its line end, should it come with the next read. */
  #dropsLf = false;
  #removedBytes = 0;

  /** Taken out so far. */
  get removedBytes(): number {
    return this.#removedBytes;
  }

  /** @returns what may go on to the client now; null for nothing */
  push(bytes: Uint8Array): Uint8Array | null {
    let passedTo = 0;
    if (this.#dropsLf && bytes[0] === LF) {
      passedTo = 1;
      this.#removedBytes++;
    }
    this.#dropsLf = false;
    let at = this.#scanner.atBoundary ? this.#skipOthers(bytes) : 0;
    if (at === bytes.length && passedTo === 0) return at > 0 ? bytes : null;
    const out: Uint8Array[] = [];
    while (at < bytes.length) {
      at = this.#scanner.push(bytes, at, true);
      if (!this.#scanner.atBoundary) break;
      if (this.#event.from === NO_EVENT) continue;
      // The same event with the LF of its last line end in the next read is as long.
      const end = bytes[at - 1] === LF && bytes[at - 2] === CR ? at - 1 : at;
      if (this.#isAddedUsage(end)) {
        out.push(bytes.subarray(passedTo, this.#event.from));
        this.#removedBytes += this.#heldBytes + at - this.#event.from;
        this.#dropsLf = at === bytes.length && this.#scanner.endsWithCr;
        passedTo = at;
      } else {
        out.push(...this.#held);
      }
      this.#nextEvent();
    }
    if (this.#holdsBack(bytes.length)) {
      out.push(bytes.subarray(passedTo, this.#event.from));
      this.#hold(bytes.subarray(this.#event.from));
    } else {
      out.push(...this.#held, bytes.subarray(passedTo));
      this.#release();
    }
    // In the next read it began before the first byte.
    if (this.#event.from !== NO_EVENT) this.#event.from = 0;
    return joined(out);
  }

  /** The stream has ended. @returns what was held back, or null */
  end(): Uint8Array | null {
    const held = this.#held;
    const isAdded = this.#heldBytes > 0 && this.#isAddedUsage(this.#event.from);
    if (isAdded) this.#removedBytes += this.#heldBytes;
    this.#release();
    return isAdded ? null : joined(held);
  }

  get atEventBoundary(): boolean {
    return this.#heldBytes === 0 && this.#scanner.atBoundary;
  }

  /** The stream broke off: what is held back is part of an event, and dropped. @returns whether the client has whole events only */
  drop(): boolean {
    const hasWholeEvents = this.#heldBytes > 0 || this.#scanner.atBoundary;
    this.#removedBytes += this.#heldBytes;
    this.#release();
    return hasWholeEvents;
  }

  /** Whole events at the start of a read that cannot be the one. @returns behind the last of them */
  #skipOthers(bytes: Uint8Array): number {
    const end = lastBlankLine(bytes, 0, bytes.length);
    const usage = keyWithValue(bytes, USAGE_KEY, 0, end);
    const to = usage === end ? end : lastBlankLine(bytes, 0, usage);
    if (to > 0) this.#scanner.skipped();
    return to;
  }

  /** @param end of the event, in the bytes at hand */
  #isAddedUsage(end: number): boolean {
    return this.#event.isUsageOnly && this.#bytesTo(end) <= EVENT_BYTES_MAX;
  }

  #holdsBack(end: number): boolean {
    return this.#event.from !== NO_EVENT && !this.#event.hasOther && this.#bytesTo(end) <= EVENT_BYTES_MAX;
  }

  #bytesTo(end: number): number {
    return this.#heldBytes + end - this.#event.from;
  }

  /** A copy: the read may be large, and it must not be kept alive for its last few bytes. */
  #hold(bytes: Uint8Array): void {
    this.#held.push(new Uint8Array(bytes));
    this.#heldBytes += bytes.length;
  }

  /** Nothing is held back of the event at hand, and nothing will be any more. */
  #release(): void {
    this.#held = [];
    this.#heldBytes = 0;
    this.#event.hasOther = true;
  }

  #nextEvent(): void {
    this.#release();
    this.#event.from = NO_EVENT;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array | null {
  const filled = parts.filter((part) => part.length > 0);
  return filled.length > 1 ? Buffer.concat(filled) : (filled[0] ?? null);
}
