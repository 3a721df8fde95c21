/** The store that DATABASE_URL names: its scheme says which kind it is. */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { SQL } from 'bun';
import { type DatabaseConfig, readCaFile } from '../config/load.ts';
import { addressOf, connectTo, DEFAULT_POSTGRES_OPTIONS, isPostgresUrl } from './postgres/connection.ts';
import { PostgresStore } from './postgres/postgres-store.ts';
import { sqlitePath } from './sqlite/database.ts';
import { SqliteStore } from './sqlite/sqlite-store.ts';
import type { Store, StoreOptions } from './store.ts';
import { StoreError } from './store-error.ts';

/** What the configuration says of the database. @throws ConfigError when DATABASE_CA_FILE cannot be read */
export function storeOptionsOf(config: DatabaseConfig): StoreOptions {
  return {
    postgres: {
      poolMax: config.databasePoolMax,
      statementTimeoutMs: config.databaseStatementTimeoutMs,
      connectTimeoutMs: config.databaseConnectTimeoutMs,
      prepare: config.databasePrepare,
      ca: readCaFile('DATABASE_CA_FILE', config.databaseCaFile),
    },
  };
}

/** @throws StoreError 'unusable', with a message for the person who set DATABASE_URL */
export async function openStore(databaseUrl: string, options: StoreOptions = {}): Promise<Store> {
  if (isPostgresUrl(databaseUrl)) {
    return PostgresStore.open(databaseUrl, options.postgres ?? DEFAULT_POSTGRES_OPTIONS);
  }
  return SqliteStore.open(databaseUrl, options);
}

/**
 * A connection for statements of one's own, to a database that `openStore` has brought to the present schema.
 * @throws StoreError 'unusable'
 */
export function openRaw(databaseUrl: string, options: StoreOptions = {}): SQL {
  if (isPostgresUrl(databaseUrl)) return connectTo(databaseUrl, options.postgres ?? DEFAULT_POSTGRES_OPTIONS);
  return new SQL({ adapter: 'sqlite', filename: sqlitePath(databaseUrl) });
}

interface DatabaseFacts {
  /** The same for the same database, another for another: to name files by. */
  readonly id: string;
  /** Where it is, if it is a file. */
  readonly path: string | null;
}

/** @throws StoreError 'unusable' */
export function databaseFacts(databaseUrl: string): DatabaseFacts {
  if (isPostgresUrl(databaseUrl)) {
    const { host, port, pathname } = new URL(addressOf(databaseUrl).url);
    return { id: Bun.SHA256.hash(`${host} ${port} ${pathname}`, 'hex').slice(0, 12), path: null };
  }
  const path = sqlitePath(databaseUrl);
  return { id: Bun.SHA256.hash(path, 'hex').slice(0, 12), path };
}

/** What is wrong with DATABASE_URL as far as that can be seen without changing anything; null: nothing. */
export async function databaseProblem(databaseUrl: string, options: StoreOptions): Promise<string | null> {
  try {
    if (isPostgresUrl(databaseUrl)) {
      await PostgresStore.check(databaseUrl, options.postgres ?? DEFAULT_POSTGRES_OPTIONS);
      return null;
    }
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
