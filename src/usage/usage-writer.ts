/**
 * Takes usage records off the request path and into the database, some at a time.
 *
 * Guarantees: `record` only appends to an array, it never waits and never throws. An accepted record is written within
 * `flushIntervalMs` while the database is well, and waits here while it is not, up to `queueRowsMax`; what is refused
 * beyond that is counted. No transaction has more than `transactionRows` rows, because Bun runs SQLite on the event
 * loop's own thread, and the loop gets a turn between two transactions.
 */
import { type StoreError, toStoreError } from '../store/store-error.ts';
import type { UsageRecord } from './usage-record.ts';

export interface UsageSink {
  insertUsage(records: readonly UsageRecord[], lastUsedAt: ReadonlyMap<string, number>): Promise<void>;
}

/** What went wrong since the last report. */
export interface UsageTrouble {
  readonly dropped: number;
  readonly waiting: number;
  /** The database's last error; null when rows were dropped and nothing failed. */
  readonly error: StoreError | null;
}

export interface UsageWriterOptions {
  /**
   * How long a record may wait for others. Default 60, to keep what is promised, 100 with the write itself: that takes
   * 0.2 ms for ten records and 15 when SQLite moves its log into the file. With 75 a few of 2,000 a second took 100.
   */
  readonly flushIntervalMs?: number;
  /**
   * Default 250: of ten keys they take 1.3 ms on the event loop, 15 ms when SQLite moves its log into the file; 500 rows
   * take 2.3 and 15 ms. 250 of as many keys take 6 ms.
   */
  readonly transactionRows?: number;
  /** As many waiting rows are written at once, without waiting for the interval. Default 1,000. */
  readonly flushRows?: number;
  /** Default 100,000, about 50 MB. */
  readonly queueRowsMax?: number;
  /** The pause after the first failure; it doubles up to a second. Default 20. */
  readonly retryMs?: number;
  /** Told of trouble once a second at the most. */
  readonly onTrouble?: (trouble: UsageTrouble) => void;
}

const RETRY_MAX_MS = 1_000;
const REPORT_INTERVAL_MS = 1_000;

export class UsageWriter {
  readonly #sink: UsageSink;
  readonly #flushIntervalMs: number;
  readonly #transactionRows: number;
  readonly #flushRows: number;
  readonly #queueRowsMax: number;
  readonly #retryMs: number;
  readonly #onTrouble: (trouble: UsageTrouble) => void;

  /** In order; the last one is still being filled. None is empty. */
  readonly #batches: UsageRecord[][] = [];
  #accepted = 0;
  /** Accepted and then written or lost. */
  #settled = 0;
  #dropped = 0;
  #closed = false;
  /** The deadline of close() has passed: nothing is tried again. */
  #givenUp = false;
  #draining = false;
  #drainTimer: Timer | null = null;
  #drainSoon = false;
  #pauseMs: number;
  /** Ends the pause before the next try. */
  #wake: (() => void) | null = null;
  #flushes: { readonly target: number; readonly done: () => void }[] = [];
  #reportTimer: Timer | null = null;
  #reportedAt = Number.NEGATIVE_INFINITY;
  #reportedDropped = 0;
  #lastError: StoreError | null = null;

  constructor(sink: UsageSink, options: UsageWriterOptions = {}) {
    this.#sink = sink;
    this.#flushIntervalMs = options.flushIntervalMs ?? 60;
    this.#transactionRows = options.transactionRows ?? 250;
    this.#flushRows = options.flushRows ?? 1_000;
    this.#queueRowsMax = options.queueRowsMax ?? 100_000;
    this.#retryMs = options.retryMs ?? 20;
    this.#pauseMs = this.#retryMs;
    this.#onTrouble = options.onTrouble ?? (() => {});
  }

  /** Rows accepted and not yet written. */
  get waiting(): number {
    return this.#accepted - this.#settled;
  }

  /** Rows lost since the start: the queue was full, the writer closed, or the database refused the row itself. */
  get dropped(): number {
    return this.#dropped;
  }

  record(record: UsageRecord): void {
    if (this.#closed || this.waiting >= this.#queueRowsMax) {
      this.#drop(1);
      return;
    }
    const last = this.#batches.at(-1);
    if (last && last.length < this.#transactionRows) last.push(record);
    else this.#batches.push([record]);
    this.#accepted++;
    this.#schedule();
  }

  /**
   * Writes what was accepted so far, now.
   * @returns whether all of it is settled; false when the deadline passed first, and then the rows keep waiting
   */
  async flush(deadlineMs = 5_000): Promise<boolean> {
    const target = this.#accepted;
    if (this.#settled >= target) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const flush = { target, done: resolve };
    this.#flushes.push(flush);
    const timer = setTimeout(resolve, deadlineMs);
    if (this.#wake) this.#wake();
    else this.#drainNow();
    await promise;
    clearTimeout(timer);
    this.#flushes = this.#flushes.filter((other) => other !== flush);
    return this.#settled >= target;
  }

  /** Accepts nothing more, writes what waits, and gives up what the deadline leaves: that is counted as dropped. */
  async close(deadlineMs = 5_000): Promise<boolean> {
    this.#closed = true;
    const complete = await this.flush(deadlineMs);
    if (this.#drainTimer) clearTimeout(this.#drainTimer);
    this.#givenUp = true;
    for (const batch of this.#batches.splice(0)) this.#lose(batch);
    this.#wake?.();
    this.#report();
    return complete;
  }

  #schedule(inMs = this.#flushIntervalMs): void {
    if (this.#draining) return;
    if (this.waiting >= this.#flushRows) this.#drainNow();
    else this.#drainTimer ??= setTimeout(() => void this.#drain(), inMs);
  }

  /** In the loop's next turn: never inside the caller, which may be answering a request. */
  #drainNow(): void {
    if (this.#draining || this.#drainSoon) return;
    this.#drainSoon = true;
    setImmediate(() => void this.#drain());
  }

  /**
   * Writes what waits now. What comes in meanwhile waits for the next time: many small commits cost more. The interval
   * to it began with this drain, so that none waits for both.
   */
  async #drain(): Promise<void> {
    if (this.#drainTimer) clearTimeout(this.#drainTimer);
    this.#drainTimer = null;
    this.#drainSoon = false;
    if (this.#draining) return;
    this.#draining = true;
    const begunAt = performance.now();
    const end = this.#accepted;
    while (this.#batches.length > 0 && this.#settled < end) {
      await this.#writeBatch(this.#batches.shift()!);
      // A turn for the streams.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#draining = false;
    if (this.#batches.length === 0) return;
    if (this.#flushes.length > 0) this.#drainNow();
    else this.#schedule(Math.max(0, begunAt + this.#flushIntervalMs - performance.now()));
  }

  async #writeBatch(batch: UsageRecord[]): Promise<void> {
    try {
      await this.#sink.insertUsage(batch, lastUseOf(batch));
      this.#pauseMs = this.#retryMs;
      this.#settle(batch.length);
    } catch (error) {
      const failure = toStoreError(error, 'write usage');
      // Another process has written just then: no trouble, unless it still holds the lock after the first pause.
      const passing = failure.kind === 'busy' && this.#pauseMs === this.#retryMs && !this.#givenUp;
      if (!passing) {
        this.#lastError = failure;
        this.#reportSoon();
      }
      if (this.#givenUp) this.#lose(batch);
      else if (failure.kind === 'rejected') this.#isolate(batch);
      else await this.#waitToRetry(batch);
    }
  }

  /** One row that the database will never take must not hold up the others: halve until it is alone. */
  #isolate(batch: UsageRecord[]): void {
    if (batch.length > 1) {
      const half = batch.length >> 1;
      this.#batches.unshift(batch.slice(0, half), batch.slice(half));
      return;
    }
    this.#lose(batch);
  }

  async #waitToRetry(batch: UsageRecord[]): Promise<void> {
    this.#batches.unshift(batch);
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, RETRY_MAX_MS);
    this.#wake = resolve;
    await promise;
    this.#wake = null;
    clearTimeout(timer);
  }

  #settle(rows: number): void {
    this.#settled += rows;
    for (const { target, done } of this.#flushes) if (this.#settled >= target) done();
  }

  #lose(batch: readonly UsageRecord[]): void {
    this.#drop(batch.length);
    this.#settle(batch.length);
  }

  #drop(rows: number): void {
    this.#dropped += rows;
    this.#reportSoon();
  }

  #reportSoon(): void {
    const dueMs = this.#reportedAt + REPORT_INTERVAL_MS - performance.now();
    this.#reportTimer ??= setTimeout(() => this.#report(), Math.max(0, dueMs));
  }

  #report(): void {
    if (!this.#reportTimer) return;
    clearTimeout(this.#reportTimer);
    this.#reportTimer = null;
    const dropped = this.#dropped - this.#reportedDropped;
    const error = this.#lastError;
    this.#reportedAt = performance.now();
    this.#reportedDropped = this.#dropped;
    this.#lastError = null;
    this.#onTrouble({ dropped, waiting: this.waiting, error });
  }
}

function lastUseOf(batch: readonly UsageRecord[]): Map<string, number> {
  const lastUsedAt = new Map<string, number>();
  for (const { keyId, startedAt } of batch) {
    const known = lastUsedAt.get(keyId);
    if (known === undefined || startedAt > known) lastUsedAt.set(keyId, startedAt);
  }
  return lastUsedAt;
}
