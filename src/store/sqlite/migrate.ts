/**
 * Brings a database to the schema this program knows. Owns the table `schema_migrations`.
 *
 * Each step is one transaction that takes the write lock before it looks which steps are done: of two processes that
 * start at the same time the second finds the work done. A database that is ahead of the program is left alone.
 */
import type { SQL } from 'bun';
import { MIGRATIONS } from '../migrations/list.ts';
import type { Migration } from '../migrations/migration.ts';
import { StoreError } from '../store-error.ts';

export async function migrate(sql: SQL, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const known = migrations.at(-1)?.version ?? 0;
  // Takes no lock when the table is there: opening a database in use waits for nobody.
  await sql`CREATE TABLE IF NOT EXISTS schema_migrations (
    version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)`;
  const found = await versionOf(sql);
  if (found > known) {
    throw new StoreError(
      'unusable',
      `the database was made by a newer version of bve (schema ${found}, this one knows ${known})`,
    );
  }
  for (const migration of migrations) {
    if (migration.version > found) await apply(sql, migration);
  }
}

async function apply(sql: SQL, { version, name, statements }: Migration): Promise<void> {
  await sql.begin('immediate', async (tx) => {
    if ((await versionOf(tx)) >= version) return;
    for (const statement of statements) await tx.unsafe(statement);
    await tx`INSERT INTO schema_migrations (version, name, applied_at) VALUES (${version}, ${name}, ${Date.now()})`;
  });
}

async function versionOf(sql: SQL): Promise<number> {
  const [row] = await sql<{ version: unknown }[]>`SELECT COALESCE(MAX(version), 0) AS version FROM schema_migrations`;
  return Number(row?.version ?? 0);
}
