/** What the usage page shows, as its address says it: range, steps, split, measure, key. */
import type { UsageNumbers } from '../../api/api-types.ts';
import { shiftDays, utcDay } from '../../format/times.ts';

export const MEASURES = [
  { value: 'total_tokens', label: 'Total tokens' },
  { value: 'prompt_tokens', label: 'Prompt tokens' },
  { value: 'cached_tokens', label: 'Cached tokens' },
  { value: 'completion_tokens', label: 'Completion tokens' },
  { value: 'reasoning_tokens', label: 'Reasoning tokens' },
  { value: 'requests', label: 'Requests' },
  { value: 'errors', label: 'Errors' },
] as const satisfies readonly { value: keyof UsageNumbers; label: string }[];
export type Measure = (typeof MEASURES)[number]['value'];

export const RANGES = [
  { value: '7d', label: '7 days' },
  { value: '30d', label: '30 days' },
  { value: '90d', label: '90 days' },
  { value: 'month', label: 'This month' },
  { value: 'last-month', label: 'Last month' },
  { value: '12m', label: '12 months' },
  { value: 'custom', label: 'From – to' },
] as const;
export type RangeName = (typeof RANGES)[number]['value'];

type PeriodStep = 'day' | 'month';

export interface UsageView {
  readonly range: RangeName;
  /** UTC days, both included. */
  readonly from: string;
  readonly to: string;
  readonly step: PeriodStep;
  /** '' is not split; otherwise `key`, `model` or `tag:NAME`. */
  readonly split: string;
  readonly measure: Measure;
  readonly keyId: string;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
/** More bars than this are thinner than a pixel or two. */
const DAYS_MAX = 400;
const DAYS_BY_DEFAULT_MAX = 95;

export function readUsageView(query: URLSearchParams, nowMs: number): UsageView {
  const today = utcDay(nowMs);
  const from = query.get('from') ?? '';
  const to = query.get('to') ?? '';
  const isCustom = DAY.test(from) && DAY.test(to) && from <= to;
  const range = isCustom ? 'custom' : (RANGES.find(({ value }) => value === query.get('range'))?.value ?? '30d');
  const days = isCustom ? { from, to } : rangeDays(range === 'custom' ? '30d' : range, today);
  const length = (Date.parse(days.to) - Date.parse(days.from)) / 86_400_000 + 1;
  const asked = query.get('by');
  const byDay = asked === 'day' ? length <= DAYS_MAX : asked !== 'month' && length <= DAYS_BY_DEFAULT_MAX;
  const split = query.get('split') ?? 'model';
  return {
    range: isCustom ? 'custom' : range === 'custom' ? '30d' : range,
    ...days,
    step: byDay ? 'day' : 'month',
    split: split === 'none' ? '' : /^(key|model|tag:[a-z0-9_-]{1,32})$/.test(split) ? split : 'model',
    measure: MEASURES.find(({ value }) => value === query.get('measure'))?.value ?? 'total_tokens',
    keyId: query.get('key_id') ?? '',
  };
}

function rangeDays(range: Exclude<RangeName, 'custom'>, today: string): { from: string; to: string } {
  const monthStart = `${today.slice(0, 7)}-01`;
  switch (range) {
    case '7d':
      return { from: shiftDays(today, -6), to: today };
    case '30d':
      return { from: shiftDays(today, -29), to: today };
    case '90d':
      return { from: shiftDays(today, -89), to: today };
    case 'month':
      return { from: monthStart, to: today };
    case 'last-month': {
      const end = shiftDays(monthStart, -1);
      return { from: `${end.slice(0, 7)}-01`, to: end };
    }
    default: {
      const [year, month] = today.split('-').map(Number) as [number, number];
      return { from: utcDay(Date.UTC(year, month - 12, 1)), to: today };
    }
  }
}
