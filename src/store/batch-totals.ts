/**
 * The records of one batch added up by key, model and day, and from there by key and day and by key and month: what a
 * store adds to `usage_by_model`, `usage_days` and `usage_months` for them.
 *
 * A request belongs to the day on which the limits admitted it, its tokens too. One that was not admitted is in no row.
 */
import { dayOf, dayStartMs, monthOf } from '../limits/windows.ts';
import type { UsageRecord } from '../usage/usage-record.ts';

interface TokenTotals {
  requests: number;
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
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

export interface PeriodTotals extends TokenTotals {
  /** Days since 1970, or months since January 1970. */
  readonly period: number;
}

/** What a key used. */
export interface KeyTotals {
  readonly keyId: string;
  lastUsedAt: number | null;
  readonly models: ModelTotals[];
}

/** @param lastUsedAt by key; those that are only in here are in the result too */
export function totalsByKey(
  records: readonly UsageRecord[],
  lastUsedAt: ReadonlyMap<string, number>,
): Map<string, KeyTotals> {
  const keys = new Map<string, KeyTotals>();
  for (const record of records) {
    if (record.admittedAt === null) continue;
    const { models } = keyOf(keys, record.keyId);
    addRecord(modelOf(models, dayOf(record.admittedAt), record.model ?? ''), record);
  }
  for (const [keyId, usedAt] of lastUsedAt) keyOf(keys, keyId).lastUsedAt = usedAt;
  return keys;
}

/** Adds what a key used to what it used besides. */
export function mergeKey(keys: Map<string, KeyTotals>, { keyId, lastUsedAt, models }: KeyTotals): void {
  const key = keyOf(keys, keyId);
  if (lastUsedAt !== null && (key.lastUsedAt ?? 0) < lastUsedAt) key.lastUsedAt = lastUsedAt;
  for (const more of models) {
    const row = modelOf(key.models, more.day, more.model);
    addTotals(row, more);
    row.errors += more.errors;
    row.cachedTokens += more.cachedTokens;
    row.reasoningTokens += more.reasoningTokens;
  }
}

export function totalsByDay(models: readonly ModelTotals[]): PeriodTotals[] {
  return totalsByPeriod(models, (model) => model.day);
}

export function totalsByMonth(models: readonly ModelTotals[]): PeriodTotals[] {
  return totalsByPeriod(models, (model) => monthOf(dayStartMs(model.day)));
}

function totalsByPeriod(models: readonly ModelTotals[], periodOf: (model: ModelTotals) => number): PeriodTotals[] {
  const rows: PeriodTotals[] = [];
  for (const model of models) {
    const period = periodOf(model);
    let row = rows.find((other) => other.period === period);
    if (row === undefined) {
      row = { period, requests: 0, promptTokens: 0, completionTokens: 0, totalTokens: 0, updatedAt: 0 };
      rows.push(row);
    }
    addTotals(row, model);
  }
  return rows;
}

function keyOf(keys: Map<string, KeyTotals>, keyId: string): KeyTotals {
  let key = keys.get(keyId);
  if (key === undefined) {
    key = { keyId, lastUsedAt: null, models: [] };
    keys.set(keyId, key);
  }
  return key;
}

/** A key has a handful of them, so that looking through them is faster than another map. */
function modelOf(models: ModelTotals[], day: number, model: string): ModelTotals {
  for (const row of models) if (row.day === day && row.model === model) return row;
  const row: ModelTotals = {
    day,
    model,
    requests: 0,
    errors: 0,
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
    reasoningTokens: 0,
    totalTokens: 0,
    updatedAt: 0,
  };
  models.push(row);
  return row;
}

function addRecord(row: ModelTotals, record: UsageRecord): void {
  row.requests++;
  if (record.finish === 'error' || record.finish === 'upstream_interrupted') row.errors++;
  row.promptTokens += record.promptTokens ?? 0;
  row.cachedTokens += record.cachedTokens ?? 0;
  row.completionTokens += record.completionTokens ?? 0;
  row.reasoningTokens += record.reasoningTokens ?? 0;
  row.totalTokens += record.totalTokens ?? 0;
  row.updatedAt = Math.max(row.updatedAt, Math.round(record.startedAt + record.durationMs));
}

function addTotals(row: TokenTotals, more: TokenTotals): void {
  row.requests += more.requests;
  row.promptTokens += more.promptTokens;
  row.completionTokens += more.completionTokens;
  row.totalTokens += more.totalTokens;
  row.updatedAt = Math.max(row.updatedAt, more.updatedAt);
}
