/** Moments as they are shown: in this machine's time zone, except days of usage, which are UTC days. */
import { NOTHING } from './numbers.ts';

const DAY_MS = 86_400_000;

/** 14:03:22 */
export function formatTime(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** 14:03:22.041 */
export function formatTimeMs(ms: number): string {
  return `${formatTime(ms)}.${String(new Date(ms).getMilliseconds()).padStart(3, '0')}`;
}

/** 2026-11-25 14:03 */
export function formatDateTime(iso: string | null | undefined): string {
  if (!iso) return NOTHING;
  const date = new Date(iso);
  return `${formatDate(date.getTime())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** 2026-11-25 */
export function formatDate(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The time of day of a moment of today, the date and time of any other. */
export function formatMoment(iso: string, nowMs: number): string {
  const ms = Date.parse(iso);
  return formatDate(ms) === formatDate(nowMs) ? formatTime(ms) : `${formatDate(ms).slice(5)} ${formatTime(ms)}`;
}

/** "3 min ago", "in 2 days" */
export function formatRelative(iso: string | null | undefined, nowMs: number, never = 'never'): string {
  if (!iso) return never;
  const distanceMs = Date.parse(iso) - nowMs;
  const text = formatDistance(Math.abs(distanceMs));
  if (text === null) return 'just now';
  return distanceMs < 0 ? `${text} ago` : `in ${text}`;
}

function formatDistance(ms: number): string | null {
  const seconds = Math.round(ms / 1000);
  if (seconds < 5) return null;
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  const days = Math.floor(seconds / 86_400);
  if (days < 60) return days === 1 ? '1 day' : `${days} days`;
  return days < 730 ? `${Math.floor(days / 30.4)} months` : `${Math.floor(days / 365)} years`;
}

/** YYYY-MM-DD of a UTC day. */
export function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** All UTC days from the first to the last, both included; at most 4,000. */
export function utcDaysBetween(first: string, last: string): string[] {
  const days: string[] = [];
  const end = Date.parse(last);
  for (let ms = Date.parse(first); ms <= end && days.length < 4000; ms += DAY_MS) days.push(utcDay(ms));
  return days;
}

export function utcMonthsBetween(first: string, last: string): string[] {
  const months: string[] = [];
  let [year, month] = first.split('-').map(Number) as [number, number];
  for (let text = first.slice(0, 7); text <= last.slice(0, 7) && months.length < 4000; ) {
    months.push(text);
    month++;
    if (month > 12) {
      month = 1;
      year++;
    }
    text = `${year}-${two(month)}`;
  }
  return months;
}

/** YYYY-MM-DD of the last day of a month given as YYYY-MM. */
export function lastDayOfMonth(month: string): string {
  const [year, number] = month.split('-').map(Number) as [number, number];
  return utcDay(Date.UTC(year, number, 0));
}

export function shiftDays(day: string, days: number): string {
  return utcDay(Date.parse(day) + days * DAY_MS);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
