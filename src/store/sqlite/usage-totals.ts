/** Usage records added up by key and period, a day or a month: what the tables `usage_days` and `usage_months` share. */
import { dayOf, dayStartMs, monthOf } from '../../limits/windows.ts';
import type { UsageRecord } from '../../usage/usage-record.ts';

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

export interface PeriodTotals extends TotalsRow {
  readonly period: number;
}

/** One row for each key and UTC day. A request belongs to the day on which the limits admitted it, its tokens too. */
export function totalsByDay(records: readonly UsageRecord[]): PeriodTotals[] {
  const totals: PeriodTotals[] = [];
  for (const record of records) {
    if (record.admittedAt === null) continue;
    const row = rowOf(totals, record.keyId, dayOf(record.admittedAt));
    row.requests++;
    row.prompt_tokens += record.promptTokens ?? 0;
    row.completion_tokens += record.completionTokens ?? 0;
    row.total_tokens += record.totalTokens ?? 0;
    row.updated_at = Math.max(row.updated_at, Math.round(record.startedAt + record.durationMs));
  }
  return totals;
}

/** Days of some keys added up to UTC calendar months. */
export function totalsByMonth(days: readonly PeriodTotals[]): PeriodTotals[] {
  const totals: PeriodTotals[] = [];
  for (const day of days) {
    const row = rowOf(totals, day.key_id, monthOf(dayStartMs(day.period)));
    row.requests += day.requests;
    row.prompt_tokens += day.prompt_tokens;
    row.completion_tokens += day.completion_tokens;
    row.total_tokens += day.total_tokens;
    row.updated_at = Math.max(row.updated_at, day.updated_at);
  }
  return totals;
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

/** That of a key and period, a new one if need be. The last is the likeliest: records of one key come in a row. */
function rowOf(totals: PeriodTotals[], keyId: string, period: number): PeriodTotals {
  for (let at = totals.length - 1; at >= 0; at--) {
    const row = totals[at]!;
    if (row.key_id === keyId && row.period === period) return row;
  }
  const row = {
    key_id: keyId,
    period,
    requests: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
    total_tokens: 0,
    updated_at: 0,
  };
  totals.push(row);
  return row;
}
