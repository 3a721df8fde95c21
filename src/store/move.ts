/**
 * Moves everything from one database to another, of whichever kind: keys, secrets with what is left of their grace, usage
 * records, and the totals by day, month and model, which outlive the records.
 *
 * Guarantees: the source is only read. A move that was interrupted is done again from the start, and what is there already is
 * not written twice. A target that holds anything the source does not have is refused before anything is written. In the end
 * rows and sums of both are compared, so a gateway that went on writing meanwhile is noticed.
 */
import type { SQL } from 'bun';
import { openRaw, openStore } from './open-store.ts';
import { type KeyRow, keyFromRow, rowFromKey, type UsageRow, usageFromRow } from './sql/rows.ts';
import type { Store, StoreOptions } from './store.ts';
import { StoreError } from './store-error.ts';

/** A row has 16 columns at most, and SQLite takes 32,766 parameters. */
const ROWS_AT_ONCE = 500;

/** Each table, what orders its rows, and the columns that are added up to compare. */
const TABLES = {
  api_keys: { order: ['id'], sums: [] },
  key_secrets: { order: ['key_hash'], sums: [] },
  usage_records: { order: ['id'], sums: ['bytes_out', 'prompt_tokens', 'completion_tokens', 'total_tokens'] },
  usage_days: { order: ['key_id', 'day'], sums: ['requests', 'prompt_tokens', 'completion_tokens', 'total_tokens'] },
  usage_months: {
    order: ['key_id', 'month'],
    sums: ['requests', 'prompt_tokens', 'completion_tokens', 'total_tokens'],
  },
  usage_by_model: {
    order: ['key_id', 'day', 'model'],
    sums: ['requests', 'errors', 'cached_tokens', 'reasoning_tokens', 'total_tokens'],
  },
} as const;
type MovedTable = keyof typeof TABLES;
const TABLE_NAMES = Object.keys(TABLES) as MovedTable[];
const TOTALS = ['usage_days', 'usage_months', 'usage_by_model'] as const;

/** What a table comes to: rows, and the sum of each of its numbers. */
type TableCounts = Readonly<Record<string, string>>;

export interface MovedCounts {
  readonly table: MovedTable;
  readonly from: TableCounts;
  readonly to: TableCounts;
}

interface MoveOptions {
  readonly store: StoreOptions;
  /** Called now and then with how many usage records have been moved. */
  readonly onProgress?: (records: number) => void;
}

/**
 * @returns rows and sums of each table on both sides, which are equal
 * @throws StoreError: one of them cannot be used, the target holds something else, or the source has changed meanwhile
 */
export async function moveDatabase(fromUrl: string, toUrl: string, options: MoveOptions): Promise<MovedCounts[]> {
  await settle(fromUrl, options.store);
  const from = openRaw(fromUrl, options.store);
  try {
    await fill(from, toUrl, options);
    return await compared(from, toUrl, options.store);
  } finally {
    await from.close();
  }
}

/** Brings a database to the schema of this version, and what waits in it into its tables. */
async function settle(url: string, options: StoreOptions): Promise<void> {
  const store = await openStore(url, options);
  await store.listKeys({ limit: 1 });
  await store.close();
}

async function fill(from: SQL, toUrl: string, options: MoveOptions): Promise<void> {
  // Its own connection first: what it is asked must be there.
  const store = await openStore(toUrl, options.store);
  const to = openRaw(toUrl, options.store);
  try {
    await refuseForeign(from, to);
    await to.begin(async (tx) => copyKeys(from, tx));
    await copyRecords(from, to, store, options.onProgress);
  } finally {
    // Totals that the store keeps in one place are in their tables then.
    await store.close();
    await to.close();
  }
  const totals = openRaw(toUrl, options.store);
  try {
    await totals.begin(async (tx) => {
      for (const table of TOTALS) await copyTotals(from, tx, table);
    });
  } finally {
    await totals.close();
  }
}

async function refuseForeign(from: SQL, to: SQL): Promise<void> {
  for (const [table, column] of [
    ['api_keys', 'id'],
    ['usage_days', 'key_id'],
    ['usage_by_model', 'key_id'],
  ] as const) {
    const [there, here] = await Promise.all([to, from].map((sql) => namesOf(sql, table, column)));
    for (const name of there!) if (!here!.has(name)) throw foreign(`${table} of '${name}'`);
  }
  const [first] = await to<{ id: string }[]>`SELECT id FROM usage_records ORDER BY id LIMIT 1`;
  const [last] = await to<{ id: string }[]>`SELECT id FROM usage_records ORDER BY id DESC LIMIT 1`;
  for (const row of [first, last]) {
    if (row === undefined) continue;
    const [known] = await from`SELECT 1 AS known FROM usage_records WHERE id = ${row.id}`;
    if (known === undefined) throw foreign('usage records');
  }
}

async function namesOf(sql: SQL, table: string, column: string): Promise<Set<string>> {
  const rows = await sql.unsafe<{ name: string }[]>(`SELECT DISTINCT ${column} AS name FROM ${table}`);
  return new Set(rows.map(({ name }) => name));
}

function foreign(what: string): StoreError {
  return new StoreError('unusable', `the target database has ${what} that the source does not have: give an empty one`);
}

/** As they are now, whatever an earlier try brought. */
async function copyKeys(from: SQL, tx: SQL): Promise<void> {
  await tx`DELETE FROM key_secrets`;
  await tx`DELETE FROM api_keys`;
  for await (const rows of pagesOf<KeyRow>(from, 'api_keys')) {
    await tx`INSERT INTO api_keys ${tx(rows.map((row) => rowFromKey(keyFromRow(row))))}`;
  }
  type SecretRow = { key_hash: string; key_id: string; created_at: unknown; expires_at: unknown };
  for await (const rows of pagesOf<SecretRow>(from, 'key_secrets')) {
    await tx`INSERT INTO key_secrets ${tx(rows.map((row) => numbered(row)))}`;
  }
}

/** In the order of their ids, so that what is there already ends where the rest begins. */
async function copyRecords(from: SQL, to: SQL, store: Store, onProgress?: (records: number) => void): Promise<void> {
  const [last] = await to<{ id: string | null }[]>`SELECT MAX(id) AS id FROM usage_records`;
  const [row] = await to<{ records: unknown }[]>`SELECT COUNT(*) AS records FROM usage_records`;
  let moved = Number(row!.records);
  for await (const rows of pagesOf<UsageRow>(from, 'usage_records', last!.id)) {
    await store.insertUsage(rows.map(usageFromRow), new Map());
    moved += rows.length;
    onProgress?.(moved);
  }
}

/** In place of those that were made of the records: days outlive them. */
async function copyTotals(from: SQL, tx: SQL, table: (typeof TOTALS)[number]): Promise<void> {
  await tx.unsafe(`DELETE FROM ${table}`);
  const { order } = TABLES[table];
  const columns = order.join(', ');
  for (let offset = 0; ; offset += ROWS_AT_ONCE) {
    const rows = await from.unsafe<Record<string, unknown>[]>(
      `SELECT * FROM ${table} ORDER BY ${columns} LIMIT ${ROWS_AT_ONCE} OFFSET ${offset}`,
    );
    if (rows.length === 0) return;
    await tx`INSERT INTO ${tx(table)} ${tx(rows.map(numbered))}`;
  }
}

/** By pages, in the order of the one column that names a row, behind a given name. */
async function* pagesOf<Row>(sql: SQL, table: MovedTable, after: string | null = null): AsyncGenerator<Row[]> {
  const column = TABLES[table].order[0];
  let last = after ?? '';
  for (;;) {
    const rows = await sql.unsafe<Row[]>(
      `SELECT * FROM ${table} WHERE ${column} > $1 ORDER BY ${column} LIMIT ${ROWS_AT_ONCE}`,
      [last],
    );
    if (rows.length === 0) return;
    yield rows;
    last = String((rows.at(-1) as Record<string, unknown>)[column]);
  }
}

/** Postgres has counts as texts; nothing but a count looks like one in these tables, except in the columns of names. */
function numbered<Row extends object>(row: Row): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, NAMES.has(name) || value === null ? value : Number(value)]),
  );
}
const NAMES: ReadonlySet<string> = new Set(['key_id', 'key_hash', 'model']);

async function compared(from: SQL, toUrl: string, options: StoreOptions): Promise<MovedCounts[]> {
  const to = openRaw(toUrl, options);
  try {
    const counts: MovedCounts[] = [];
    for (const table of TABLE_NAMES) {
      counts.push({ table, from: await countsOf(from, table), to: await countsOf(to, table) });
    }
    const other = counts.find((count) => !Bun.deepEquals(count.from, count.to));
    if (other === undefined) return counts;
    throw new StoreError(
      'unavailable',
      `${other.table} differs in the end: ${textOf(other.from)} in the source, ${textOf(other.to)} in the target. Stop the gateways that use either, and run it again`,
    );
  } finally {
    await to.close();
  }
}

async function countsOf(sql: SQL, table: MovedTable): Promise<TableCounts> {
  const sums = TABLES[table].sums.map((name) => `CAST(COALESCE(SUM(${name}), 0) AS TEXT) AS ${name}`);
  const columns = ['CAST(COUNT(*) AS TEXT) AS rows', ...sums].join(', ');
  const [row] = await sql.unsafe<Record<string, string>[]>(`SELECT ${columns} FROM ${table}`);
  return { ...row! };
}

function textOf(counts: TableCounts): string {
  return Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}
