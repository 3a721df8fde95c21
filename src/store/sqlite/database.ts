/**
 * Opens the SQLite file behind DATABASE_URL: path, permissions, pragmas, migrations.
 *
 * Two connections of Bun.SQL, because it has one per client and runs every statement on it, also inside a
 * transaction that somebody else has open there: a read would see rows that are not committed, and a key written
 * beside another change would vanish when that one is rolled back. `reader` sees committed rows only and in WAL mode
 * never waits for a writer; what changes keys uses `writer` and a transaction. Usage is written, and keys are looked up, on
 * connections of their own with prepared statements, opened when there is need (`usage-ledger.ts`, `key-probe.ts`).
 *
 * Bun runs SQLite on the calling thread: busy_timeout stops the whole event loop while it waits. A server keeps it small
 * and waits in `whileBusy` instead.
 */
import { closeSync, openSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { SQL } from 'bun';
import { codeOf, StoreError, toStoreError } from '../store-error.ts';
import { KeyProbe } from './key-probe.ts';
import { migrate } from './migrate.ts';
import { UsageLedger, WRITER_PRAGMAS } from './usage-ledger.ts';

export interface Connections {
  readonly reader: SQL;
  readonly writer: SQL;
  readonly ledger: UsageLedger;
  readonly probe: KeyProbe;
  /** Which file they are on, see `fileIdentity`. */
  readonly file: string;
}

interface OpenOptions {
  /** How long SQLite itself waits for a lock, see `StoreOptions`. */
  readonly busyTimeoutMs: number;
  /** How long opening may wait for other processes that migrate or hold the write lock. */
  readonly waitMs: number;
  /** Whether a file that is not there is made. */
  readonly create: boolean;
}

/** @throws StoreError 'unusable' with a message that names the path */
export async function openDatabase(path: string, options: OpenOptions): Promise<Connections> {
  const { busyTimeoutMs, waitMs, create } = options;
  if (create) createPrivately(path);
  const file = fileIdentity(path);
  // SQLite would make it.
  if (file === null) throw unusable(path, new Error('the file is gone'));
  // It would make an empty one a new database, without the keys of before, and drop the log that still has them.
  if (!create && statSync(path).size === 0) throw unusable(path, new Error('the file is empty'));
  const writer = new SQL({ adapter: 'sqlite', filename: path });
  const reader = new SQL({ adapter: 'sqlite', filename: path });
  try {
    await whileBusy(waitMs, async () => {
      await useWriteAheadLog(writer);
      await migrate(writer);
    });
    await writer.unsafe(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    await reader.unsafe(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    await reader.unsafe('PRAGMA query_only = ON');
    const ledger = new UsageLedger(path, busyTimeoutMs);
    return { reader, writer, ledger, probe: new KeyProbe(path, busyTimeoutMs), file };
  } catch (error) {
    await Promise.allSettled([writer.close(), reader.close()]);
    throw unusable(path, error);
  }
}

/** The file of a `sqlite://` URL, absolute: `sqlite://bve.db` is relative, `sqlite:///var/bve.db` is not. */
export function sqlitePath(url: string): string {
  const path = url.startsWith('sqlite://') ? url.slice('sqlite://'.length) : '';
  if (path === '' || path.startsWith(':memory:')) {
    throw new StoreError('unusable', 'DATABASE_URL must name a file, as in sqlite://bve.db');
  }
  // Bun takes what follows a '?' for options and opens the file before it: another one than the user sees in the URL.
  if (path.includes('?')) throw new StoreError('unusable', 'DATABASE_URL must not contain a question mark');
  return resolve(path);
}

export async function closeDatabase({ reader, writer, ledger, probe }: Connections): Promise<void> {
  probe.close();
  ledger.close();
  await Promise.allSettled([reader.close(), writer.close()]);
}

/**
 * Device and inode of the file at a path; null: there is none. A connection goes on writing to a file that was deleted or
 * replaced, and nobody would ever read that.
 */
export function fileIdentity(path: string): string | null {
  try {
    const { dev, ino } = statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return null;
  }
}

/** Tries again, without blocking the event loop, as long as another process holds the lock. @throws what `run` throws */
export async function whileBusy<T>(waitMs: number, run: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + waitMs;
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 50)) {
    try {
      return await run();
    } catch (error) {
      const busy = toStoreError(error, 'use the database').kind === 'busy';
      if (!busy || performance.now() + pauseMs > deadline) throw error;
      await Bun.sleep(pauseMs);
    }
  }
}

/**
 * SQLite would create the file readable to all; its -wal and -shm files take over the mode of the database file.
 * Exclusive creation, because an existing file must not even be opened here: closing it again would drop the POSIX
 * locks that this process holds on it (sqlite.org/howtocorrupt.html, 2.2).
 */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unusable(path, error);
  }
}

async function useWriteAheadLog(sql: SQL): Promise<void> {
  const [row] = await sql.unsafe<{ journal_mode: string }[]>('PRAGMA journal_mode = WAL');
  if (row?.journal_mode !== 'wal') throw new StoreError('unusable', 'its file system cannot hold a write-ahead log');
  for (const pragma of WRITER_PRAGMAS) await sql.unsafe(pragma);
}

function unusable(path: string, error: unknown): StoreError {
  return new StoreError('unusable', `cannot open the database ${path} (DATABASE_URL): ${reasonOf(error)}`, {
    cause: error,
  });
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'its directory does not exist';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'SQLITE_READONLY':
      return 'no permission to write there';
    case 'SQLITE_NOTADB':
      return 'the file is not a SQLite database';
    case 'SQLITE_CANTOPEN':
    case 'EISDIR':
      return 'not a file that can be opened for reading and writing';
    case 'SQLITE_BUSY':
      return 'another process keeps it locked';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
