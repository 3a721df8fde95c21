/** The store that DATABASE_URL names: its scheme says which kind it is. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { sqlitePath } from './sqlite/database.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';
import type { Store, StoreOptions } from './store.ts';
import { StoreError } from './store-error.ts';

/** @throws StoreError 'unusable', with a message for the person who set DATABASE_URL */
export async function openStore(databaseUrl: string, options: StoreOptions = {}): Promise<Store> {
  if (/^postgres(ql)?:\/\//.test(databaseUrl)) {
    throw new StoreError('unusable', 'DATABASE_URL: postgres:// is not available in this version, use sqlite://PATH');
  }
  return SqliteStore.open(databaseUrl, options);
}

interface DatabaseFacts {
  /** The same for the same database, another for another: to name files by. */
  readonly id: string;
  /** Where it is, if it is a file. */
  readonly folder: string | null;
}

/** @throws StoreError 'unusable' */
export function databaseFacts(databaseUrl: string): DatabaseFacts {
  const path = sqlitePath(databaseUrl);
  return { id: Bun.SHA256.hash(path, 'hex').slice(0, 12), folder: dirname(path) };
}

/** What is wrong with DATABASE_URL as far as that can be seen without opening anything; null: nothing. */
export function databaseProblem(databaseUrl: string): string | null {
  try {
    const path = sqlitePath(databaseUrl);
    const folder = dirname(path);
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      return `DATABASE_URL names a file in the folder '${folder}', which does not exist`;
    }
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? `DATABASE_URL names a folder, '${path}'` : null;
  } catch (error) {
    if (error instanceof StoreError) return error.message;
    throw error;
  }
}
