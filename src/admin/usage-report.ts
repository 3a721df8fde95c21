/**
 * Usage as operators ask for it: rows by UTC day and month in the JSON form of the contract, section 7, and single
 * records. The admin API and `bve usage` give the same answers because both are made here.
 *
 * A request counts when it was admitted, however it ended, in the day and month of its admission. What the limits, or
 * the gateway before them, turned away is in the records only.
 */
import { dayOf, dayStartMs, monthOf, monthStartMs } from '../limits/windows.ts';
import type { UsageRecord } from '../usage/usage-record.ts';
import type { TotalsQuery, UsageDay, UsageMonth, UsageTotals } from '../usage/usage-totals.ts';

export interface UsageReportQuery {
  readonly keyId?: string | undefined;
  /** Days since 1970, both included. */
  readonly firstDay?: number | undefined;
  readonly lastDay?: number | undefined;
}

export interface UsageSource {
  recentUsageDays(query: TotalsQuery): Promise<UsageDay[]>;
  recentUsageMonths(query: TotalsQuery): Promise<UsageMonth[]>;
}

export interface UsageReport {
  readonly daily: readonly UsageDay[];
  readonly monthly: readonly UsageMonth[];
}

/** Without dates: the last days and months of a key, the last rows of all keys. */
const KEY_DAYS = 30;
const KEY_MONTHS = 12;
const ALL_DAY_ROWS = 100;
const ALL_MONTH_ROWS = 50;
/** 9999-12-31: the last day that has four digits for its year. */
export const LAST_DAY = 2_932_896;

/**
 * Months are all those that the days touch: their rows are whole months.
 * @param rowsMax bound of each list when dates are given; one row more tells that there were more
 */
export async function readUsageReport(
  source: UsageSource,
  query: UsageReportQuery,
  nowMs: number,
  rowsMax: number,
): Promise<UsageReport> {
  const { keyId, firstDay, lastDay } = query;
  const of = keyId === undefined ? {} : { keyId };
  if (firstDay !== undefined || lastDay !== undefined) {
    const first = firstDay ?? 0;
    const last = lastDay ?? LAST_DAY;
    const [daily, monthly] = await Promise.all([
      source.recentUsageDays({ ...of, first, last, limit: rowsMax + 1 }),
      source.recentUsageMonths({ ...of, first: monthOfDay(first), last: monthOfDay(last), limit: rowsMax + 1 }),
    ]);
    return { daily, monthly };
  }
  const forKey = keyId !== undefined;
  const [daily, monthly] = await Promise.all([
    source.recentUsageDays({
      ...of,
      first: forKey ? dayOf(nowMs) - KEY_DAYS + 1 : 0,
      last: LAST_DAY,
      limit: forKey ? KEY_DAYS : ALL_DAY_ROWS,
    }),
    source.recentUsageMonths({
      ...of,
      first: forKey ? monthOf(nowMs) - KEY_MONTHS + 1 : 0,
      last: monthOfDay(LAST_DAY),
      limit: forKey ? KEY_MONTHS : ALL_MONTH_ROWS,
    }),
  ]);
  return { daily, monthly };
}

export function usageReportToJson({ daily, monthly }: UsageReport) {
  return { daily: daily.map(dayToJson), monthly: monthly.map(monthToJson) };
}

/** The record of the contract, section 6: these fields, in this order. */
export function usageRecordToJson(record: UsageRecord) {
  return {
    id: record.id,
    requestId: record.requestId,
    upstreamRequestId: record.upstreamRequestId,
    keyId: record.keyId,
    endpoint: record.endpoint,
    model: record.model,
    status: record.status,
    streamed: record.streamed,
    startedAt: new Date(record.startedAt).toISOString(),
    sentMs: record.sentMs,
    headMs: record.headMs,
    ttfbMs: record.ttfbMs,
    durationMs: record.durationMs,
    cancelMs: record.cancelMs,
    bytesOut: record.bytesOut,
    finish: record.finish,
    errorCode: record.errorCode,
    target: record.target,
    attempts: record.attempts,
    promptTokens: record.promptTokens,
    cachedTokens: record.cachedTokens,
    completionTokens: record.completionTokens,
    reasoningTokens: record.reasoningTokens,
    totalTokens: record.totalTokens,
    usageSource: record.usageSource,
  };
}

/** YYYY-MM-DD */
export function dateOf(day: number): string {
  return new Date(dayStartMs(day)).toISOString().slice(0, 10);
}

/** YYYY-MM */
export function yearMonthOf(month: number): string {
  return new Date(monthStartMs(month)).toISOString().slice(0, 7);
}

function dayToJson(row: UsageDay) {
  const date = dateOf(row.day);
  return { id: rowId(row.keyId, date), keyId: row.keyId, date, ...totalsToJson(row) };
}

function monthToJson(row: UsageMonth) {
  const yearMonth = yearMonthOf(row.month);
  return { id: rowId(row.keyId, yearMonth), keyId: row.keyId, yearMonth, ...totalsToJson(row) };
}

function totalsToJson(row: UsageTotals) {
  return {
    requestCount: row.requests,
    promptTokens: row.promptTokens,
    completionTokens: row.completionTokens,
    totalTokens: row.totalTokens,
    updatedAt: new Date(row.updatedAt).toISOString(),
  };
}

/** A UUID that follows from what the row is about (RFC 9562, version 8): always the same, and no column of its own. */
function rowId(keyId: string, period: string): string {
  const hex = Bun.SHA256.hash(`${keyId} ${period}`, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function monthOfDay(day: number): number {
  return monthOf(dayStartMs(day));
}
