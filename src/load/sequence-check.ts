/**
 * Whether numbered events (`"i":0`, `"i":1`, … in their data, as the mock writes) arrive in order, once and all.
 * Each violation is counted once, under the one name that explains it: an event that comes after a later one is reordered,
 * one that comes again is duplicated, one that never comes is dropped.
 */

/** Numbers remembered as missing; a stream with larger holes is counted, but its late events are called duplicates. */
const MISSING_MAX = 100_000;

export class SequenceCheck {
  reordered = 0;
  duplicated = 0;
  /** How many numbers came, each counted once. */
  seen = 0;
  #next = 0;
  #skipped = 0;
  #missing: Set<number> | undefined;

  /** The next event of the stream has this number. */
  number(number: number): void {
    if (number === this.#next) {
      this.#next++;
      this.seen++;
    } else if (number > this.#next) {
      this.#skip(number);
      this.seen++;
    } else if (this.#missing?.delete(number)) {
      this.#skipped--;
      this.reordered++;
      this.seen++;
    } else {
      this.duplicated++;
    }
  }

  /** Numbers that never came: those below the highest one, and up to `expected` when the stream is whole and it is known. */
  dropped(expected: number | undefined): number {
    return this.#skipped + Math.max(0, (expected ?? 0) - this.#next);
  }

  /** Numbers that came although there should be only `expected` of them. */
  surplus(expected: number | undefined): number {
    return expected === undefined ? 0 : Math.max(0, this.#next - expected);
  }

  #skip(to: number): void {
    this.#missing ??= new Set();
    for (let number = this.#next; number < to && this.#missing.size < MISSING_MAX; number++) this.#missing.add(number);
    this.#skipped += to - this.#next;
    this.#next = to + 1;
  }
}
