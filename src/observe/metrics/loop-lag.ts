/** How late the event loop is: the longest delay of a timer in the last ten to twenty seconds. */
const INTERVAL_MS = 100;
const HALF_MS = 10_000;

export class LoopLag {
  #lastMs = performance.now();
  #halfBeganAtMs = this.#lastMs;
  #maxMs = 0;
  #maxBeforeMs = 0;
  readonly #timer = setInterval(() => this.#tick(), INTERVAL_MS).unref();

  get maxMs(): number {
    // A loop that has just been busy has not come to the timer yet.
    const lateMs = performance.now() - this.#lastMs - INTERVAL_MS;
    return Math.max(this.#maxMs, this.#maxBeforeMs, lateMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#maxMs = Math.max(this.#maxMs, nowMs - this.#lastMs - INTERVAL_MS);
    this.#lastMs = nowMs;
    if (nowMs - this.#halfBeganAtMs < HALF_MS) return;
    this.#halfBeganAtMs = nowMs;
    this.#maxBeforeMs = this.#maxMs;
    this.#maxMs = 0;
  }
}
