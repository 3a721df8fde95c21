/**
 * Burst smoothing: when hundreds of requests arrive in the same moment, work that was begun goes on before more is begun.
 * Otherwise all are sent before the first is answered, and every client waits as long as the last. So of a burst only some
 * requests go on, beyond key and limits, in one turn of the event loop, and those that wait are next, in order, before any
 * that come later. It never waits for the network: the next turn is at once. A single request, or some thousands a second
 * that come evenly, are never delayed.
 *
 * streambench.py: `trickle` (250 clients) chunk age p99 0.6 of what it is without, `open` (4,000 at once) TTFB p50 0.62 and
 * chunk age p99 1 ms instead of 120.
 */

/**
 * This many requests within this time are a burst. Counting by turns of the loop would need a callback in each turn, which
 * costs another one: with a burst of 4 within 1 ms a gateway that 32 clients saturate (`burst`) did 4% less. 40 such clients
 * are none.
 */
export const BURST_REQUESTS = 40;
export const BURST_WINDOW_MS = 2;
/** Tried: 4, 8, 16 and 32. With fewer, chunks are delivered sooner, and with 4 the additional turns do not cost measurably. */
export const BEGUN_PER_TURN = 4;

export class BurstSmoother {
  #begun = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;
  /** Bounded by the requests in flight, which MAX_CONCURRENT_REQUESTS bounds. */
  readonly #waiting: (() => void)[] = [];

  /**
   * When to go on: null means now, as nearly always.
   * @param nowMs by `performance.now()`
   */
  delay(nowMs: number): Promise<void> | null {
    if (nowMs - this.#sinceMs > BURST_WINDOW_MS) {
      this.#sinceMs = nowMs;
      this.#begun = 0;
    }
    if (this.#waiting.length === 0 && this.#begun < BURST_REQUESTS) {
      this.#begun++;
      return null;
    }
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(this.#nextTurn);
    });
  }

  readonly #nextTurn = () => {
    const next = this.#waiting.splice(0, BEGUN_PER_TURN);
    if (this.#waiting.length > 0) setImmediate(this.#nextTurn);
    for (const begin of next) begin();
  };
}
