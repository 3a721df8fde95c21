/** Rows for a database that has only some of the migrations. */
import type { SQL } from 'bun';
import { USAGE_COLUMNS, usageValues } from '../../src/store/sql/rows.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';

/** Inserts a record with the columns that the table has so far. */
export async function insertAsOf(sql: SQL, record: UsageRecord): Promise<void> {
  const columns = await sql<{ name: string }[]>`SELECT name FROM pragma_table_info('usage_records')`;
  const names = new Set(columns.map(({ name }) => name));
  const values = usageValues(record, '');
  const row = Object.fromEntries(
    USAGE_COLUMNS.map((column, at) => [column, values[at]] as const).filter(([column]) => names.has(column)),
  );
  await sql`INSERT INTO usage_records ${sql(row)}`;
}
