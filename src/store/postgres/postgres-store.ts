/**
 * The store in a Postgres database, shared by any number of processes.
 *
 * Guarantees, besides those of `Store`: nothing lives longer than a transaction on a connection, so that a pooler in
 * transaction mode may stand in between; every call ends in time, see `connection-pool.ts`.
 */
import type { SQL } from 'bun';
import type { ApiKey, KeyChanges, KeyStatus } from '../../keys/key.ts';
import type { FoundKey, KeyChangeList } from '../../keys/key-source.ts';
import { firstIdOf, type UsageRecord } from '../../usage/usage-record.ts';
import type { SummaryQuery, UsageSummary } from '../../usage/usage-summary.ts';
import type { TotalsQuery, UsageDay, UsageMonth } from '../../usage/usage-totals.ts';
import { changeKey, deleteKey, importKeys, insertKey, replaceSecret } from '../sql/key-changes.ts';
import { getKey, listKeys } from '../sql/key-reads.ts';
import { daysOfKey, recentUsageDays, recentUsageMonths, summariseUsage } from '../sql/usage-reads.ts';
import type {
  ImportConflict,
  ImportedKey,
  KeyChange,
  KeyDeletion,
  KeysQuery,
  PostgresOptions,
  RecordsQuery,
  Secret,
  Store,
} from '../store.ts';
import { StoreError } from '../store-error.ts';
import { ConnectionPool } from './connection-pool.ts';
import { changesSince, findByHashes } from './key-lookups.ts';
import { LOCKS, migrate } from './migrate.ts';
import { findRecords } from './record-search.ts';
import { writeUsage } from './usage-writes.ts';

const NOTHING_PENDING = [] as const;
const PING_MS = 2_000;
/** The oldest that the tests run on. */
const OLDEST_VERSION = 15;

export class PostgresStore implements Store {
  readonly #pool: ConnectionPool;

  /** @throws StoreError 'unusable', with a message for the person who set DATABASE_URL */
  static async open(databaseUrl: string, options: PostgresOptions): Promise<PostgresStore> {
    return new PostgresStore(
      await prepared(databaseUrl, options, async (pool) => {
        await pool.ask('ask for its version', checkVersion);
        await pool.change('prepare the database', migrate);
      }),
    );
  }

  /** That the server answers, and is new enough; nothing is changed. @throws StoreError 'unusable' */
  static async check(databaseUrl: string, options: PostgresOptions): Promise<void> {
    const pool = await prepared(databaseUrl, options, (pool) => pool.ask('ask for its version', checkVersion));
    await pool.close();
  }

  private constructor(pool: ConnectionPool) {
    this.#pool = pool;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Who asks for readiness does not wait for the deadline of a statement. */
  async ping(): Promise<void> {
    const answer = this.#pool.ask('reach the database', (sql) => sql`SELECT 1`);
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new StoreError('unavailable', `cannot reach the database: no answer within ${PING_MS} ms`)),
      PING_MS,
    );
    await Promise.race([answer, tooLate]).finally(() => clearTimeout(timer));
  }

  async findByHash(keyHash: string): Promise<FoundKey | null> {
    return (await this.findByHashes([keyHash])).get(keyHash) ?? null;
  }

  findByHashes(hashes: readonly string[]): Promise<ReadonlyMap<string, FoundKey>> {
    return this.#pool.ask('look up keys', (sql) => findByHashes(sql, hashes));
  }

  changesSince(seq: number | null): Promise<KeyChangeList> {
    return this.#pool.ask('look for changed keys', (sql) => changesSince(sql, seq));
  }

  async insertKey(key: ApiKey, keyHash: string): Promise<void> {
    await this.#changeKeys('insert a key', (tx) => insertKey(tx, key, keyHash));
  }

  listKeys(query: KeysQuery = {}): Promise<ApiKey[]> {
    return this.#pool.ask('list the keys', (sql) => listKeys(sql, query));
  }

  getKey(id: string): Promise<ApiKey | null> {
    return this.#pool.ask('read a key', (sql) => getKey(sql, id));
  }

  setKeyStatus(id: string, status: KeyStatus, nowMs: number): Promise<KeyChange> {
    return this.#changeKeys('change a key', (tx) => changeKey(tx, id, { status }, nowMs));
  }

  patchKey(id: string, changes: KeyChanges, nowMs: number): Promise<KeyChange> {
    return this.#changeKeys('change a key', (tx) => changeKey(tx, id, changes, nowMs));
  }

  rotateKey(id: string, secret: Secret, graceMs: number, nowMs: number): Promise<KeyChange> {
    return this.#changeKeys('rotate a key', (tx) => replaceSecret(tx, id, secret, graceMs, nowMs));
  }

  deleteKey(id: string): Promise<KeyDeletion> {
    return this.#changeKeys('delete a key', (tx) => deleteKey(tx, id));
  }

  importKeys(keys: readonly ImportedKey[]): Promise<ImportConflict[]> {
    return this.#changeKeys('import keys', (tx) => importKeys(tx, keys));
  }

  async insertUsage(records: readonly UsageRecord[], lastUsedAt: ReadonlyMap<string, number>): Promise<void> {
    if (records.length === 0 && lastUsedAt.size === 0) return;
    await this.#pool.ask('write usage', (sql) => writeUsage(sql, records, lastUsedAt));
  }

  recentUsage(query: RecordsQuery): Promise<UsageRecord[]> {
    return this.#pool.ask('read usage', (sql) => findRecords(sql, query));
  }

  usageDays(keyId: string, first: number, last: number): Promise<UsageDay[]> {
    return this.#pool.ask('read usage by day', (sql) => daysOfKey(sql, keyId, first, last));
  }

  recentUsageDays(query: TotalsQuery): Promise<UsageDay[]> {
    return this.#pool.ask('read usage by day', (sql) => recentUsageDays(sql, query, NOTHING_PENDING));
  }

  recentUsageMonths(query: TotalsQuery): Promise<UsageMonth[]> {
    return this.#pool.ask('read usage by month', (sql) => recentUsageMonths(sql, query, NOTHING_PENDING));
  }

  usageSummary(query: SummaryQuery): Promise<UsageSummary> {
    return this.#pool.ask('summarise usage', (sql) => summariseUsage(sql, query, NOTHING_PENDING));
  }

  deleteUsageBefore(timeMs: number, limit: number): Promise<number> {
    const end = firstIdOf(timeMs);
    return this.#pool.ask('delete usage', async (sql) => {
      const gone = await sql`
        DELETE FROM usage_records WHERE id IN (
          SELECT id FROM usage_records WHERE id < ${end} ORDER BY id LIMIT ${limit})`;
      return Number(gone.count);
    });
  }

  /** Changes of keys follow one another, so that what one read is still true when it writes. They are few. */
  #changeKeys<T>(doing: string, run: (tx: SQL) => Promise<T>): Promise<T> {
    return this.#pool.change(doing, async (tx) => {
      await tx`SELECT pg_advisory_xact_lock(${LOCKS.keys})`;
      return run(tx);
    });
  }
}

/** @throws StoreError 'unusable' when `prepare` fails */
async function prepared(
  databaseUrl: string,
  options: PostgresOptions,
  prepare: (pool: ConnectionPool) => Promise<void>,
): Promise<ConnectionPool> {
  const pool = new ConnectionPool(databaseUrl, options);
  try {
    await prepare(pool);
    return pool;
  } catch (error) {
    await pool.close();
    const reason = error instanceof Error ? error.message : String(error);
    throw new StoreError('unusable', `cannot use the database of DATABASE_URL: ${reason}`, { cause: error });
  }
}

async function checkVersion(sql: SQL): Promise<void> {
  const [row] = await sql<{ version: string }[]>`SELECT current_setting('server_version_num') AS version`;
  const version = Math.floor(Number(row!.version) / 10_000);
  if (version < OLDEST_VERSION) {
    throw new StoreError('unusable', `it is Postgres ${version}, and bve needs ${OLDEST_VERSION} or newer`);
  }
}
