import { expect, test } from 'bun:test';
import {
  calendarDayOf,
  DAY_MS,
  dayOf,
  dayStartMs,
  daysOfMonth,
  monthOf,
  monthStartMs,
  retryAfterS,
} from '../../src/limits/windows.ts';
import { randomFrom } from '../support/random.ts';

const CASES = 20_000;
const SEED = Number(process.env.LIMITS_SEED ?? 20_260_729);

/** Some moment from 1970 to 2299, often right at the edge of a day or a month. */
function randomMoment(random: (below: number) => number): number {
  const month = monthStartMs(random(330 * 12));
  switch (random(4)) {
    case 0:
      return month + random(3) - 1;
    case 1:
      return month + random(31) * DAY_MS + random(3) - 1;
    default:
      return month + random(31) * DAY_MS + random(DAY_MS);
  }
}

const isoDay = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const isoMonth = (ms: number) => new Date(ms).toISOString().slice(0, 7);

test(`the day and the month of a moment begin and end where the calendar says (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  for (let i = 0; i < CASES; i++) {
    const ms = Math.max(0, randomMoment(random));
    const { day, startMs, endMs, month, monthEndMs } = calendarDayOf(ms);
    const context = `${ms}, ${new Date(ms).toISOString()}`;
    if (!(startMs <= ms && ms < endMs && endMs <= monthEndMs)) throw new Error(`not around it: ${context}`);
    if (isoDay(startMs) !== isoDay(ms) || isoDay(endMs - 1) !== isoDay(ms)) throw new Error(`day: ${context}`);
    if (isoDay(startMs - 1) === isoDay(ms) || isoDay(endMs) === isoDay(ms)) throw new Error(`day's edge: ${context}`);
    if (isoMonth(monthEndMs - 1) !== isoMonth(ms) || isoMonth(monthEndMs) === isoMonth(ms))
      throw new Error(`month: ${context}`);
    if (monthStartMs(month + 1) !== monthEndMs || isoDay(monthStartMs(month)) !== `${isoMonth(ms)}-01`)
      throw new Error(`month's start: ${context}`);
    if (dayOf(dayStartMs(day)) !== day || monthOf(monthStartMs(month)) !== month)
      throw new Error(`not inverse: ${context}`);
  }
});

test('months have the days they have: leap years, the exceptions among them, year ends', () => {
  const days = (isoMonthText: string) => {
    const { first, last } = daysOfMonth(monthOf(Date.parse(`${isoMonthText}-15T12:00:00Z`)));
    return [isoDay(dayStartMs(first)), isoDay(dayStartMs(last)), last - first + 1] as const;
  };
  expect(days('2026-02')).toEqual(['2026-02-01', '2026-02-28', 28]);
  expect(days('2028-02')).toEqual(['2028-02-01', '2028-02-29', 29]);
  expect(days('2000-02')).toEqual(['2000-02-01', '2000-02-29', 29]);
  expect(days('2100-02')).toEqual(['2100-02-01', '2100-02-28', 28]);
  expect(days('2026-12')).toEqual(['2026-12-01', '2026-12-31', 31]);
  expect(days('1970-01')).toEqual(['1970-01-01', '1970-01-31', 31]);
});

test('days are numbered without a gap across month and year ends', () => {
  for (const end of ['2026-04-30', '2027-12-31', '2028-02-29']) {
    const last = dayOf(Date.parse(`${end}T23:59:59.999Z`));
    const next = Date.parse(`${end}T23:59:59.999Z`) + 1;
    expect(dayOf(next)).toBe(last + 1);
    expect(monthOf(next)).toBe(monthOf(next - 1) + 1);
  }
});

test('a wait is told in whole seconds, never too few and at least one', () => {
  expect([0, 1, 999, 1_000, 1_001, 60_000, -5].map(retryAfterS)).toEqual([1, 1, 1, 1, 2, 60, 1]);
});
