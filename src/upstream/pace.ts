/**
 * In a crowd, work that was begun goes on before more is begun. When hundreds of requests are there in the same moment and
 * all are sent at once, all of their answers come at once too: the first waits until the last request has been read, and
 * every client waits as long as the last. So of a crowd only some are sent in one turn of the event loop, and those that
 * wait are next, in order, before any that come later. It never waits for the network: the next turn is at once. A single
 * request, or some thousands a second that come evenly, are never held up.
 *
 * streambench.py: `trickle` (250 clients) chunk age p99 0.6 of what it is without, `open` (4,000 at once) TTFB p50 0.75 and
 * chunk age p99 1 ms instead of 120.
 */

/**
 * So many within so short a time are a crowd. Nobody tells where a turn of the loop ends unless it is asked, which costs
 * one more: with a crowd of 4 within 1 ms a gateway that 32 clients saturate (`burst`) did 4% less. 40 such clients are none.
 */
export const CROWD = 40;
export const CROWD_MS = 2;
/** Of 4, 8, 16 and 32: the fewer, the younger the chunks, and with 4 the additional turns are not yet seen in the cost. */
export const BEGUN_PER_TURN = 4;

export interface Beginner {
  /** @param nowMs by `performance.now()` */
  begin(nowMs: number): void;
}

export class Pace {
  #begun = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;
  /** Bounded by the requests in flight, which MAX_CONCURRENT_REQUESTS bounds. */
  readonly #waiting: Beginner[] = [];

  /** Begins it now or in one of the next turns. @param nowMs by `performance.now()` */
  begin(beginner: Beginner, nowMs: number): void {
    if (nowMs - this.#sinceMs > CROWD_MS) {
      this.#sinceMs = nowMs;
      this.#begun = 0;
    }
    if (this.#waiting.length === 0 && this.#begun < CROWD) {
      this.#begun++;
      beginner.begin(nowMs);
    } else if (this.#waiting.push(beginner) === 1) {
      setImmediate(this.#nextTurn);
    }
  }

  readonly #nextTurn = () => {
    const next = this.#waiting.splice(0, BEGUN_PER_TURN);
    if (this.#waiting.length > 0) setImmediate(this.#nextTurn);
    const nowMs = performance.now();
    for (const beginner of next) beginner.begin(nowMs);
  };
}
