/** What went wrong with usage records, told once a second at the most. */
import type { StoreError } from '../store/store-error.ts';
import type { Scheduler } from './scheduler.ts';

/** What went wrong since the last report. */
export interface UsageTrouble {
  readonly dropped: number;
  /** Accepted and not in the store. */
  readonly waiting: number;
  /** Of those: in a file. */
  readonly spilled: number;
  /** The store's last error; null when rows were dropped and nothing failed. */
  readonly error: StoreError | null;
  /** Why no more can be spilled; null when it can, or was not needed. */
  readonly spillError: unknown;
}

/** The state when the report is made. */
type UsageState = Pick<UsageTrouble, 'waiting' | 'spilled' | 'spillError'>;

const INTERVAL_MS = 1_000;

export class TroubleReport {
  readonly #scheduler: Scheduler;
  readonly #stateNow: () => UsageState;
  readonly #tell: (trouble: UsageTrouble) => void;
  #dropped = 0;
  #failures = 0;
  #toldDropped = 0;
  #error: StoreError | null = null;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | null = null;

  constructor(scheduler: Scheduler, stateNow: () => UsageState, tell: (trouble: UsageTrouble) => void) {
    this.#scheduler = scheduler;
    this.#stateNow = stateNow;
    this.#tell = tell;
  }

  /** Rows that were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  drop(rows: number): void {
    if (rows === 0) return;
    this.#dropped += rows;
    this.soon();
  }

  /** Writes that failed since the start. */
  get failures(): number {
    return this.#failures;
  }

  failed(error: StoreError): void {
    this.#failures++;
    this.#error = error;
    this.soon();
  }

  soon(): void {
    const dueMs = this.#toldAtMs + INTERVAL_MS - this.#scheduler.now();
    this.#cancel ??= this.#scheduler.after(Math.max(0, dueMs), () => this.now());
  }

  /** Tells what is to be told, if anything is. */
  now(): void {
    if (this.#cancel === null) return;
    this.#cancel();
    this.#cancel = null;
    const dropped = this.#dropped - this.#toldDropped;
    const error = this.#error;
    this.#toldAtMs = this.#scheduler.now();
    this.#toldDropped = this.#dropped;
    this.#error = null;
    this.#tell({ dropped, error, ...this.#stateNow() });
  }
}
