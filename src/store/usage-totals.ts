/** Usage records added up by key and period, a day or a month: what the tables `usage_days` and `usage_months` share. */
import type { StoredUsageRecord } from './usage-record.ts';

export interface UsageTotals {
  readonly keyId: string;
  /** Admitted ones: what the limits or the gateway itself turned away is no use of the key. */
  readonly requests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  /** When the last of these requests ended, milliseconds since 1970. */
  readonly updatedAt: number;
}

/** Rows of such a table, newest first. */
export interface TotalsQuery {
  /** All keys without it. */
  readonly keyId?: string;
  /** The first and the last period, both included. */
  readonly first: number;
  readonly last: number;
  readonly limit: number;
}

export interface TotalsRow {
  readonly key_id: string;
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  updated_at: number;
}

/** One row for each key and period. A request belongs to the period in which the limits admitted it, its tokens too. */
export function totalsBy(
  records: readonly StoredUsageRecord[],
  periodOf: (ms: number) => number,
): { readonly period: number; readonly row: TotalsRow }[] {
  const totals = new Map<string, { readonly period: number; readonly row: TotalsRow }>();
  for (const record of records) {
    if (record.admittedAt === null) continue;
    const period = periodOf(record.admittedAt);
    const id = `${record.keyId} ${period}`;
    const { row } = totals.get(id) ?? { row: emptyRow(record.keyId) };
    totals.set(id, { period, row });
    row.requests++;
    row.prompt_tokens += record.promptTokens ?? 0;
    row.completion_tokens += record.completionTokens ?? 0;
    row.total_tokens += record.totalTokens ?? 0;
    row.updated_at = Math.max(row.updated_at, Math.round(record.startedAt + record.durationMs));
  }
  return [...totals.values()];
}

export function totalsFromRow(row: { [column in keyof TotalsRow]: unknown }): UsageTotals {
  return {
    keyId: String(row.key_id),
    requests: Number(row.requests),
    promptTokens: Number(row.prompt_tokens),
    completionTokens: Number(row.completion_tokens),
    totalTokens: Number(row.total_tokens),
    updatedAt: Number(row.updated_at),
  };
}

function emptyRow(keyId: string): TotalsRow {
  return { key_id: keyId, requests: 0, prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, updated_at: 0 };
}
