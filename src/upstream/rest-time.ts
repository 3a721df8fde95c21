/** What `retry-after` and `x-quota-reset` say: until when a target has nothing for us. */

/** Numbers from here on are Unix seconds, and from there on Unix milliseconds; smaller ones are seconds from now. */
const UNIX_SECONDS_MIN = 1e9;
const UNIX_MS_MIN = 1e12;
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
const ISO_8601 = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/;

/** Milliseconds since 1970; null when the text is neither whole seconds, an HTTP date nor ISO 8601. */
export function restTimeOf(text: string | null, nowMs: number): number | null {
  if (text === null) return null;
  const value = text.trim();
  if (/^\d{1,16}$/.test(value)) {
    const number = Number(value);
    if (number >= UNIX_MS_MIN) return number;
    return number >= UNIX_SECONDS_MIN ? number * 1000 : nowMs + number * 1000;
  }
  if (!HTTP_DATE.test(value) && !ISO_8601.test(value)) return null;
  const timeMs = Date.parse(value);
  return Number.isNaN(timeMs) ? null : timeMs;
}
