/**
 * Writes usage: records, their totals by day, month and model, and when keys were last used. Owns the connection that
 * does nothing else.
 *
 * Guarantees: a call is one transaction, all of it or nothing; a record that is there already is skipped and not added up
 * again; what it throws is a StoreError, and the next call starts afresh. It is synchronous: nothing of this process can
 * come between BEGIN and COMMIT. Whoever calls sees to it that no transaction of this process on another connection is
 * open meanwhile: waiting for that one with the event loop stopped would only time out.
 *
 * Why not Bun.SQL, as for keys and all reading: it prepares each statement anew and spends most of that in JavaScript. Ten
 * records of one key took it 0.41 ms of processor time, of ten keys 0.66 ms, twenty times a second: a fifth of what a
 * lightly loaded gateway used. Statements of bun:sqlite that stay prepared took 0.14 and 0.23 ms. The days of a key are
 * read here too, because only here they are known together with what is pending.
 */
import { Database, type Statement } from 'bun:sqlite';
import type { UsageRecord } from '../../usage/usage-record.ts';
import type { UsageDay } from '../../usage/usage-totals.ts';
import {
  type KeyTotals,
  type ModelTotals,
  type PeriodTotals,
  totalsByDay,
  totalsByKey,
  totalsByMonth,
} from '../batch-totals.ts';
import { USAGE_COLUMNS, usageValues, type Value } from '../sql/rows.ts';
import { StoreError, toStoreError } from '../store-error.ts';
import { PendingTotals } from './pending-totals.ts';
import { Segments } from './segments.ts';

/**
 * Of every connection that writes. NORMAL: a committed transaction survives kill -9; only a power cut may lose the last
 * ones.
 */
export const WRITER_PRAGMAS = ['PRAGMA synchronous = NORMAL', 'PRAGMA foreign_keys = ON'];

/** So often pending totals are brought into their tables while there are writes. */
const SETTLE_EVERY_MS = 2_000;
/** Of so many keys at a time: about 3 ms on the event loop. */
const SETTLED_KEYS_MAX = 500;

export class UsageLedger {
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  /** Opened by the first write: a command that lists keys needs none. */
  #connection: Connection | null = null;
  #closed = false;
  #settledAtMs = performance.now();
  #hasWritten = false;

  /** @param path of a database that is migrated and has its write-ahead log */
  constructor(path: string, busyTimeoutMs: number) {
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** @throws StoreError 'busy' when another process still writes after the busy timeout, 'rejected' for a bad record … */
  write(records: readonly UsageRecord[], lastUsedAt: ReadonlyMap<string, number>): void {
    this.#transact((connection) => {
      const { pending } = connection;
      // What a process before this one left.
      if (!this.#hasWritten) pending.adopt();
      pending.put(totalsByKey(insert(connection, records), lastUsedAt));
      if (performance.now() - this.#settledAtMs < SETTLE_EVERY_MS) return;
      addKeys(connection, pending.take(SETTLED_KEYS_MAX));
      if (pending.isEmpty) this.#settledAtMs = performance.now();
    });
    this.#hasWritten = true;
  }

  get isOpen(): boolean {
    return this.#connection !== null;
  }

  /** Brings pending totals of some keys into their tables. @returns whether that was all. @throws StoreError as `write` */
  settleSome(): boolean {
    const { hasPending } = this.#open();
    if (hasPending.get()?.found !== 1) return true;
    let isAll = false;
    this.#transact((connection) => {
      connection.pending.adopt();
      addKeys(connection, connection.pending.take(SETTLED_KEYS_MAX));
      isAll = connection.pending.isEmpty;
    });
    return isAll;
  }

  /** Of all processes, as far as they can be read. */
  pendingTotals(): KeyTotals[] {
    try {
      return this.#open().pending.all();
    } catch {
      // Whoever reads the tables is told what is wrong.
      return [];
    }
  }

  /** What a key used of each UTC day from `first` to `last`, oldest first, what is pending included. */
  usageDays(keyId: string, first: number, last: number): UsageDay[] {
    const { database, days: select, pending } = this.#open();
    try {
      // One snapshot for both.
      return database.transaction(() => {
        pending.sync();
        const days = new Map<number, UsageDay>();
        const add = (row: PeriodTotals) => {
          if (row.period >= first && row.period <= last) days.set(row.period, addDay(days.get(row.period), keyId, row));
        };
        for (const row of select.all(keyId, first, last)) add(row);
        for (const { models } of pending.of(keyId)) for (const row of totalsByDay(models)) add(row);
        return [...days.values()].sort((a, b) => a.day - b.day);
      })();
    } catch (error) {
      throw toStoreError(error, 'read usage by day');
    }
  }

  /** Closing twice is no error. */
  close(): void {
    this.#closed = true;
    // With true it finalizes the statements too.
    this.#connection?.database.close(true);
    this.#connection = null;
  }

  #open(): Connection {
    try {
      if (this.#closed) throw new StoreError('unavailable', 'cannot write usage: the database is closed');
      this.#connection ??= connect(this.#path, this.#busyTimeoutMs);
      return this.#connection;
    } catch (error) {
      throw toStoreError(error, 'write usage');
    }
  }

  #transact(run: (connection: Connection) => void): void {
    const connection = this.#open();
    const { database, begin, commit, rollback } = connection;
    try {
      begin.run();
      connection.pending.sync();
      run(connection);
      commit.run();
    } catch (error) {
      // A full disk or a failing one has SQLite roll back by itself.
      if (database.inTransaction) rollback.run();
      connection.pending.forget();
      throw toStoreError(error, 'write usage');
    }
  }
}

interface Connection {
  readonly database: Database;
  readonly begin: Statement<unknown, []>;
  readonly commit: Statement<unknown, []>;
  readonly rollback: Statement<unknown, []>;
  readonly segments: Segments;
  readonly pending: PendingTotals;
  readonly hasPending: Statement<{ found: number }, []>;
  readonly days: Statement<PeriodTotals, [keyId: string, first: number, last: number]>;
  readonly insert: Statement<unknown, Value[]>;
  readonly addToDay: Statement<unknown, Value[]>;
  readonly addToMonth: Statement<unknown, Value[]>;
  readonly addToModel: Statement<unknown, Value[]>;
  readonly touch: Statement<unknown, [id: string, usedAt: number]>;
}

function connect(path: string, busyTimeoutMs: number): Connection {
  // Never creates the file: it would be readable to all, and empty.
  const database = new Database(path, { readwrite: true, create: false });
  try {
    database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    for (const pragma of WRITER_PRAGMAS) database.run(pragma);
    return {
      database,
      // 'immediate' takes the write lock at once, or fails before anything is written.
      begin: database.prepare('BEGIN IMMEDIATE'),
      commit: database.prepare('COMMIT'),
      rollback: database.prepare('ROLLBACK'),
      segments: new Segments(database),
      pending: new PendingTotals(database),
      hasPending: database.prepare('SELECT EXISTS (SELECT 1 FROM usage_pending) AS found'),
      days: database.prepare(`SELECT day AS period, requests, prompt_tokens AS promptTokens,
          completion_tokens AS completionTokens, total_tokens AS totalTokens, updated_at AS updatedAt
        FROM usage_days WHERE key_id = ? AND day BETWEEN ? AND ?`),
      insert: database.prepare(`INSERT INTO usage_records (${USAGE_COLUMNS.join(', ')})
        VALUES (${USAGE_COLUMNS.map(() => '?').join(', ')}) ON CONFLICT (id) DO NOTHING`),
      addToDay: database.prepare(addTotals('usage_days', 'day')),
      addToMonth: database.prepare(addTotals('usage_months', 'month')),
      addToModel: database.prepare(ADD_TO_MODEL),
      touch: database.prepare(`UPDATE api_keys SET last_used_at = ?2
        WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)`),
    };
  } catch (error) {
    database.close(true);
    throw error;
  }
}

function addKeys(on: Connection, keys: Iterable<KeyTotals>): void {
  for (const { keyId, lastUsedAt, models } of keys) {
    for (const model of models) on.addToModel.run(...modelValues(keyId, model));
    for (const day of totalsByDay(models)) on.addToDay.run(...periodValues(keyId, day));
    for (const month of totalsByMonth(models)) on.addToMonth.run(...periodValues(keyId, month));
    if (lastUsedAt !== null) on.touch.run(keyId, lastUsedAt);
  }
}

/** @returns the records that were not there yet */
function insert({ segments, insert }: Connection, records: readonly UsageRecord[]): UsageRecord[] {
  segments.begin();
  return records.filter((record) => insert.run(...usageValues(record, segments.of(record.id))).changes > 0);
}

function addDay(day: UsageDay | undefined, keyId: string, { period, ...more }: PeriodTotals): UsageDay {
  if (day === undefined) return { keyId, day: period, ...more };
  return {
    keyId,
    day: period,
    requests: day.requests + more.requests,
    promptTokens: day.promptTokens + more.promptTokens,
    completionTokens: day.completionTokens + more.completionTokens,
    totalTokens: day.totalTokens + more.totalTokens,
    updatedAt: Math.max(day.updatedAt, more.updatedAt),
  };
}

function addTotals(table: string, period: string): string {
  return `INSERT INTO ${table}
      (key_id, ${period}, requests, prompt_tokens, completion_tokens, total_tokens, updated_at)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key_id, ${period}) DO UPDATE SET
      requests = ${table}.requests + excluded.requests,
      prompt_tokens = ${table}.prompt_tokens + excluded.prompt_tokens,
      completion_tokens = ${table}.completion_tokens + excluded.completion_tokens,
      total_tokens = ${table}.total_tokens + excluded.total_tokens,
      updated_at = MAX(${table}.updated_at, excluded.updated_at)`;
}

const ADD_TO_MODEL = `INSERT INTO usage_by_model
    (key_id, day, model, requests, errors,
      prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, total_tokens)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key_id, day, model) DO UPDATE SET
    requests = usage_by_model.requests + excluded.requests,
    errors = usage_by_model.errors + excluded.errors,
    prompt_tokens = usage_by_model.prompt_tokens + excluded.prompt_tokens,
    cached_tokens = usage_by_model.cached_tokens + excluded.cached_tokens,
    completion_tokens = usage_by_model.completion_tokens + excluded.completion_tokens,
    reasoning_tokens = usage_by_model.reasoning_tokens + excluded.reasoning_tokens,
    total_tokens = usage_by_model.total_tokens + excluded.total_tokens`;

/** In the order of `ADD_TO_MODEL`. */
function modelValues(keyId: string, row: ModelTotals): Value[] {
  return [
    keyId,
    row.day,
    row.model,
    row.requests,
    row.errors,
    row.promptTokens,
    row.cachedTokens,
    row.completionTokens,
    row.reasoningTokens,
    row.totalTokens,
  ];
}

/** In the order of `addTotals`. */
function periodValues(keyId: string, row: PeriodTotals): Value[] {
  const { period, requests, promptTokens, completionTokens, totalTokens, updatedAt } = row;
  return [keyId, period, requests, promptTokens, completionTokens, totalTokens, updatedAt];
}
