/** Records that wait in memory to be written, in batches of the size of a transaction. */
import type { UsageRecord } from './usage-record.ts';
import type { SpilledBatch } from './usage-spill.ts';

export interface RecordBatch {
  readonly records: readonly UsageRecord[];
  /** Where they were read from, and are still; null: they are only here. */
  readonly source: SpillRead | null;
}

/** A batch of the spill that may be written in parts. */
interface SpillRead {
  readonly batch: SpilledBatch;
  rowsLeft: number;
}

export class RecordQueue {
  readonly #batchRows: number;
  /** In order; the last one is still being filled. None is empty. */
  #fresh: UsageRecord[][] = [];
  /** What was tried and is to be tried again, before the others. The next one is the last. */
  #again: RecordBatch[] = [];

  constructor(batchRows: number) {
    this.#batchRows = batchRows;
  }

  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  get hasTried(): boolean {
    return this.#again.length > 0;
  }

  push(record: UsageRecord): void {
    const last = this.#fresh.at(-1);
    if (last !== undefined && last.length < this.#batchRows) last.push(record);
    else this.#fresh.push([record]);
  }

  next(): RecordBatch | null {
    const tried = this.#again.pop();
    if (tried !== undefined) return tried;
    const records = this.#fresh.shift();
    return records === undefined ? null : { records, source: null };
  }

  putBack(batch: RecordBatch): void {
    this.#again.push(batch);
  }

  putBackHalves({ records, source }: RecordBatch): void {
    const half = records.length >> 1;
    this.#again.push({ records: records.slice(half), source }, { records: records.slice(0, half), source });
  }

  /** Takes out all that is only here, in order. */
  takeOnlyHere(): UsageRecord[] {
    const rows = [...this.#onlyHere()];
    this.#again = this.#again.filter(({ source }) => source !== null);
    this.#fresh = [];
    return rows;
  }

  /** What `takeOnlyHere` took. */
  restore(rows: readonly UsageRecord[]): void {
    for (let i = 0; i < rows.length; i += this.#batchRows) this.#fresh.push(rows.slice(i, i + this.#batchRows));
  }

  *onlyHere(keyId: string): Iterable<UsageRecord> {
    for (const record of this.#onlyHere()) if (record.keyId === keyId) yield record;
  }

  *#onlyHere(): Iterable<UsageRecord> {
    for (const { records, source } of this.#again.toReversed()) if (source === null) yield* records;
    for (const records of this.#fresh) yield* records;
  }
}

/** When each key was used last. */
export function lastUseOf(batch: readonly UsageRecord[]): Map<string, number> {
  const lastUsedAt = new Map<string, number>();
  for (const { keyId, startedAt } of batch) {
    const known = lastUsedAt.get(keyId);
    if (known === undefined || startedAt > known) lastUsedAt.set(keyId, startedAt);
  }
  return lastUsedAt;
}
