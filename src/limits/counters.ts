/**
 * One count in one kind of window each, and what a clock that is set back does to it.
 *
 * A step back neither opens a fresh window (operators set clocks right, clients must not gain by it) nor keeps one open
 * beyond its length, counted from the step: a clock that was a year ahead must not lock keys out for that year.
 */
import { MINUTE_MS } from './windows.ts';

/** Wall time that never goes back: after a step back it continues from where it was. For durations, not for dates. */
export class SteadyTime {
  #lastMs = Number.NEGATIVE_INFINITY;
  #offsetMs = 0;

  at(wallMs: number): number {
    const steadyMs = wallMs + this.#offsetMs;
    if (steadyMs >= this.#lastMs) {
      this.#lastMs = steadyMs;
      return steadyMs;
    }
    this.#offsetMs = this.#lastMs - wallMs;
    return this.#lastMs;
  }
}

/** A window of 60 s that begins with its first request. Takes steady time. */
export class MinuteCounter {
  #startMs = Number.NEGATIVE_INFINITY;
  #count = 0;

  used(steadyMs: number): number {
    return steadyMs < this.#startMs + MINUTE_MS ? this.#count : 0;
  }

  add(steadyMs: number): void {
    if (steadyMs >= this.#startMs + MINUTE_MS) {
      this.#startMs = steadyMs;
      this.#count = 0;
    }
    this.#count++;
  }

  /** How long the open window still lasts; null when none is open. */
  remainingMs(steadyMs: number): number | null {
    const remainingMs = this.#startMs + MINUTE_MS - steadyMs;
    return remainingMs > 0 ? remainingMs : null;
  }
}

/**
 * Counts by the number of a calendar window (day or month). Remembers two windows, the current one and the one before it
 * in time of use, so that a clock that swings about midnight finds both counts as it left them. A window that is reached
 * by a step back and not remembered inherits the current count, because its own is not known any more; the one after it
 * is a fresh one again.
 */
export class CalendarCounter {
  #index = Number.NEGATIVE_INFINITY;
  #count = 0;
  #otherIndex = Number.NEGATIVE_INFINITY;
  #otherCount = 0;

  used(index: number): number {
    if (index !== this.#index) this.#enter(index);
    return this.#count;
  }

  add(index: number, amount: number): void {
    if (index !== this.#index) this.#enter(index);
    this.#count += amount;
  }

  /** Adds to a window that may be over by now; does not move to it, and forgets the amount if the window is forgotten. */
  addLate(index: number, amount: number): void {
    if (index === this.#index) this.#count += amount;
    else if (index === this.#otherIndex) this.#otherCount += amount;
  }

  #enter(index: number): void {
    const leftIndex = this.#index;
    const leftCount = this.#count;
    this.#index = index;
    if (index === this.#otherIndex) this.#count = this.#otherCount;
    else if (index > leftIndex) this.#count = 0;
    this.#otherIndex = leftIndex;
    this.#otherCount = leftCount;
  }
}
