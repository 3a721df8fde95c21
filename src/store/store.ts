/**
 * What a store of keys and usage must do. Nothing outside this folder knows more of a database than this:
 * `test/store/contract.ts` is what any implementation must pass.
 *
 * Guarantees of every store: whatever writes is one transaction; what it throws is a StoreError; no call holds the event
 * loop for long, however much there is to read; counts up to 2^53 come back exact.
 */
import type { ApiKey, KeyChanges, KeyStatus } from '../keys/key.ts';
import type { FoundKey, KeySource } from '../keys/key-source.ts';
import type { Finish, UsageRecord } from '../usage/usage-record.ts';
import type { SummaryQuery, UsageSummary } from '../usage/usage-summary.ts';
import type { TotalsQuery, UsageDay, UsageMonth } from '../usage/usage-totals.ts';

export interface Store extends KeyStore, UsageStore {
  /** Resolves when the database answers a query. */
  ping(): Promise<void>;
  /** The writes under way end first. */
  close(): Promise<void>;
}

export interface KeyStore extends KeySource {
  /** The key that has this secret, whatever its state. */
  findByHash(keyHash: string): Promise<FoundKey | null>;
  /** @throws StoreError 'rejected' when the id or the hash is there already */
  insertKey(key: ApiKey, keyHash: string): Promise<void>;
  /** Newest first; all of them without a query. */
  listKeys(query?: KeysQuery): Promise<ApiKey[]>;
  getKey(id: string): Promise<ApiKey | null>;
  /** Revoking twice is no error; nothing else can be done to a revoked key. */
  setKeyStatus(id: string, status: KeyStatus, nowMs: number): Promise<KeyChange>;
  /** What `changes` leaves out stays as it is. */
  patchKey(id: string, changes: KeyChanges, nowMs: number): Promise<KeyChange>;
  /** A new secret for the same key; the old ones work on for the grace at most. */
  rotateKey(id: string, secret: Secret, graceMs: number, nowMs: number): Promise<KeyChange>;
  /** Only of a revoked key. Its usage stays. */
  deleteKey(id: string): Promise<KeyDeletion>;
  /** All of them or none: none when one conflict is returned. Ids and hashes among them must be unique. */
  importKeys(keys: readonly ImportedKey[]): Promise<ImportConflict[]>;
}

/** Of keys with all that is given; what is left out may be anything. */
export interface KeysQuery {
  readonly status?: KeyStatus;
  /** Is in the name, the id, the prefix or the text of a tag, in any case. */
  readonly text?: string;
  readonly limit?: number;
  /** Only keys behind this one in the list. */
  readonly after?: Pick<ApiKey, 'id' | 'createdAt'>;
}

export type KeyChange =
  | { readonly kind: 'changed'; readonly before: ApiKey; readonly key: ApiKey }
  | { readonly kind: 'unknown' }
  /** Revoked keys stay revoked, and as they were. */
  | { readonly kind: 'revoked'; readonly key: ApiKey };

export type KeyDeletion =
  | { readonly kind: 'deleted' | 'not_revoked'; readonly key: ApiKey }
  | { readonly kind: 'unknown' };

export interface Secret {
  readonly hash: string;
  readonly prefix: string;
}

export interface ImportedKey {
  readonly key: ApiKey;
  readonly keyHash: string;
}

/** An imported key that cannot come in, because there is a key with this id or this hash already. */
export interface ImportConflict {
  /** Its index among the imported ones. */
  readonly index: number;
  readonly field: 'id' | 'key_hash';
}

export interface UsageStore {
  /**
   * Writes records, their totals and the keys' last use in one transaction. A record that is there already (same id) is
   * skipped and not added up again, so trying again is safe even if it is not known whether the first try went through.
   * Does not wait for another process's lock: the usage writer does, and has somewhere to keep the rows meanwhile. At
   * most 1,000 records a call, because a store may write them without letting the event loop run.
   */
  insertUsage(records: readonly UsageRecord[], lastUsedAt: ReadonlyMap<string, number>): Promise<void>;
  /** Newest first, in the order in which they were recorded. */
  recentUsage(query: RecordsQuery): Promise<UsageRecord[]>;
  /** What a key used of each UTC day from `first` to `last` (days since 1970); days without use are absent. */
  usageDays(keyId: string, first: number, last: number): Promise<UsageDay[]>;
  /** What keys used by UTC day, newest first. */
  recentUsageDays(query: TotalsQuery): Promise<UsageDay[]>;
  /** What keys used by UTC month, newest first. */
  recentUsageMonths(query: TotalsQuery): Promise<UsageMonth[]>;
  usageSummary(query: SummaryQuery): Promise<UsageSummary>;
  /**
   * Deletes the oldest records that were recorded before a time, at most `limit` of them: call it until it returns less.
   * @returns how many it deleted
   */
  deleteUsageBefore(timeMs: number, limit: number): Promise<number>;
}

/** Of records with all that is given; what is left out may be anything. */
export interface RecordsQuery {
  readonly limit: number;
  /** Only records older than the one with this id. */
  readonly before?: string;
  readonly keyId?: string;
  readonly requestId?: string;
  readonly model?: string;
  readonly endpoint?: string;
  readonly finish?: Finish;
  readonly status?: number;
  readonly minDurationMs?: number;
}

export interface StoreOptions {
  /**
   * How long SQLite itself waits for another process's write lock. Default 0: the wait stops the whole event loop.
   * A command that has nothing else to do may take 5,000.
   */
  readonly busyTimeoutMs?: number;
  /** How long reads and changes of keys are tried again while the database is locked, without blocking. Default 5,000. */
  readonly lockWaitMs?: number;
  /** Default: as the configuration's. */
  readonly postgres?: PostgresOptions;
}

export interface PostgresOptions {
  /** Connections of this process at most. */
  readonly poolMax: number;
  readonly statementTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** Whether statements stay prepared, and settings go with the start of a connection: a pooler may not keep them. */
  readonly prepare: boolean;
  /** PEM of the authorities that may have signed the server's certificate; undefined: those built in. */
  readonly ca: string | undefined;
}
