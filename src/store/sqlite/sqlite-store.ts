/**
 * The store in a SQLite file.
 *
 * Guarantees, besides those of `Store`: the writes of one store follow one another, so that only other processes can lock
 * it out; a connection that failed is opened anew by the next call; a file that was deleted or replaced is noticed by the
 * next write of usage and the next look for changed keys, and never taken for the one it was.
 */
import type { SQL } from 'bun';
import type { ApiKey, KeyChanges, KeyStatus } from '../../keys/key.ts';
import type { FoundKey, KeyChangeList } from '../../keys/key-source.ts';
import { firstIdOf, type UsageRecord } from '../../usage/usage-record.ts';
import type { SummaryQuery, UsageSummary } from '../../usage/usage-summary.ts';
import type { TotalsQuery, UsageDay, UsageMonth } from '../../usage/usage-totals.ts';
import type { KeyTotals } from '../batch-totals.ts';
import { changeKey, deleteKey, importKeys, insertKey, replaceSecret } from '../sql/key-changes.ts';
import { getKey, listKeys } from '../sql/key-reads.ts';
import { recentUsageDays, recentUsageMonths, summariseUsage } from '../sql/usage-reads.ts';
import type {
  ImportConflict,
  ImportedKey,
  KeyChange,
  KeyDeletion,
  KeysQuery,
  RecordsQuery,
  Secret,
  Store,
  StoreOptions,
} from '../store.ts';
import { StoreError, toStoreError } from '../store-error.ts';
import { type Connections, closeDatabase, fileIdentity, openDatabase, sqlitePath, whileBusy } from './database.ts';
import { findRecords } from './record-search.ts';

/** How long opening may wait for other processes that migrate or hold the write lock. */
const OPEN_WAIT_MS = 10_000;

export class SqliteStore implements Store {
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  readonly #lockWaitMs: number;
  #connections: Connections;
  /** The connections failed, or are on a file that is not at the path any more: the next call opens others. */
  #broken = false;
  #reopening: Promise<void> | null = null;
  /** Another file is at the path, and nobody who asked for changed keys was told so. */
  #replaced = false;
  #closed = false;
  /** Writes, as their callers see them. */
  readonly #underWay = new Set<Promise<unknown>>();
  /** Resolves when the last write so far is over. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  /** @throws StoreError 'unusable', with a message for the person who set DATABASE_URL */
  static async open(databaseUrl: string, options: StoreOptions = {}): Promise<SqliteStore> {
    const path = sqlitePath(databaseUrl);
    const busyTimeoutMs = options.busyTimeoutMs ?? 0;
    const connections = await openDatabase(path, { busyTimeoutMs, waitMs: OPEN_WAIT_MS, create: true });
    return new SqliteStore(path, busyTimeoutMs, options.lockWaitMs ?? 5_000, connections);
  }

  private constructor(path: string, busyTimeoutMs: number, lockWaitMs: number, connections: Connections) {
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#lockWaitMs = lockWaitMs;
    this.#connections = connections;
  }

  async close(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await this.#reopening?.catch(() => {});
    if (this.#connections.ledger.isOpen) await this.#settleTotals();
    await this.#afterOthers(async () => {
      this.#closed = true;
      await closeDatabase(this.#connections);
    });
  }

  async ping(): Promise<void> {
    this.#checkFile();
    await this.#read('reach the database', (sql) => sql`SELECT MAX(version) FROM schema_migrations`);
  }

  async findByHash(keyHash: string): Promise<FoundKey | null> {
    return (await this.findByHashes([keyHash])).get(keyHash) ?? null;
  }

  findByHashes(hashes: readonly string[]): Promise<ReadonlyMap<string, FoundKey>> {
    return this.#read('look up keys', async () => this.#connections.probe.findByHashes(hashes));
  }

  async changesSince(seq: number | null): Promise<KeyChangeList> {
    this.#checkFile();
    const list = await this.#read('look for changed keys', async () => this.#connections.probe.changesSince(seq));
    if (!this.#replaced) return list;
    this.#replaced = false;
    return { seq: list.seq, keyIds: null };
  }

  async insertKey(key: ApiKey, keyHash: string): Promise<void> {
    await this.#change('insert a key', (tx) => insertKey(tx, key, keyHash));
  }

  async listKeys(query: KeysQuery = {}): Promise<ApiKey[]> {
    await this.#settleTotals();
    return this.#read('list the keys', (sql) => listKeys(sql, query));
  }

  async getKey(id: string): Promise<ApiKey | null> {
    await this.#settleTotals();
    return this.#read('read a key', (sql) => getKey(sql, id));
  }

  setKeyStatus(id: string, status: KeyStatus, nowMs: number): Promise<KeyChange> {
    return this.#changeKey('change a key', (tx) => changeKey(tx, id, { status }, nowMs));
  }

  patchKey(id: string, changes: KeyChanges, nowMs: number): Promise<KeyChange> {
    return this.#changeKey('change a key', (tx) => changeKey(tx, id, changes, nowMs));
  }

  rotateKey(id: string, secret: Secret, graceMs: number, nowMs: number): Promise<KeyChange> {
    return this.#changeKey('rotate a key', (tx) => replaceSecret(tx, id, secret, graceMs, nowMs));
  }

  deleteKey(id: string): Promise<KeyDeletion> {
    return this.#changeKey('delete a key', (tx) => deleteKey(tx, id));
  }

  importKeys(keys: readonly ImportedKey[]): Promise<ImportConflict[]> {
    return this.#change('import keys', (tx) => importKeys(tx, keys));
  }

  insertUsage(records: readonly UsageRecord[], lastUsedAt: ReadonlyMap<string, number>): Promise<void> {
    return this.#beforeClose(async () => {
      await this.#connect();
      await this.#afterOthers(async () => {
        this.#run(() => this.#connections.ledger.write(records, lastUsedAt));
        // Behind the write: one that went into a deleted file is known to be lost, and can be done again.
        this.#checkFile();
      });
    });
  }

  recentUsage(query: RecordsQuery): Promise<UsageRecord[]> {
    return this.#read('read usage', (sql) => findRecords(sql, query));
  }

  usageDays(keyId: string, first: number, last: number): Promise<UsageDay[]> {
    return this.#read('read usage by day', async () => this.#connections.ledger.usageDays(keyId, first, last));
  }

  async recentUsageDays(query: TotalsQuery): Promise<UsageDay[]> {
    const pending = await this.#settleTotals();
    return this.#read('read usage by day', (sql) => recentUsageDays(sql, query, pending));
  }

  async recentUsageMonths(query: TotalsQuery): Promise<UsageMonth[]> {
    const pending = await this.#settleTotals();
    return this.#read('read usage by month', (sql) => recentUsageMonths(sql, query, pending));
  }

  async usageSummary(query: SummaryQuery): Promise<UsageSummary> {
    const pending = await this.#settleTotals();
    return this.#read('summarise usage', (sql) => summariseUsage(sql, query, pending));
  }

  async deleteUsageBefore(timeMs: number, limit: number): Promise<number> {
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
      await this.#connect();
      // Readers meet a lock only while another process sets the log up or clears it away.
      return await whileBusy(this.#lockWaitMs, () => query(this.#connections.reader));
    } catch (error) {
      throw this.#failure(error, doing);
    }
  }

  /** The answer has the key in it, with its last use. */
  #changeKey<T>(doing: string, run: (tx: SQL) => Promise<T>): Promise<T> {
    return this.#beforeClose(async () => {
      await this.#settleTotals();
      return this.#change(doing, run);
    });
  }

  #change<T>(doing: string, run: (tx: SQL) => Promise<T>): Promise<T> {
    return this.#beforeClose(async () => {
      try {
        await this.#connect();
        // 'immediate' takes the write lock at once: a transaction that reads first could not get it later on.
        const transact = () => this.#connections.writer.begin('immediate', run) as Promise<T>;
        return await whileBusy(this.#lockWaitMs, () => this.#afterOthers(transact));
      } catch (error) {
        throw this.#failure(error, doing);
      }
    });
  }

  /** What was begun before `close` ends before it. */
  #beforeClose<T>(write: () => Promise<T>): Promise<T> {
    const result = write();
    this.#underWay.add(result);
    const ended = () => this.#underWay.delete(result);
    result.then(ended, ended);
    return result;
  }

  /**
   * Before totals are read. Reading does not wait for another process's lock, nor does it need room on the disk.
   * @returns what could not be brought into the tables
   */
  async #settleTotals(): Promise<readonly KeyTotals[]> {
    try {
      await this.#connect();
      while (!(await this.#afterOthers(async () => this.#connections.ledger.settleSome()))) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      return [];
    } catch {
      return this.#closed ? [] : this.#connections.ledger.pendingTotals();
    }
  }

  #run(write: () => void): void {
    try {
      write();
    } catch (error) {
      throw this.#failure(error, 'write usage');
    }
  }

  #failure(error: unknown, doing: string): StoreError {
    const failure = toStoreError(error, doing);
    if (failure.kind === 'unavailable') this.#broken = true;
    return failure;
  }

  /**
   * Writes of one store wait for one another here, and not for a lock: the transaction of a key holds it while it awaits
   * its statements, and a usage write that came between two of them would be told 'busy' or, with a busy timeout, stop
   * the loop that is to end that transaction. Pauses between tries are outside.
   */
  #afterOthers<T>(write: () => Promise<T>): Promise<T> {
    const result = this.#lastWrite.then(write);
    this.#lastWrite = result.catch(() => {});
    return result;
  }

  /** @throws StoreError 'unavailable' */
  #checkFile(): void {
    if (this.#broken || this.#closed || fileIdentity(this.#path) === this.#connections.file) return;
    this.#broken = true;
    throw new StoreError('unavailable', `the database file ${this.#path} was deleted or replaced`);
  }

  async #connect(): Promise<void> {
    if (!this.#broken || this.#closed) return;
    this.#reopening ??= this.#afterOthers(() => this.#reopen()).finally(() => {
      this.#reopening = null;
    });
    await this.#reopening;
  }

  /** @throws StoreError 'unavailable': whatever it is that makes the file unusable now, it was usable before */
  async #reopen(): Promise<void> {
    if (this.#closed) return;
    const { file } = this.#connections;
    // First: SQLite shares what it knows of a file among all connections of a process.
    await closeDatabase(this.#connections);
    try {
      const options = { busyTimeoutMs: this.#busyTimeoutMs, waitMs: this.#lockWaitMs, create: false };
      this.#connections = await openDatabase(this.#path, options);
    } catch (error) {
      throw new StoreError('unavailable', (error as Error).message, { cause: error });
    }
    this.#broken = false;
    if (this.#connections.file !== file) this.#replaced = true;
  }
}
