/** A summary with more rows than the API gives at once is asked for in parts of the time. */
import { lastDayOfMonth, utcDaysBetween, utcMonthsBetween } from '../../format/times.ts';
import type { UsageView } from './usage-view.ts';

/** The API refuses to give more than 10,000. */
export const ROWS_AT_ONCE = 8_000;

/** UTC days, both included. */
export interface TimePart {
  readonly from: string;
  readonly to: string;
}

type Range = Pick<UsageView, 'step' | 'from' | 'to'>;

export function periodsOf({ step, from, to }: Range): string[] {
  return step === 'day' ? utcDaysBetween(from, to) : utcMonthsBetween(from, to);
}

/** Whole days or months, so that no sum is split; as few parts as the number of groups allows. */
export function partsOf(range: Range, groupCount: number): TimePart[] {
  const periods = periodsOf(range);
  const size = Math.max(1, Math.floor(ROWS_AT_ONCE / Math.max(groupCount, 1)));
  const parts: TimePart[] = [];
  for (let i = 0; i < periods.length; i += size) {
    const first = periods[i]!;
    const last = periods[Math.min(i + size, periods.length) - 1]!;
    if (range.step === 'day') parts.push({ from: first, to: last });
    else {
      parts.push({
        from: later(range.from, `${first}-01`),
        to: earlier(range.to, lastDayOfMonth(last)),
      });
    }
  }
  return parts;
}

function later(a: string, b: string): string {
  return a > b ? a : b;
}

function earlier(a: string, b: string): string {
  return a < b ? a : b;
}
