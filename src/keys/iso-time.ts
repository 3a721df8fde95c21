/** Dates and times as ISO 8601 text, for `expires_at` and query parameters. */

/** Date, time and zone. The zone is required: without it the time would depend on the machine. A date alone is UTC. */
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;
const ISO_DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The years 0000 to 9999. A zone can move a time out of this range, and its ISO form would then have a six-digit year. */
const FIRST_TIME = Date.parse('0000-01-01T00:00:00Z');
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');

/** Milliseconds since 1970, or null when the text is no ISO 8601 time with a zone, or beyond the year 9999. */
export function parseIsoTime(text: string): number | null {
  if (!ISO_TIME.test(text) || !isCalendarDay(text.slice(0, 10))) return null;
  const time = Date.parse(text);
  return time >= FIRST_TIME && time <= LAST_TIME ? time : null;
}

export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** Days since 1970, or null when the text is no YYYY-MM-DD that is in the calendar. */
export function parseIsoDay(text: string): number | null {
  return ISO_DAY.test(text) && isCalendarDay(text) ? Date.parse(`${text}T00:00:00Z`) / 86_400_000 : null;
}

/** Date.parse reads February 30 as March 2. */
function isCalendarDay(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
