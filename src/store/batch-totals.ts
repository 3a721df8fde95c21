/**
 * The records of one batch added up by key and day, by key and month, and by key, day and model: the rows of
 * `usage_days`, `usage_months` and `usage_by_model` that a store adds to in the transaction of the records.
 *
 * A request belongs to the day on which the limits admitted it, its tokens too. One that was not admitted is in no row.
 */
import { dayOf, monthOf } from '../limits/windows.ts';
import type { UsageRecord } from '../usage/usage-record.ts';

interface TokenTotals {
  readonly keyId: string;
  requests: number;
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

export interface PeriodTotals extends TokenTotals {
  /** Days since 1970, or months since January 1970. */
  readonly period: number;
  /** When the last of these requests ended, milliseconds since 1970. */
  updatedAt: number;
}

export interface ModelTotals extends TokenTotals {
  readonly day: number;
  /** '' for requests that named none. */
  readonly model: string;
  errors: number;
  cachedTokens: number;
  reasoningTokens: number;
}

interface BatchTotals {
  readonly days: readonly PeriodTotals[];
  readonly months: readonly PeriodTotals[];
  readonly models: readonly ModelTotals[];
}

export function totalsOf(records: readonly UsageRecord[]): BatchTotals {
  const keys = new Map<string, KeyTotals>();
  const totals = { days: [] as PeriodTotals[], months: [] as PeriodTotals[], models: [] as ModelTotals[] };
  for (const record of records) {
    if (record.admittedAt === null) continue;
    const { keyId } = record;
    let key = keys.get(keyId);
    if (key === undefined) {
      key = { days: [], months: [], models: [] };
      keys.set(keyId, key);
    }
    const day = dayOf(record.admittedAt);
    addToPeriod(periodOf(key.days, totals.days, keyId, day), record);
    addToPeriod(periodOf(key.months, totals.months, keyId, monthOf(record.admittedAt)), record);
    addToModel(modelOf(key.models, totals.models, keyId, day, record.model ?? ''), record);
  }
  return totals;
}

/** The rows of one key: a handful, so that looking through them is faster than another map. */
interface KeyTotals {
  readonly days: PeriodTotals[];
  readonly months: PeriodTotals[];
  readonly models: ModelTotals[];
}

function addToPeriod(row: PeriodTotals, record: UsageRecord): void {
  addTokens(row, record);
  row.updatedAt = Math.max(row.updatedAt, Math.round(record.startedAt + record.durationMs));
}

function addToModel(row: ModelTotals, record: UsageRecord): void {
  addTokens(row, record);
  if (record.finish === 'error' || record.finish === 'upstream_interrupted') row.errors++;
  row.cachedTokens += record.cachedTokens ?? 0;
  row.reasoningTokens += record.reasoningTokens ?? 0;
}

function addTokens(row: TokenTotals, record: UsageRecord): void {
  row.requests++;
  row.promptTokens += record.promptTokens ?? 0;
  row.completionTokens += record.completionTokens ?? 0;
  row.totalTokens += record.totalTokens ?? 0;
}

function periodOf(ofKey: PeriodTotals[], all: PeriodTotals[], keyId: string, period: number): PeriodTotals {
  for (const row of ofKey) if (row.period === period) return row;
  const row: PeriodTotals = {
    keyId,
    period,
    requests: 0,
    promptTokens: 0,
    completionTokens: 0,
    totalTokens: 0,
    updatedAt: 0,
  };
  ofKey.push(row);
  all.push(row);
  return row;
}

function modelOf(ofKey: ModelTotals[], all: ModelTotals[], keyId: string, day: number, model: string): ModelTotals {
  for (const row of ofKey) if (row.day === day && row.model === model) return row;
  const row: ModelTotals = {
    keyId,
    day,
    model,
    requests: 0,
    errors: 0,
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
    reasoningTokens: 0,
    totalTokens: 0,
  };
  ofKey.push(row);
  all.push(row);
  return row;
}
