/**
 * The arithmetic of the windows in which limits count (contract, section 5): the minute that begins with its first
 * request, the UTC day, the UTC calendar month. Pure: every time is an argument, in milliseconds since 1970.
 */

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** Days since 1970-01-01. A UTC day has 86,400 seconds: a leap second has no number of its own in Unix time. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

export function dayStartMs(day: number): number {
  return day * DAY_MS;
}

/** Months since January 1970. */
export function monthOf(ms: number): number {
  const date = new Date(ms);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

export function monthStartMs(month: number): number {
  // Date.UTC carries months beyond 11 (and below 0) into the year.
  return Date.UTC(1970, month, 1);
}

/** The UTC day and month of a moment, and when both end. */
export interface CalendarDay {
  readonly day: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly month: number;
  readonly monthEndMs: number;
}

export function calendarDayOf(ms: number): CalendarDay {
  const day = dayOf(ms);
  const month = monthOf(ms);
  return {
    day,
    startMs: dayStartMs(day),
    endMs: dayStartMs(day + 1),
    month,
    monthEndMs: monthStartMs(month + 1),
  };
}

/** The first and the last day of a month. */
export function daysOfMonth(month: number): { readonly first: number; readonly last: number } {
  return { first: dayOf(monthStartMs(month)), last: dayOf(monthStartMs(month + 1)) - 1 };
}

/** A wait as `Retry-After` gives it: whole seconds, rounded up, at least one. */
export function retryAfterS(waitMs: number): number {
  return Math.max(1, Math.ceil(waitMs / 1000));
}
