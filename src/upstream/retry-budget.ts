/**
 * How many further attempts are allowed: a share of the requests of the last ten seconds, so that retries cannot double the
 * load of a platform in trouble. Times are arguments.
 */

const BUCKETS = 10;
const BUCKET_MS = 1000;
/** With few requests a share of them would be nothing. */
const RETRIES_MIN = 3;

export class RetryBudget {
  readonly #percent: number;
  readonly #requests = new Array<number>(BUCKETS).fill(0);
  readonly #retries = new Array<number>(BUCKETS).fill(0);
  /** The bucket that is counted in, as whole seconds. */
  #second = 0;

  constructor(percent: number) {
    this.#percent = percent;
  }

  /** A request has come. */
  request(nowMs: number): void {
    this.#advance(nowMs);
    this.#requests[this.#second % BUCKETS]!++;
  }

  /** Further attempts that are allowed now. */
  left(nowMs: number): number {
    this.#advance(nowMs);
    const allowed = Math.max(RETRIES_MIN, Math.floor((sum(this.#requests) * this.#percent) / 100));
    return Math.max(0, allowed - sum(this.#retries));
  }

  /** @returns false when there is none left */
  take(nowMs: number): boolean {
    if (this.left(nowMs) === 0) return false;
    this.#retries[this.#second % BUCKETS]!++;
    return true;
  }

  /** A clock that was set back goes on with the current bucket. */
  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / BUCKET_MS);
    if (second <= this.#second) return;
    const passed = Math.min(BUCKETS, second - this.#second);
    for (let i = 1; i <= passed; i++) {
      this.#requests[(second - passed + i) % BUCKETS] = 0;
      this.#retries[(second - passed + i) % BUCKETS] = 0;
    }
    this.#second = second;
  }
}

function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
