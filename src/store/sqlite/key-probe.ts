/**
 * What a cache of keys asks for, many times a second: keys by hash, and which of them changed. On a connection of its own
 * with statements of bun:sqlite that stay prepared: Bun.SQL takes five times as long for them.
 */
import { Database, type Statement } from 'bun:sqlite';
import type { FoundKey, KeyChangeList } from '../../keys/key-source.ts';
import { type KeyRow, keyFromRow } from '../sql/rows.ts';
import { StoreError } from '../store-error.ts';

type FoundRow = KeyRow & { readonly key_hash: string; readonly secret_expires_at: number | null };
interface ChangeRow {
  readonly seq: number;
  readonly key_id: string | null;
}

/** Beyond that many it is cheaper to forget all keys than to name those that changed. */
const CHANGES_MAX = 1_000;

interface Connection {
  readonly database: Database;
  readonly find: Statement<FoundRow, [hashes: string]>;
  readonly changes: Statement<ChangeRow, [seq: number]>;
}

export class KeyProbe {
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  /** Opened by the first call: a command that lists keys needs none. */
  #connection: Connection | null = null;
  #closed = false;

  /** @param path of a database that is migrated */
  constructor(path: string, busyTimeoutMs: number) {
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** One indexed probe for each hash. */
  findByHashes(hashes: readonly string[]): Map<string, FoundKey> {
    const rows = this.#open().find.all(JSON.stringify(hashes));
    return new Map(rows.map((row) => [row.key_hash, foundFromRow(row)]));
  }

  /** As `KeySource.changesSince`, but never sees that this is another database than before. */
  changesSince(seq: number | null): KeyChangeList {
    const rows = this.#open().changes.all(seq ?? Number.MAX_SAFE_INTEGER);
    const last = rows[0]!.seq;
    // A counter that went back is that of another database, or of an older copy of this one.
    if (rows.length > CHANGES_MAX || (seq !== null && last < seq)) return { seq: last, keyIds: null };
    return { seq: last, keyIds: rows.flatMap(({ key_id }) => key_id ?? []) };
  }

  /** Closing twice is no error. */
  close(): void {
    this.#closed = true;
    // With true it finalizes the statements too.
    this.#connection?.database.close(true);
    this.#connection = null;
  }

  #open(): Connection {
    if (this.#closed) throw new StoreError('unavailable', 'cannot look up keys: the database is closed');
    this.#connection ??= connect(this.#path, this.#busyTimeoutMs);
    return this.#connection;
  }
}

function connect(path: string, busyTimeoutMs: number): Connection {
  // Never creates the file: it would be readable to all, and empty.
  const database = new Database(path, { readwrite: true, create: false });
  try {
    database.run(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    database.run('PRAGMA query_only = ON');
    return {
      database,
      find: database.prepare(`SELECT k.*, s.key_hash, s.expires_at AS secret_expires_at
        FROM key_secrets s JOIN api_keys k ON k.id = s.key_id
        WHERE s.key_hash IN (SELECT value FROM json_each(?))`),
      // One statement, and so one snapshot: the counter and the changes up to it.
      changes: database.prepare(`SELECT n.seq, c.key_id FROM key_change_counter n
        LEFT JOIN key_changes c ON c.seq > ? LIMIT ${CHANGES_MAX + 1}`),
    };
  } catch (error) {
    database.close(true);
    throw error;
  }
}

function foundFromRow(row: FoundRow): FoundKey {
  return { key: keyFromRow(row), secretExpiresAt: row.secret_expires_at };
}
