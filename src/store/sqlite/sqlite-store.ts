/**
 * Every query of the project on keys and usage, in the subset that SQLite and Postgres share.
 *
 * Guarantees: whatever writes is one transaction, and those of one store take turns, so that only other processes can
 * lock it out; what it throws is a StoreError; numbers up to 2^53 come back exact (Bun.SQL reads SQLite's integers as
 * doubles; Postgres will send them as text, hence `Number(…)` on every count).
 */
import type { SQL } from 'bun';
import type { ApiKey, KeyChanges, KeyStatus } from '../../keys/key.ts';
import { type Finish, firstIdOf, type UsageRecord } from '../../usage/usage-record.ts';
import { toStoreError } from '../store-error.ts';
import { type Database, openDatabase, whileBusy } from './database.ts';
import {
  changeKey,
  type ImportConflict,
  type ImportedKey,
  importKeys,
  type KeyChange,
  replaceSecret,
  type Secret,
} from './key-changes.ts';
import { type KeyRow, keyFromRow, rowFromKey, type UsageRow, usageFromRow } from './rows.ts';
import { readUsageDays, recentUsageDays, type UsageDay } from './usage-days.ts';
import { UsageLedger } from './usage-ledger.ts';
import { recentUsageMonths, type UsageMonth } from './usage-months.ts';
import type { TotalsQuery } from './usage-totals.ts';

export interface StoreOptions {
  /**
   * How long SQLite itself waits for another process's write lock. Default 0: the wait stops the whole event loop.
   * A command that has nothing else to do may take 5,000.
   */
  readonly busyTimeoutMs?: number;
  /** How long reads and changes of keys are tried again while the database is locked, without blocking. Default 5,000. */
  readonly lockWaitMs?: number;
}

export interface FoundKey {
  readonly key: ApiKey;
  /** When this secret of the key stops working, if it was replaced by a newer one. */
  readonly secretExpiresAt: number | null;
}

export interface UsageQuery {
  readonly keyId?: string;
  readonly limit: number;
  /** Only records older than the one with this id. */
  readonly before?: string;
}

export class Store {
  readonly #reader: SQL;
  readonly #writer: SQL;
  readonly #ledger: UsageLedger;
  readonly #lockWaitMs: number;
  /** Resolves when the last of the writes that take turns is over. */
  #lastTurn: Promise<unknown> = Promise.resolve();

  /** @throws StoreError 'unusable', with a message for the person who set DATABASE_URL */
  static async open(databaseUrl: string, options: StoreOptions = {}): Promise<Store> {
    const busyTimeoutMs = options.busyTimeoutMs ?? 0;
    const database = await openDatabase(databaseUrl, busyTimeoutMs);
    return new Store(database, new UsageLedger(database.path, busyTimeoutMs), options.lockWaitMs ?? 5_000);
  }

  private constructor(database: Database, ledger: UsageLedger, lockWaitMs: number) {
    this.#reader = database.reader;
    this.#writer = database.writer;
    this.#ledger = ledger;
    this.#lockWaitMs = lockWaitMs;
  }

  /** The writes under way end first. */
  async close(): Promise<void> {
    await this.#inTurn(async () => this.#ledger.close());
    await Promise.all([this.#reader.close(), this.#writer.close()]);
  }

  /** Resolves when the database answers a query. */
  async ping(): Promise<void> {
    await this.#read('reach the database', (sql) => sql`SELECT MAX(version) FROM schema_migrations`);
  }

  /** The key that has this secret, whatever its state; one indexed probe. */
  async findKeyByHash(keyHash: string): Promise<FoundKey | null> {
    const [row] = await this.#read(
      'look up a key',
      (sql) => sql<(KeyRow & { secret_expires_at: unknown })[]>`
        SELECT k.*, s.expires_at AS secret_expires_at
        FROM key_secrets s JOIN api_keys k ON k.id = s.key_id
        WHERE s.key_hash = ${keyHash}`,
    );
    if (!row) return null;
    return {
      key: keyFromRow(row),
      secretExpiresAt: row.secret_expires_at === null ? null : Number(row.secret_expires_at),
    };
  }

  /** @throws StoreError 'rejected' when the id or the hash is there already */
  async insertKey(key: ApiKey, keyHash: string): Promise<void> {
    const secret = { key_hash: keyHash, key_id: key.id, created_at: key.createdAt, expires_at: null };
    await this.#change('insert a key', async (tx) => {
      await tx`INSERT INTO api_keys ${tx(rowFromKey(key))}`;
      await tx`INSERT INTO key_secrets ${tx(secret)}`;
    });
  }

  /** All keys, newest first. */
  async listKeys(): Promise<ApiKey[]> {
    const rows = await this.#read(
      'list the keys',
      (sql) => sql<KeyRow[]>`SELECT * FROM api_keys ORDER BY created_at DESC, id`,
    );
    return rows.map(keyFromRow);
  }

  async getKey(id: string): Promise<ApiKey | null> {
    const [row] = await this.#read('read a key', (sql) => sql<KeyRow[]>`SELECT * FROM api_keys WHERE id = ${id}`);
    return row ? keyFromRow(row) : null;
  }

  /** Revoking twice is no error; nothing else can be done to a revoked key. */
  async setKeyStatus(id: string, status: KeyStatus, nowMs: number): Promise<KeyChange> {
    return this.#change('change a key', (tx) => changeKey(tx, id, { status }, nowMs));
  }

  /** What `changes` leaves out stays as it is. */
  async patchKey(id: string, changes: KeyChanges, nowMs: number): Promise<KeyChange> {
    return this.#change('change a key', (tx) => changeKey(tx, id, changes, nowMs));
  }

  /** A new secret for the same key; the old ones work on for the grace at most. */
  async rotateKey(id: string, secret: Secret, graceMs: number, nowMs: number): Promise<KeyChange> {
    return this.#change('rotate a key', (tx) => replaceSecret(tx, id, secret, graceMs, nowMs));
  }

  /** All of them or none: none when one conflict is returned. Ids and hashes among them must be unique. */
  async importKeys(keys: readonly ImportedKey[]): Promise<ImportConflict[]> {
    return this.#change('import keys', (tx) => importKeys(tx, keys));
  }

  /**
   * Writes records, their days and months and the keys' last use in one transaction. A record that is there already
   * (same id) is skipped and not added up again, so trying again is safe even if it is not known whether the first try
   * went through. Does not wait for another process's lock: the usage writer does, and has somewhere to keep the rows
   * meanwhile. At most 1,000 records a call, because they are written without a turn for the event loop.
   */
  async insertUsage(records: readonly UsageRecord[], lastUsedAt: ReadonlyMap<string, number>): Promise<void> {
    await this.#inTurn(async () => this.#ledger.write(records, lastUsedAt));
  }

  /** Newest first, in the order in which they were recorded. */
  async recentUsage({ keyId, limit, before }: UsageQuery): Promise<UsageRecord[]> {
    const rows = await this.#read('read usage', (sql) => {
      // '~' sorts after every UUID: without a cursor the range is open, and the same index serves both.
      const end = before ?? '~';
      return keyId === undefined
        ? sql<UsageRow[]>`SELECT * FROM usage_records WHERE id < ${end} ORDER BY id DESC LIMIT ${limit}`
        : sql<UsageRow[]>`
            SELECT * FROM usage_records WHERE key_id = ${keyId} AND id < ${end} ORDER BY id DESC LIMIT ${limit}`;
    });
    return rows.map(usageFromRow);
  }

  /** What a key used of each UTC day from `first` to `last` (days since 1970); days without use are absent. */
  async usageDays(keyId: string, first: number, last: number): Promise<UsageDay[]> {
    return this.#read('read usage by day', (sql) => readUsageDays(sql, keyId, first, last));
  }

  /** What keys used by UTC day, newest first. */
  async recentUsageDays(query: TotalsQuery): Promise<UsageDay[]> {
    return this.#read('read usage by day', (sql) => recentUsageDays(sql, query));
  }

  /** What keys used by UTC month, newest first. */
  async recentUsageMonths(query: TotalsQuery): Promise<UsageMonth[]> {
    return this.#read('read usage by month', (sql) => recentUsageMonths(sql, query));
  }

  /** How many requests ended in which way; an ending that never happened is absent. */
  async countUsageByFinish(keyId?: string): Promise<Partial<Record<Finish, number>>> {
    const rows = await this.#read('count usage', (sql) =>
      keyId === undefined
        ? sql<FinishCount[]>`SELECT finish, COUNT(*) AS requests FROM usage_records GROUP BY finish`
        : sql<FinishCount[]>`
            SELECT finish, COUNT(*) AS requests FROM usage_records WHERE key_id = ${keyId} GROUP BY finish`,
    );
    return Object.fromEntries(rows.map((row) => [row.finish, Number(row.requests)]));
  }

  /**
   * Deletes the oldest records that were recorded before a time, at most `limit` of them, so that a call never holds
   * the event loop for long: call it until it returns less. @returns how many it deleted
   */
  async deleteUsageBefore(timeMs: number, limit = 500): Promise<number> {
    const end = firstIdOf(timeMs);
    return this.#change('delete usage', async (tx) => {
      const gone = await tx`
        DELETE FROM usage_records WHERE id IN (
          SELECT id FROM usage_records WHERE id < ${end} ORDER BY id LIMIT ${limit})`;
      return Number(gone.count);
    });
  }

  async #read<T>(doing: string, query: (sql: SQL) => Promise<T>): Promise<T> {
    try {
      // Readers meet a lock only while another process sets the log up or clears it away.
      return await whileBusy(this.#lockWaitMs, () => query(this.#reader));
    } catch (error) {
      throw toStoreError(error, doing);
    }
  }

  #change<T>(doing: string, run: (tx: SQL) => Promise<T>): Promise<T> {
    return whileBusy(this.#lockWaitMs, () => this.#inTurn(() => this.#transaction(doing, run)));
  }

  async #transaction<T>(doing: string, run: (tx: SQL) => Promise<T>): Promise<T> {
    try {
      // 'immediate' takes the write lock at once: a transaction that reads first could not get it later on.
      return (await this.#writer.begin('immediate', run)) as T;
    } catch (error) {
      throw toStoreError(error, doing);
    }
  }

  /**
   * Writes of one store wait for one another here, and not for a lock: the transaction of a key holds it while it awaits
   * its statements, and a usage write that came between two of them would be told 'busy' or, with a busy timeout, stop
   * the loop that is to end that transaction. Pauses between tries are no part of a turn.
   */
  #inTurn<T>(write: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(write);
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }
}

interface FinishCount {
  readonly finish: Finish;
  readonly requests: unknown;
}
