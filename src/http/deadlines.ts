/**
 * Every wait of the data plane has a bound. One shared ticker looks at all exchanges in flight, so that a chunk costs a
 * flag set in a field, and never a look at the clock or a timer armed and cleared.
 */
export interface Watched {
  /** Where it stands among those that are looked at; for `Deadlines` alone, `NOWHERE` to begin with. */
  place: number;
  /** Called every tick while registered; ends the exchange when one of its bounds has passed. */
  check(nowMs: number): void;
}

/** The `place` of who is not looked at. */
export const NOWHERE = -1;

/** One moment, and what is to happen when it has passed: at every tick until it is deleted. */
export class Deadline implements Watched {
  place = NOWHERE;

  /** @param atMs by `performance.now()` */
  constructor(
    private readonly atMs: number,
    private readonly expire: () => void,
  ) {}

  check(nowMs: number): void {
    if (nowMs > this.atMs) this.expire();
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
   * In no order: who leaves is replaced by the last. A Set, with two entries made and deleted for each request, cost 7%
   * of a saturated gateway's time and made its TTFB p99 half as long again (streambench.py `burst`).
   */
  private readonly watched: Watched[] = [];
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly tickMs: number;

  /** @param shortestBoundMs the smallest of all bounds that will be checked, for the length of the tick */
  constructor(shortestBoundMs: number) {
    this.tickMs = Math.max(TICK_MS_MIN, Math.min(TICK_MS_MAX, shortestBoundMs / 8));
  }

  add(watched: Watched): void {
    if (watched.place !== NOWHERE) return;
    watched.place = this.watched.push(watched) - 1;
    if (this.timer !== undefined) return;
    this.timer = setInterval(() => this.tick(), this.tickMs);
    // It outlives the last exchange, see tick(), and must not keep a process alive that has nothing else to do.
    this.timer.unref();
  }

  delete(watched: Watched): void {
    const { place } = watched;
    if (place === NOWHERE) return;
    watched.place = NOWHERE;
    const last = this.watched.pop()!;
    if (last === watched) return;
    this.watched[place] = last;
    last.place = place;
  }

  /** Only an idle tick ends the ticker: under light load the last exchange would otherwise end it each time, and the next arm it. */
  private tick(): void {
    if (this.watched.length === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    const nowMs = performance.now();
    for (let place = 0; place < this.watched.length; ) {
      const watched = this.watched[place]!;
      watched.check(nowMs);
      // Who left has been replaced by one that has not been looked at yet.
      if (this.watched[place] === watched) place++;
    }
  }
}
