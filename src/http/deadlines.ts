/**
 * Every wait of the data plane has a bound. One shared ticker looks at all exchanges in flight, so that a chunk costs a
 * flag set in a field, and never a look at the clock or a timer armed and cleared.
 */
export interface Watched {
  /** Its index in the list of watched exchanges. Only `Deadlines` changes it; `NOT_WATCHED` at first. */
  watchIndex: number;
  /** Called every tick while watched; ends the exchange when one of its bounds has passed. */
  check(nowMs: number): void;
  /** Ends the exchange at once: the gateway shuts down. @param error for a client that has not been answered yet */
  cut(error: Error): void;
}

export const NOT_WATCHED = -1;

/** A deadline, and what happens when it has passed (at every tick until it is deleted) or is cut short. */
export class Deadline implements Watched {
  watchIndex = NOT_WATCHED;
  readonly #atMs: number;
  readonly #end: (cut: Error | null) => void;

  /**
   * @param atMs by `performance.now()`
   * @param end is given the error of a cut, null when the time is over
   */
  constructor(atMs: number, end: (cut: Error | null) => void) {
    this.#atMs = atMs;
    this.#end = end;
  }

  check(nowMs: number): void {
    if (nowMs > this.#atMs) this.#end(null);
  }

  cut(error: Error): void {
    this.#end(error);
  }
}

/**
 * A bound is kept to a quarter of itself, or to twice this when the bound is long: one tick to learn that a byte came, one
 * to see that none does.
 */
const TICK_MS_MAX = 250;
const TICK_MS_MIN = 5;

export class Deadlines {
  /**
   * In no order: what is deleted is replaced by the last. A Set, with two entries made and deleted for each request, cost 7%
   * of a saturated gateway's time and made its TTFB p99 half as long again (streambench.py `burst`).
   */
  readonly #watched: Watched[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #cutError: Error | null = null;
  readonly #tickMs: number;

  /** @param shortestBoundMs the smallest of all bounds that will be checked, for the length of the tick */
  constructor(shortestBoundMs: number) {
    this.#tickMs = Math.max(TICK_MS_MIN, Math.min(TICK_MS_MAX, shortestBoundMs / 8));
  }

  add(watched: Watched): void {
    if (watched.watchIndex !== NOT_WATCHED) return;
    watched.watchIndex = this.#watched.push(watched) - 1;
    const cutError = this.#cutError;
    // In a microtask, because the caller has not finished yet.
    if (cutError !== null) queueMicrotask(() => watched.watchIndex !== NOT_WATCHED && watched.cut(cutError));
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#tick(), this.#tickMs);
    // It outlives the last exchange, see #tick(), and must not keep an idle process alive.
    this.#timer.unref();
  }

  delete(watched: Watched): void {
    const { watchIndex } = watched;
    if (watchIndex === NOT_WATCHED) return;
    watched.watchIndex = NOT_WATCHED;
    const last = this.#watched.pop()!;
    if (last === watched) return;
    this.#watched[watchIndex] = last;
    last.watchIndex = watchIndex;
  }

  /** Ends all that is watched, and whatever is added later. */
  cut(error: Error): void {
    this.#cutError = error;
    for (const watched of [...this.#watched]) if (watched.watchIndex !== NOT_WATCHED) watched.cut(error);
  }

  /** Only an idle tick ends the ticker: under light load the last exchange would otherwise end it each time, and the next arm it. */
  #tick(): void {
    if (this.#watched.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const nowMs = performance.now();
    for (let index = 0; index < this.#watched.length; ) {
      const watched = this.#watched[index]!;
      watched.check(nowMs);
      // What was deleted has been replaced by one that has not been looked at yet.
      if (this.#watched[index] === watched) index++;
    }
  }
}
