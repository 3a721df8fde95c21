/**
 * Brings a Postgres database to the schema this program knows: all steps in one transaction, under a lock, so that of ten
 * processes that start at once one migrates and nine find the work done.
 */
import type { SQL } from 'bun';
import { MIGRATIONS } from '../migrations/list.ts';
import { StoreError } from '../store-error.ts';

/** Of transactions, because a pooler gives every transaction another connection. The numbers are ours alone. */
export const LOCKS = { migration: 7_283_001, keys: 7_283_002 } as const;

export async function migrate(tx: SQL): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock(${LOCKS.migration})`;
  await tx`CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)`;
  const [row] = await tx<{ version: unknown }[]>`SELECT COALESCE(MAX(version), 0) AS version FROM schema_migrations`;
  const found = Number(row?.version ?? 0);
  const known = MIGRATIONS.at(-1)!.version;
  if (found > known) {
    throw new StoreError(
      'unusable',
      `the database was made by a newer version of bve (schema ${found}, this one knows ${known})`,
    );
  }
  for (const { version, name, statements, onPostgres = [] } of MIGRATIONS) {
    if (version <= found) continue;
    for (const statement of [...statements, ...onPostgres]) await tx.unsafe(byBytes(statement));
    await tx`INSERT INTO schema_migrations (version, name, applied_at) VALUES (${version}, ${name}, ${Date.now()})`;
  }
}

/** Texts compare by their bytes, as in SQLite, whatever the locale of the database: ids are read in their order. */
function byBytes(statement: string): string {
  return /^\s*(CREATE|ALTER) TABLE/.test(statement) ? statement.replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"') : statement;
}
