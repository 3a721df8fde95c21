/**
 * The table `usage_pending`: totals that were written with their records, and are not in the tables of totals yet.
 *
 * With many keys in use each batch has few records of each, and adding those up in four tables cost more than the
 * records: 8 of 13 µs with 1,000 keys. So the totals of a batch are first put here, in one row and in the transaction of
 * the records, added up in memory, and brought into their tables every other second. Nothing is lost with the process:
 * what is here is taken over by the next one.
 *
 * What is in memory stands for the rows of this process. Another one may have taken them over, and a transaction may have
 * been undone: `sync` comes first in each transaction and in each read, and reads the rows again when that is so.
 */
import type { Database, Statement } from 'bun:sqlite';
import { type KeyTotals, type ModelTotals, mergeKey } from '../batch-totals.ts';

type PendingModel = [
  day: number,
  model: string,
  requests: number,
  errors: number,
  promptTokens: number,
  cachedTokens: number,
  completionTokens: number,
  reasoningTokens: number,
  totalTokens: number,
  updatedAt: number,
];
type PendingKey = [keyId: string, lastUsedAt: number | null, models: PendingModel[]];

export class PendingTotals {
  readonly #writer = crypto.randomUUID();
  readonly #put: Statement<unknown, [writer: string, totals: string]>;
  readonly #count: Statement<{ rows: number }, [writer: string]>;
  readonly #own: Statement<{ totals: string }, [writer: string]>;
  readonly #foreign: Statement<{ totals: string }, [writer: string]>;
  readonly #delete: Statement<unknown, [writer: string]>;
  readonly #adopt: Statement<unknown, [writer: string]>;
  #keys = new Map<string, KeyTotals>();
  /** Of this process, as they were after the last transaction; -1: not known. */
  #rows = 0;

  constructor(database: Database) {
    this.#put = database.prepare('INSERT INTO usage_pending (writer, totals) VALUES (?, ?)');
    this.#count = database.prepare('SELECT COUNT(*) AS rows FROM usage_pending WHERE writer = ?');
    this.#own = database.prepare('SELECT totals FROM usage_pending WHERE writer = ?');
    this.#foreign = database.prepare('SELECT totals FROM usage_pending WHERE writer <> ?');
    this.#delete = database.prepare('DELETE FROM usage_pending WHERE writer = ?');
    this.#adopt = database.prepare('UPDATE usage_pending SET writer = ?1 WHERE writer <> ?1');
  }

  /** Of this process. */
  get isEmpty(): boolean {
    return this.#keys.size === 0;
  }

  sync(): void {
    if (this.#count.get(this.#writer)?.rows === this.#rows) return;
    this.#keys = new Map();
    const rows = this.#own.all(this.#writer);
    for (const { totals } of rows) for (const key of parse(totals)) mergeKey(this.#keys, key);
    this.#rows = rows.length;
  }

  /** A transaction was undone. */
  forget(): void {
    this.#rows = -1;
  }

  put(keys: ReadonlyMap<string, KeyTotals>): void {
    if (keys.size === 0) return;
    this.#insert(keys.values());
    for (const key of keys.values()) mergeKey(this.#keys, key);
  }

  /** Takes out the totals of so many keys at the most, those that wait longest. */
  take(max: number): KeyTotals[] {
    const taken: KeyTotals[] = [];
    for (const [keyId, key] of this.#keys) {
      if (taken.length === max) break;
      taken.push(key);
      this.#keys.delete(keyId);
    }
    if (taken.length === 0) return taken;
    this.#delete.run(this.#writer);
    this.#rows = 0;
    if (this.#keys.size > 0) this.#insert(this.#keys.values());
    return taken;
  }

  /** Takes over what other processes have put here, whether they are still there or not. */
  adopt(): void {
    if (this.#adopt.run(this.#writer).changes > 0) this.forget();
    this.sync();
  }

  /** Of all processes. */
  all(): KeyTotals[] {
    const keys = new Map<string, KeyTotals>();
    for (const writer of [this.#own, this.#foreign]) {
      for (const { totals } of writer.all(this.#writer)) for (const key of parse(totals)) mergeKey(keys, key);
    }
    return [...keys.values()];
  }

  /** Whatever is pending of a key, of all processes. */
  *of(keyId: string): Iterable<KeyTotals> {
    const own = this.#keys.get(keyId);
    if (own !== undefined) yield own;
    for (const { totals } of this.#foreign.all(this.#writer)) {
      for (const key of parse(totals)) if (key.keyId === keyId) yield key;
    }
  }

  #insert(keys: Iterable<KeyTotals>): void {
    this.#put.run(this.#writer, JSON.stringify(Array.from(keys, pendingKey)));
    this.#rows++;
  }
}

function pendingKey({ keyId, lastUsedAt, models }: KeyTotals): PendingKey {
  return [
    keyId,
    lastUsedAt,
    models.map((row) => [
      row.day,
      row.model,
      row.requests,
      row.errors,
      row.promptTokens,
      row.cachedTokens,
      row.completionTokens,
      row.reasoningTokens,
      row.totalTokens,
      row.updatedAt,
    ]),
  ];
}

function parse(text: string): KeyTotals[] {
  return (JSON.parse(text) as PendingKey[]).map(([keyId, lastUsedAt, models]) => ({
    keyId,
    lastUsedAt,
    models: models.map(modelFrom),
  }));
}

function modelFrom(values: PendingModel): ModelTotals {
  const [day, model, requests, errors, promptTokens, cachedTokens, completionTokens, reasoningTokens] = values;
  return {
    day,
    model,
    requests,
    errors,
    promptTokens,
    cachedTokens,
    completionTokens,
    reasoningTokens,
    totalTokens: values[8],
    updatedAt: values[9],
  };
}
