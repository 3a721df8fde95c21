/**
 * Every wait of the data plane has a bound. One shared ticker looks at all exchanges in flight, so that a chunk costs
 * a number written to a field and never a timer armed and cleared.
 */
export interface Watched {
  /** Called every tick while registered; ends the exchange when one of its bounds has passed. */
  check(nowMs: number): void;
}

/** A bound is kept to a quarter of itself, or to this when the bound is long. */
const TICK_MS_MAX = 250;
const TICK_MS_MIN = 5;

export class Deadlines {
  private readonly watched = new Set<Watched>();
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly tickMs: number;

  /** @param shortestBoundMs the smallest of all bounds that will be checked, for the length of the tick */
  constructor(shortestBoundMs: number) {
    this.tickMs = Math.max(TICK_MS_MIN, Math.min(TICK_MS_MAX, shortestBoundMs / 4));
  }

  add(watched: Watched): void {
    this.watched.add(watched);
    if (this.timer !== undefined) return;
    this.timer = setInterval(() => this.tick(), this.tickMs);
    // It outlives the last exchange, see tick(), and must not keep a process alive that has nothing else to do.
    this.timer.unref();
  }

  delete(watched: Watched): void {
    this.watched.delete(watched);
  }

  /** Only an idle tick ends the ticker: under light load the last exchange would otherwise end it each time, and the next arm it. */
  private tick(): void {
    if (this.watched.size === 0) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    const nowMs = performance.now();
    for (const watched of this.watched) watched.check(nowMs);
  }
}
