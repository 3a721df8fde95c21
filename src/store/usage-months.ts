/** The table `usage_months`: `usage_days` by UTC calendar month, written in the same transaction. */
import type { SQL } from 'bun';
import { monthOf } from '../limits/windows.ts';
import type { StoredUsageRecord } from './usage-record.ts';
import { type TotalsQuery, type TotalsRow, totalsBy, totalsFromRow, type UsageTotals } from './usage-totals.ts';

export interface UsageMonth extends UsageTotals {
  /** Months since January 1970, UTC. */
  readonly month: number;
}

/** In one statement, however many keys and months there are. @param records new ones only: each call adds */
export async function addToUsageMonths(tx: SQL, records: readonly StoredUsageRecord[]): Promise<void> {
  const rows = totalsBy(records, monthOf).map(({ period, row }) => ({ month: period, ...row }));
  if (rows.length === 0) return;
  await tx`INSERT INTO usage_months ${tx(rows)} ON CONFLICT (key_id, month) DO UPDATE SET
    requests = usage_months.requests + excluded.requests,
    prompt_tokens = usage_months.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = usage_months.completion_tokens + excluded.completion_tokens,
    total_tokens = usage_months.total_tokens + excluded.total_tokens,
    updated_at = excluded.updated_at`;
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
