/**
 * Usage reports for the admin API and `bve usage`: rows by UTC day and month, and single records, in the JSON form of the
 * contract, sections 6 and 7.
 *
 * A row counts admitted requests, whatever their outcome, on the day and in the month of their admission. A request that was
 * refused before has only a record.
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

interface UsageSource {
  recentUsageDays(query: TotalsQuery): Promise<UsageDay[]>;
  recentUsageMonths(query: TotalsQuery): Promise<UsageMonth[]>;
}

export interface UsageReport {
  readonly daily: readonly UsageDay[];
  readonly monthly: readonly UsageMonth[];
}

/** Default windows of a report without dates. */
const KEY_DAYS = 30;
const KEY_MONTHS = 12;
const ALL_DAY_ROWS = 100;
const ALL_MONTH_ROWS = 50;
/** 9999-12-31, the last day with a four-digit year. */
export const LAST_DAY = 2_932_896;

/**
 * The months are those that the days fall into; their rows cover whole months.
 * @param rowsMax the bound of each list when dates are given; one more row means that there were more
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

/** A stable UUID derived from key and period (RFC 9562, version 8), so that no column needs to store it. */
function rowId(keyId: string, period: string): string {
  const hex = Bun.SHA256.hash(`${keyId} ${period}`, 'hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function monthOfDay(day: number): number {
  return monthOf(dayStartMs(day));
}
