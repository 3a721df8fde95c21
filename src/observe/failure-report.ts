/** Counts failures that may come by the thousand, and tells of them once a second at the most. */

export interface Failures {
  /** Since the last report. */
  readonly count: number;
  readonly error: unknown;
}

const INTERVAL_MS = 1_000;

export class FailureReport {
  readonly #report: (failures: Failures) => void;
  readonly #intervalMs: number;
  #total = 0;
  #reportedTotal = 0;
  #reportedAtMs = Number.NEGATIVE_INFINITY;
  #lastError: unknown = null;
  #timer: Timer | null = null;

  constructor(report: (failures: Failures) => void, intervalMs: number = INTERVAL_MS) {
    this.#report = report;
    this.#intervalMs = intervalMs;
  }

  /** Since the start. */
  get total(): number {
    return this.#total;
  }

  count(error: unknown): void {
    this.#total++;
    this.#lastError = error;
    if (this.#timer !== null) return;
    const dueMs = this.#reportedAtMs + this.#intervalMs - performance.now();
    if (dueMs <= 0) this.#tell();
    // It must not keep a process alive that is done.
    else this.#timer = setTimeout(() => this.#tell(), dueMs).unref();
  }

  #tell(): void {
    const count = this.#total - this.#reportedTotal;
    this.#timer = null;
    this.#reportedAtMs = performance.now();
    this.#reportedTotal = this.#total;
    this.#report({ count, error: this.#lastError });
  }
}

/** One line for the log: what reports of failures that may come by the thousand have room for. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
