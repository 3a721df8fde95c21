/**
 * Usage records added up by key and period, a day or a month: what the tables `usage_days` and `usage_months` share; and by
 * key, model and day: the table `usage_by_model`.
 */
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

export interface ModelTotals {
  readonly key_id: string;
  readonly day: number;
  /** '' for requests that named none. */
  readonly model: string;
  requests: number;
  errors: number;
  prompt_tokens: number;
  cached_tokens: number;
  completion_tokens: number;
  reasoning_tokens: number;
  total_tokens: number;
}

/** One row for each key, model and UTC day, of admitted requests like `totalsByDay`. */
export function totalsByModel(records: readonly UsageRecord[]): ModelTotals[] {
  const totals: ModelTotals[] = [];
  for (const record of records) {
    if (record.admittedAt === null) continue;
    const row = modelRowOf(totals, record.keyId, dayOf(record.admittedAt), record.model ?? '');
    row.requests++;
    if (record.finish === 'error' || record.finish === 'upstream_interrupted') row.errors++;
    row.prompt_tokens += record.promptTokens ?? 0;
    row.cached_tokens += record.cachedTokens ?? 0;
    row.completion_tokens += record.completionTokens ?? 0;
    row.reasoning_tokens += record.reasoningTokens ?? 0;
    row.total_tokens += record.totalTokens ?? 0;
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

function modelRowOf(totals: ModelTotals[], keyId: string, day: number, model: string): ModelTotals {
  for (let at = totals.length - 1; at >= 0; at--) {
    const row = totals[at]!;
    if (row.key_id === keyId && row.model === model && row.day === day) return row;
  }
  const row: ModelTotals = {
    key_id: keyId,
    day,
    model,
    requests: 0,
    errors: 0,
    prompt_tokens: 0,
    cached_tokens: 0,
    completion_tokens: 0,
    reasoning_tokens: 0,
    total_tokens: 0,
  };
  totals.push(row);
  return row;
}
