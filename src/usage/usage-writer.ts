/**
 * Takes usage records off the request path and into the store, some at a time.
 *
 * Guarantees: `record` only appends to an array, it never waits and never throws. An accepted record is written within
 * `flushIntervalMs` while the store is well. When the store refuses a second time in a row, what waits goes into a spill
 * file, and so does all that follows until the store takes records again: a crash then loses no more than at other times.
 * Only what neither of them takes waits here, up to `queueRowsMax`; what is refused beyond that is counted. No
 * transaction has more than `transactionRows` rows, because a store may run on the event loop's own thread, and the loop
 * runs between two transactions.
 *
 * Phases: idle (a flush may be due), writing (a batch is at the store), waiting (the store failed and is tried again
 * later), closed. One timer serves all of them.
 */
import { type StoreError, toStoreError } from '../store/store-error.ts';
import { lastUseOf, type RecordBatch, RecordQueue } from './record-queue.ts';
import { REAL_TIME, type Scheduler } from './scheduler.ts';
import { TroubleReport } from './trouble-report.ts';
import type { UsageRecord } from './usage-record.ts';
import type { UsageSpill } from './usage-spill.ts';
import type { UsageWriterOptions } from './usage-writer-options.ts';
import { UseTally } from './use-tally.ts';

export interface UsageSink {
  insertUsage(records: readonly UsageRecord[], lastUsedAt: ReadonlyMap<string, number>): Promise<void>;
}

export interface UsageClosing {
  /** In files, for the next start. */
  readonly spilled: number;
  /** Neither in the store nor in a file. */
  readonly lost: number;
}

const RETRY_MAX_MS = 1_000;
/** Between two batches that are read back from a file: the streams come first. */
const REPLAY_PAUSE_MS = 5;
const SPILL_RETRY_MS = 1_000;

type Phase = 'idle' | 'writing' | 'waiting' | 'closed';
const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
  idle: ['idle', 'writing', 'closed'],
  writing: ['idle', 'waiting', 'closed'],
  waiting: ['idle', 'writing', 'closed'],
  closed: [],
};

interface Flush {
  readonly target: number;
  readonly done: (isWritten: boolean) => void;
}

export class UsageWriter {
  readonly #sink: UsageSink;
  readonly #spill: UsageSpill | null;
  readonly #flushIntervalMs: number;
  readonly #transactionRows: number;
  readonly #flushRows: number;
  readonly #queueRowsMax: number;
  readonly #retryMs: number;
  readonly #slowWriteMs: number;
  readonly #scheduler: Scheduler;
  readonly #report: TroubleReport;
  readonly #queue: RecordQueue;

  #phase: Phase = 'idle';
  #writing: RecordBatch | null = null;
  #writesBegun = 0;
  #writeBegunAtMs = 0;
  /** Rows that were taken into memory, and rows that went from there to the store, into a file, or were lost. */
  #accepted = 0;
  #gone = 0;
  /** Rows of the drain under way: what comes in meanwhile waits for the next, because many small commits cost more. */
  #drainRows = 0;
  #drainBegunAtMs = 0;
  #failures = 0;
  #pauseMs: number;
  #retryAtMs = 0;
  #cancelTimer: (() => void) | null = null;
  #flushes: Flush[] = [];
  #onWriteEnd: (() => void)[] = [];
  /** What is in files and was recorded by this process. */
  readonly #spilledUse = new UseTally();
  /** A spill that failed is not tried again before. */
  #spillRetryAtMs = 0;

  constructor(sink: UsageSink, options: UsageWriterOptions = {}) {
    this.#sink = sink;
    this.#spill = options.spill ?? null;
    this.#flushIntervalMs = options.flushIntervalMs ?? 60;
    this.#transactionRows = options.transactionRows ?? 250;
    this.#flushRows = options.flushRows ?? 1_000;
    this.#queueRowsMax = options.queueRowsMax ?? 100_000;
    this.#retryMs = options.retryMs ?? 20;
    this.#slowWriteMs = options.slowWriteMs ?? 1_000;
    this.#pauseMs = this.#retryMs;
    this.#scheduler = options.scheduler ?? REAL_TIME;
    this.#queue = new RecordQueue(this.#transactionRows);
    const stateNow = () => ({
      waiting: this.waiting,
      spilled: this.#spill?.rows ?? 0,
      spillError: this.#spill?.error ?? null,
    });
    this.#report = new TroubleReport(this.#scheduler, stateNow, options.onTrouble ?? (() => {}));
  }

  /** Rows accepted and not yet in the store. */
  get waiting(): number {
    return this.#inMemory + (this.#spill?.rows ?? 0);
  }

  /** Rows lost since the start: neither store nor file took them, the writer was closed, or the store refused the row. */
  get dropped(): number {
    return this.#report.dropped;
  }

  /** Writes that the store refused since the start. */
  get failedWrites(): number {
    return this.#report.failures;
  }

  /** Lines of spill files that were no records. */
  get skippedLines(): number {
    return this.#spill?.skipped ?? 0;
  }

  /** How many writes were begun: as long as it stays the same between two writes, the store was not written to. */
  get writesBegun(): number {
    return this.#writesBegun;
  }

  record(record: UsageRecord): void {
    if (this.#inMemory >= this.#queueRowsMax) this.#spillWaiting();
    if (this.#phase === 'closed' || this.#inMemory >= this.#queueRowsMax) {
      this.#report.drop(1);
      return;
    }
    this.#queue.push(record);
    this.#accepted++;
    if (this.#phase !== 'idle') return;
    if (this.#inMemory === this.#flushRows) this.#setTimer(0);
    else if (this.#cancelTimer === null) this.#setTimer(this.#flushIntervalMs);
  }

  /** Reads what other processes left in files, after the rows that wait already. @returns how many rows there are */
  takeUpSpilled(): number {
    const rows = this.#spill?.takeUp() ?? 0;
    if (this.#phase === 'idle') this.#setTimer(0);
    return rows;
  }

  /**
   * Writes what was accepted so far, and what is in files, now.
   * @returns whether all of it is in the store; false when the deadline passed first, and then the rows keep waiting
   */
  async flush(deadlineMs = 5_000): Promise<boolean> {
    const target = this.#accepted;
    if (this.#isFlushed(target)) return this.#phase !== 'closed' || this.#report.dropped === 0;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const flush = { target, done: resolve };
    this.#flushes.push(flush);
    const cancel = this.#scheduler.after(Math.max(1, deadlineMs), () => resolve(false));
    // Also in the pause after a failure.
    if (this.#phase !== 'writing') this.#setTimer(0);
    this.#retryAtMs = 0;
    const isWritten = await promise;
    cancel();
    this.#flushes = this.#flushes.filter((other) => other !== flush);
    return isWritten;
  }

  /** Writes what waits, puts what the deadline leaves into a file, and accepts nothing more. */
  async close(deadlineMs = 5_000): Promise<UsageClosing> {
    if (this.#phase !== 'closed') {
      const endMs = this.#scheduler.now() + deadlineMs;
      // Once more for what came in meanwhile.
      do await this.flush(endMs - this.#scheduler.now());
      while (!this.#isFlushed(this.#accepted) && this.#scheduler.now() < endMs);
      this.#cancelTimer?.();
      this.#cancelTimer = null;
      // A write under way may still succeed. Its records go into the file as well: the store knows records by their id.
      const atStore = this.#writing?.source === null ? this.#writing.records : [];
      const rest = [...atStore, ...this.#queue.takeOnlyHere()];
      this.#enter('closed');
      this.#report.drop(rest.length - this.#spillRows(rest));
      this.#gone += rest.length;
      this.#spill?.sync();
      for (const { done } of this.#flushes) done(false);
      this.#report.now();
    }
    return { spilled: this.#spill?.rows ?? 0, lost: this.#report.dropped };
  }

  /** Resolves when no write is under way, at once when there is none. */
  betweenWrites(): Promise<void> {
    if (this.#phase !== 'writing') return Promise.resolve();
    return new Promise((resolve) => this.#onWriteEnd.push(resolve));
  }

  /** What a key used, by UTC day, in records that are not in the store. To be asked between two writes. */
  unwrittenUse(keyId: string): UseTally {
    const tally = new UseTally();
    for (const [day, { requests, tokens }] of this.#spilledUse.of(keyId)) tally.add(keyId, day, requests, tokens);
    for (const record of this.#queue.onlyHere(keyId)) tally.addRecord(record, 1);
    return tally;
  }

  get #inMemory(): number {
    return this.#accepted - this.#gone;
  }

  #setTimer(ms: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#scheduler.after(ms, () => {
      this.#cancelTimer = null;
      this.#tick();
    });
  }

  #tick(): void {
    if (this.#phase === 'writing') {
      // The store takes its time.
      this.#spillWaiting();
      this.#setTimer(this.#flushIntervalMs);
    } else if (this.#phase === 'waiting' && this.#scheduler.now() < this.#retryAtMs) {
      // A timer may be early, and one failure is no trouble yet.
      if (this.#failures > 1) this.#spillWaiting();
      this.#waitForRetry();
    } else if (this.#phase !== 'closed') {
      this.#beginDrain();
    }
  }

  #beginDrain(): void {
    this.#drainRows = this.#inMemory;
    this.#drainBegunAtMs = this.#scheduler.now();
    this.#writeNext();
  }

  #writeNext(): void {
    const batch = this.#queue.next() ?? this.#nextOfSpill();
    if (batch === null) {
      this.#enter('idle');
      // Files that cannot be read, or that another process has taken over, are not ours to count any more.
      this.#spilledUse.clear();
      this.#settleFlushes();
      return;
    }
    this.#enter('writing');
    this.#writing = batch;
    this.#writesBegun++;
    this.#writeBegunAtMs = this.#scheduler.now();
    this.#setTimer(this.#slowWriteMs);
    this.#sink.insertUsage(batch.records, lastUseOf(batch.records)).then(
      () => this.#written(batch),
      (error: unknown) => this.#failed(batch, toStoreError(error, 'write usage')),
    );
  }

  #nextOfSpill(): RecordBatch | null {
    const batch = this.#spill?.read(this.#transactionRows) ?? null;
    if (batch === null) return null;
    return { records: batch.records, source: { batch, rowsLeft: batch.records.length } };
  }

  #written(batch: RecordBatch): void {
    // Its rows are in a file by now, and its phase is over.
    if (this.#phase === 'closed') return;
    this.#failures = 0;
    this.#pauseMs = this.#retryMs;
    this.#endWrite('idle');
    this.#settle(batch);
    this.#goOn();
  }

  #failed(batch: RecordBatch, error: StoreError): void {
    if (this.#phase === 'closed') return;
    this.#endWrite(error.kind === 'rejected' ? 'idle' : 'waiting');
    // Another process has written just then: no trouble, unless it still holds the lock after the first pause.
    const isPassing = error.kind === 'busy' && this.#failures === 0;
    if (!isPassing) this.#report.failed(error);
    if (error.kind === 'rejected') {
      this.#isolate(batch);
      this.#goOn();
      return;
    }
    // A slow write counts as two failures: its rows have waited long enough.
    this.#failures += this.#scheduler.now() - this.#writeBegunAtMs < this.#slowWriteMs ? 1 : 2;
    this.#queue.putBack(batch);
    this.#retryAtMs = this.#scheduler.now() + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, RETRY_MAX_MS);
    if (this.#failures > 1) this.#spillWaiting();
    this.#waitForRetry();
  }

  #endWrite(next: Phase): void {
    this.#enter(next);
    this.#writing = null;
    for (const resolve of this.#onWriteEnd.splice(0)) resolve();
  }

  /** Behind a write: what is next, and when. */
  #goOn(): void {
    this.#settleFlushes();
    const isDrained = !this.#queue.hasTried && (this.#drainRows <= 0 || !this.#queue.hasFresh);
    if (!isDrained || this.#flushes.length > 0 || this.#inMemory >= this.#flushRows) {
      // An iteration of the event loop for the streams.
      this.#continueAfter(0);
    } else if (this.#queue.hasFresh) {
      // The interval began with the drain, so that no row waits for both.
      this.#setTimer(Math.max(0, this.#drainBegunAtMs + this.#flushIntervalMs - this.#scheduler.now()));
    } else if (this.#spill !== null && !this.#spill.isEmpty) {
      this.#continueAfter(REPLAY_PAUSE_MS);
    } else {
      this.#cancelTimer?.();
      this.#cancelTimer = null;
    }
  }

  #continueAfter(ms: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#scheduler.after(ms, () => {
      this.#cancelTimer = null;
      if (this.#drainRows <= 0) this.#beginDrain();
      else this.#writeNext();
    });
  }

  /** Meanwhile new rows go into the file as often as they would be written. */
  #waitForRetry(): void {
    const retryMs = this.#retryAtMs - this.#scheduler.now();
    this.#setTimer(this.#failures > 1 ? Math.min(retryMs, this.#flushIntervalMs) : retryMs);
  }

  /** One row that the store will never take must not hold up the others: halve until it is alone. */
  #isolate(batch: RecordBatch): void {
    if (batch.records.length > 1) {
      this.#queue.putBackHalves(batch);
      return;
    }
    this.#report.drop(1);
    this.#settle(batch);
  }

  #settle({ records, source }: RecordBatch): void {
    if (source === null) {
      this.#gone += records.length;
      this.#drainRows -= records.length;
      return;
    }
    if (source.batch.own) for (const record of records) this.#spilledUse.addRecord(record, -1);
    source.rowsLeft -= records.length;
    if (source.rowsLeft === 0) source.batch.done();
  }

  /** Rows that are only in memory go into a file, as far as it takes them. */
  #spillWaiting(): void {
    if (this.#scheduler.now() < this.#spillRetryAtMs) return;
    const rows = this.#queue.takeOnlyHere();
    const spilled = this.#spillRows(rows);
    this.#gone += spilled;
    this.#drainRows = 0;
    if (spilled < rows.length) {
      this.#spillRetryAtMs = this.#scheduler.now() + SPILL_RETRY_MS;
      this.#queue.restore(rows.slice(spilled));
    }
    this.#settleFlushes();
  }

  /** In pieces of the size of a transaction. @returns how many rows the file took, from the first one on */
  #spillRows(rows: readonly UsageRecord[]): number {
    let spilled = 0;
    while (spilled < rows.length) {
      const piece = rows.slice(spilled, spilled + this.#transactionRows);
      if (this.#spill === null || !this.#spill.append(piece)) break;
      for (const record of piece) this.#spilledUse.addRecord(record, 1);
      spilled += piece.length;
    }
    if (this.#spill !== null && rows.length > 0) this.#report.soon();
    return spilled;
  }

  #enter(phase: Phase): void {
    if (!NEXT[this.#phase].includes(phase)) throw new Error(`usage writer: ${this.#phase} to ${phase}`);
    this.#phase = phase;
  }

  #isFlushed(target: number): boolean {
    return this.#gone >= target && (this.#spill === null || this.#spill.isEmpty);
  }

  #settleFlushes(): void {
    for (const { target, done } of this.#flushes) if (this.#isFlushed(target)) done(true);
  }
}
