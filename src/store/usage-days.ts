/**
 * The table `usage_days`: what each key used on each UTC day. It follows the records exactly, because both are written
 * in one transaction, and outlives them when old records are deleted.
 */
import type { SQL } from 'bun';
import { dayOf } from '../limits/windows.ts';
import type { StoredUsageRecord } from './usage-record.ts';
import { type TotalsQuery, type TotalsRow, totalsBy, totalsFromRow, type UsageTotals } from './usage-totals.ts';

export interface UsageDay extends UsageTotals {
  /** Days since 1970, UTC. */
  readonly day: number;
}

/** In one statement, however many keys and days there are. @param records new ones only: each call adds */
export async function addToUsageDays(tx: SQL, records: readonly StoredUsageRecord[]): Promise<void> {
  const rows = totalsBy(records, dayOf).map(({ period, row }) => ({ day: period, ...row }));
  if (rows.length === 0) return;
  await tx`INSERT INTO usage_days ${tx(rows)} ON CONFLICT (key_id, day) DO UPDATE SET
    requests = usage_days.requests + excluded.requests,
    prompt_tokens = usage_days.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = usage_days.completion_tokens + excluded.completion_tokens,
    total_tokens = usage_days.total_tokens + excluded.total_tokens,
    updated_at = excluded.updated_at`;
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
