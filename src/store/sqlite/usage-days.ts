/**
 * The table `usage_days`: what each key used on each UTC day. It follows the records exactly, because both are written
 * in one transaction, and outlives them when old records are deleted.
 */
import type { SQL } from 'bun';
import { type TotalsQuery, type TotalsRow, totalsFromRow, type UsageTotals } from './usage-totals.ts';

export interface UsageDay extends UsageTotals {
  /** Days since 1970, UTC. */
  readonly day: number;
}

/** The days of a key from `first` to `last` on which it was used, oldest first. */
export async function readUsageDays(sql: SQL, keyId: string, first: number, last: number): Promise<UsageDay[]> {
  const rows = await sql<Row[]>`
    SELECT * FROM usage_days WHERE key_id = ${keyId} AND day BETWEEN ${first} AND ${last} ORDER BY day`;
  return rows.map(dayFromRow);
}

/** Newest first; of one day by key. */
export async function recentUsageDays(sql: SQL, { keyId, first, last, limit }: TotalsQuery): Promise<UsageDay[]> {
  const rows =
    keyId === undefined
      ? await sql<Row[]>`
          SELECT * FROM usage_days WHERE day BETWEEN ${first} AND ${last} ORDER BY day DESC, key_id LIMIT ${limit}`
      : await sql<Row[]>`
          SELECT * FROM usage_days WHERE key_id = ${keyId} AND day BETWEEN ${first} AND ${last}
          ORDER BY day DESC LIMIT ${limit}`;
  return rows.map(dayFromRow);
}

type Row = { [column in keyof TotalsRow | 'day']: unknown };

function dayFromRow(row: Row): UsageDay {
  return { day: Number(row.day), ...totalsFromRow(row) };
}
