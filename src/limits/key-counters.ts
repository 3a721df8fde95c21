/** All counters of one key, and whether its limits allow one more request. */
import type { ApiKey } from '../keys/key.ts';
import { CalendarCounter, MinuteCounter } from './counters.ts';
import type { KeyLimitStatus } from './limiter.ts';
import type { CalendarDay } from './windows.ts';

/** One moment, in the three forms the counters need. */
export interface Moment {
  readonly wallMs: number;
  /** Wall time that never goes back, see `SteadyTime`. */
  readonly steadyMs: number;
  readonly calendar: CalendarDay;
}

export interface Use {
  readonly requestsToday: number;
  readonly requestsThisMonth: number;
  readonly tokensThisMonth: number;
}

export class KeyCounters {
  readonly #minute = new MinuteCounter();
  readonly #day = new CalendarCounter();
  readonly #month = new CalendarCounter();
  readonly #tokens = new CalendarCounter();
  #inFlight = 0;
  #reservedTokens = 0;

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The same as `refusalOf(status(…))` without an allocation, because every request calls it. */
  hasRoom(key: ApiKey, { steadyMs, calendar }: Moment): boolean {
    return (
      (key.rpmLimit === null || this.#minute.used(steadyMs) < key.rpmLimit) &&
      (key.rpdLimit === null || this.#day.used(calendar.day) < key.rpdLimit) &&
      (key.monthlyLimit === null || this.#month.used(calendar.month) < key.monthlyLimit) &&
      (key.monthlyTokenLimit === null || this.#tokensTaken(calendar.month) < key.monthlyTokenLimit) &&
      (key.maxConcurrent === null || this.#inFlight < key.maxConcurrent)
    );
  }

  /** Counts whether or not there is a limit: one may be set while the window is open. */
  take({ steadyMs, calendar }: Moment): void {
    this.#minute.add(steadyMs);
    this.#day.add(calendar.day, 1);
    this.#month.add(calendar.month, 1);
    this.#tokens.add(calendar.month, 0);
    this.#inFlight++;
  }

  /** @returns whether the key's limit allows that many more */
  reserve(key: ApiKey, tokens: number, month: number): boolean {
    if (key.monthlyTokenLimit !== null && this.#tokensTaken(month) + tokens > key.monthlyTokenLimit) return false;
    this.#reservedTokens += tokens;
    return true;
  }

  /** @param month in which the request was admitted */
  release(month: number, tokens: number, reservedTokens: number): void {
    this.#inFlight--;
    this.#reservedTokens -= reservedTokens;
    if (tokens > 0) this.#tokens.addLate(month, tokens);
  }

  use({ calendar }: Moment): Use {
    return {
      requestsToday: this.#day.used(calendar.day),
      requestsThisMonth: this.#month.used(calendar.month),
      tokensThisMonth: this.#tokens.used(calendar.month),
    };
  }

  add(use: Use, { day, month }: CalendarDay): void {
    this.#day.add(day, use.requestsToday);
    this.#month.add(month, use.requestsThisMonth);
    this.#tokens.add(month, use.tokensThisMonth);
  }

  status(key: ApiKey, moment: Moment): KeyLimitStatus {
    const { wallMs, steadyMs, calendar } = moment;
    const { requestsToday, requestsThisMonth } = this.use(moment);
    const minuteMs = this.#minute.remainingMs(steadyMs);
    const monthEndMs = calendar.monthEndMs;
    return {
      requestsPerMinute: {
        limit: key.rpmLimit,
        used: this.#minute.used(steadyMs),
        resetsAtMs: minuteMs === null ? null : wallMs + minuteMs,
      },
      requestsPerDay: { limit: key.rpdLimit, used: requestsToday, resetsAtMs: calendar.endMs },
      requestsPerMonth: { limit: key.monthlyLimit, used: requestsThisMonth, resetsAtMs: monthEndMs },
      tokensPerMonth: {
        limit: key.monthlyTokenLimit,
        used: this.#tokensTaken(calendar.month),
        resetsAtMs: monthEndMs,
      },
      concurrent: { limit: key.maxConcurrent, used: this.#inFlight, resetsAtMs: null },
    };
  }

  /** Used, or reserved by requests in flight. */
  #tokensTaken(month: number): number {
    return this.#tokens.used(month) + this.#reservedTokens;
  }
}
