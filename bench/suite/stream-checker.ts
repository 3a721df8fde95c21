/**
 * Checks one answer as it arrives. Every event of every stream of a measurement is checked here for order, completeness and
 * bytes, during the measurement itself.
 */
import { DONE, type ExpectedAnswer, matches, numberIn, timeIn } from './expected-answer.ts';

export interface Faults {
  /** Events that came after one with a higher number. */
  order: number;
  missing: number;
  duplicate: number;
  /** Events whose bytes differ from upstream's. */
  altered: number;
  /** Streams that ended without `[DONE]`, although HTTP ended in order. */
  truncated: number;
  /** Answers with a different status. */
  status: number;
  /** Connections that ended or failed in the middle of an answer, and timeouts. */
  broken: number;
}

export function noFaults(): Faults {
  return { order: 0, missing: 0, duplicate: 0, altered: 0, truncated: 0, status: 0, broken: 0 };
}

export function addFaults(to: Faults, more: Faults): void {
  for (const kind of Object.keys(more) as (keyof Faults)[]) to[kind] += more[kind];
}

export function faultCount(faults: Faults): number {
  return Object.values(faults).reduce((sum, count) => sum + count, 0);
}

/** @param sentNs when upstream created the event; -1 when it has no time */
type OnEvent = (sentNs: number) => void;

export class StreamChecker {
  readonly faults = noFaults();
  readonly #expected: ExpectedAnswer;
  readonly #onEvent: OnEvent;
  /** Position of the next expected event, while there was no mismatch. */
  #next = 0;
  /** How often each number was seen; from the first mismatch on. */
  #seen: Uint16Array | null = null;
  #highest = -1;
  #sawDone = false;
  /** Pieces of the incomplete event. */
  #parts: Buffer[] = [];

  constructor(expected: ExpectedAnswer, onEvent: OnEvent) {
    this.#expected = expected;
    this.#onEvent = onEvent;
  }

  push(piece: Buffer): void {
    let start = 0;
    while (start < piece.length) {
      const end = this.#eventEnd(piece, start);
      if (end < 0) {
        this.#parts.push(piece.subarray(start));
        return;
      }
      const last = piece.subarray(start, end);
      if (this.#parts.length === 0) this.#event(last);
      else this.#event(Buffer.concat([...this.#parts.splice(0), last]));
      start = end;
    }
  }

  /** The answer has ended. */
  end(status: number): Faults {
    if (this.#parts.length > 0) this.#event(Buffer.concat(this.#parts));
    const { expected, faults } = { expected: this.#expected, faults: this.faults };
    if (status !== expected.status) faults.status++;
    if (expected.done && !this.#sawDone) faults.truncated++;
    this.#count();
    return faults;
  }

  /** The offset after the blank line, which may begin in the previous piece; -1 when it has not come yet. */
  #eventEnd(piece: Buffer, start: number): number {
    const before = this.#parts.at(-1);
    if (start === 0 && before && before[before.length - 1] === LF && piece[0] === LF) return 1;
    const blank = piece.indexOf('\n\n', start, 'latin1');
    return blank < 0 ? -1 : blank + 2;
  }

  #event(event: Buffer): void {
    this.#onEvent(timeIn(event));
    if (event.equals(DONE)) this.#sawDone = true;
    const due = this.#seen === null ? this.#expected.events[this.#next] : undefined;
    if (due && matches(event, due)) {
      this.#next++;
      return;
    }
    this.#mismatch(event);
  }

  /** Not the expected event. From now on numbers are counted one by one. */
  #mismatch(event: Buffer): void {
    this.#seen ??= this.#countsSoFar();
    const number = numberIn(event);
    const own = this.#expected.events.find((candidate) =>
      number >= 0 ? candidate.number === number : candidate.number < 0 && matches(event, candidate),
    );
    if (!own || !matches(event, own)) this.faults.altered++;
    if (!own || number < 0) return;
    if (number < this.#highest && this.#seen[number] === 0) this.faults.order++;
    this.#highest = Math.max(this.#highest, number);
    this.#seen[number] = this.#seen[number]! + 1;
  }

  #countsSoFar(): Uint16Array {
    const seen = new Uint16Array(this.#expected.numbered);
    for (const { number } of this.#expected.events.slice(0, this.#next)) {
      if (number < 0) continue;
      seen[number] = 1;
      this.#highest = number;
    }
    return seen;
  }

  #count(): void {
    const seen = this.#seen ?? this.#countsSoFar();
    for (const count of seen) {
      if (count === 0) this.faults.missing++;
      else this.faults.duplicate += count - 1;
    }
    // Without numbers, only the count shows that something is missing.
    if (this.#expected.numbered === 0 && this.#seen === null && this.#next < this.#expected.events.length) {
      this.faults.missing += this.#expected.events.length - this.#next;
    }
  }
}

const LF = 0x0a;
