/**
 * Checks that numbered events (`"i":0`, `"i":1`, … in their data, as the mock writes them) arrive in order, once and all.
 * Each violation is counted once: an event after a later one is reordered, a repeated one duplicated, a missing one dropped.
 */

/** Missing numbers that are remembered; beyond that, events that come late count as duplicates. */
const MISSING_MAX = 100_000;

export class SequenceCheck {
  reordered = 0;
  duplicated = 0;
  /** Distinct numbers that came. */
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

  /** Numbers that never came: below the highest one, and up to `expected` if that is known and the stream is complete. */
  dropped(expected: number | undefined): number {
    return this.#skipped + Math.max(0, (expected ?? 0) - this.#next);
  }

  /** Numbers beyond the `expected` ones. */
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
