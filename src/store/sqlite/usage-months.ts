/** The table `usage_months`: `usage_days` by UTC calendar month, written in the same transaction. */
import type { SQL } from 'bun';
import { type TotalsQuery, type TotalsRow, totalsFromRow, type UsageTotals } from './usage-totals.ts';

export interface UsageMonth extends UsageTotals {
  /** Months since January 1970, UTC. */
  readonly month: number;
}

/** Newest first; of one month by key. */
export async function recentUsageMonths(sql: SQL, { keyId, first, last, limit }: TotalsQuery): Promise<UsageMonth[]> {
  const rows =
    keyId === undefined
      ? await sql<Row[]>`
          SELECT * FROM usage_months WHERE month BETWEEN ${first} AND ${last} ORDER BY month DESC, key_id LIMIT ${limit}`
      : await sql<Row[]>`
          SELECT * FROM usage_months WHERE key_id = ${keyId} AND month BETWEEN ${first} AND ${last}
          ORDER BY month DESC LIMIT ${limit}`;
  return rows.map(monthFromRow);
}

type Row = { [column in keyof TotalsRow | 'month']: unknown };

function monthFromRow(row: Row): UsageMonth {
  return { month: Number(row.month), ...totalsFromRow(row) };
}
