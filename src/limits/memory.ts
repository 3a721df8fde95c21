/**
 * Limits counted in this process: exact for one process, per process when several share a database.
 *
 * Days and months outlive the process: at first sight of a key its counts come from what was recorded, with one indexed
 * query that the key's first requests wait for. Minutes and concurrent requests begin anew with the process.
 *
 * Memory is bounded: beyond `keysMax`, keys that nobody used for a minute are forgotten, and read again when they come
 * back. Keys in use are never forgotten, however many there are.
 */
import type { ApiKey } from '../keys/key.ts';
import { SteadyTime } from './counters.ts';
import { KeyCounters, type Moment, type Use } from './key-counters.ts';
import {
  type Admission,
  type Granted,
  type KeyLimitStatus,
  type Limiter,
  LimitsUnavailable,
  type Refused,
  type Reservation,
  refusalOf,
  refused,
  type Used,
} from './limiter.ts';
import { type CalendarDay, calendarDayOf, daysOfMonth, MINUTE_MS, monthOf } from './windows.ts';

/** Where the counts of a key come from. */
export interface UseSource {
  /**
   * What was used of each UTC day from `first` to `last`; absent days are zero. `done` is called at a moment at which
   * this is exactly what was recorded of the key so far. Rejects without calling it when that cannot be had.
   */
  usedDays(keyId: string, first: number, last: number, done: (days: readonly UsedDay[]) => void): Promise<void>;
}

export interface UsedDay {
  readonly day: number;
  readonly requests: number;
  readonly totalTokens: number;
}

/** When the counts of a key could not be read, the next attempt is this much later, not with each request. */
const RETRY_MS = 1_000;
/** How many keys are examined for each new one, to evict up to two: bounded work, and the map shrinks. */
const PROBES = 16;

export class MemoryLimiter implements Limiter {
  readonly #source: UseSource;
  readonly #keysMax: number;
  readonly #entries = new Map<string, Entry>();
  readonly #steady = new SteadyTime();
  /** The time of the latest call. A request that had to wait is decided at this time, not at that of its arrival. */
  #moment: Moment = { wallMs: 0, steadyMs: 0, calendar: calendarDayOf(0) };

  /** @param keysMax default 10,000: some 5 MB */
  constructor(source: UseSource, keysMax = 10_000) {
    this.#source = source;
    this.#keysMax = keysMax;
  }

  /** How many keys are remembered. */
  get keys(): number {
    return this.#entries.size;
  }

  /** The same counters, of which days and months are taken as they are: without what was used before this process. */
  readonly withoutSource: Limiter = {
    admit: (key, nowMs) => this.#decide(key, this.#entryOf(key.id, nowMs)),
    status: (key, nowMs) => this.#entryOf(key.id, nowMs).counters.status(key, this.#moment),
  };

  admit(key: ApiKey, nowMs: number): Admission | Promise<Admission> {
    const entry = this.#entryOf(key.id, nowMs);
    if (entry.isLoaded) return this.#decide(key, entry);
    const decide = () => {
      if (!entry.isLoaded && needsStoredUse(key)) throw entry.failure;
      return this.#decide(key, entry);
    };
    const loading = this.#load(key.id, entry);
    return loading === null ? decide() : loading.then(decide);
  }

  status(key: ApiKey, nowMs: number): KeyLimitStatus | Promise<KeyLimitStatus> {
    const entry = this.#entryOf(key.id, nowMs);
    if (entry.isLoaded) return entry.counters.status(key, this.#moment);
    const status = () => {
      if (!entry.isLoaded) throw entry.failure;
      return entry.counters.status(key, this.#moment);
    };
    const loading = this.#load(key.id, entry);
    return loading === null ? status() : loading.then(status);
  }

  #decide(key: ApiKey, { counters }: Entry): Admission {
    const { wallMs } = this.#moment;
    const refusal = counters.hasRoom(key, this.#moment) ? null : refusalOf(counters.status(key, this.#moment), wallMs);
    if (refusal !== null) return refusal;
    counters.take(this.#moment);
    return new Permit(counters, key, wallMs);
  }

  #entryOf(keyId: string, nowMs: number): Entry {
    const steadyMs = this.#steady.at(nowMs);
    this.#moment = { wallMs: nowMs, steadyMs, calendar: this.#calendarOf(nowMs) };
    let entry = this.#entries.get(keyId);
    if (entry === undefined) {
      if (this.#entries.size >= this.#keysMax) this.#forgetIdle();
      entry = new Entry();
      this.#entries.set(keyId, entry);
    }
    entry.usedAtMs = steadyMs;
    return entry;
  }

  #calendarOf(nowMs: number): CalendarDay {
    const { calendar } = this.#moment;
    return nowMs >= calendar.startMs && nowMs < calendar.endMs ? calendar : calendarDayOf(nowMs);
  }

  /** Keys in use move to the end of the map, so that the scan reaches every key (CLOCK). */
  #forgetIdle(): void {
    const { steadyMs } = this.#moment;
    let probes = PROBES;
    for (const [keyId, entry] of this.#entries) {
      this.#entries.delete(keyId);
      if (!entry.isIdle(steadyMs)) this.#entries.set(keyId, entry);
      if (this.#entries.size <= this.#keysMax - 2 || --probes === 0) return;
    }
  }

  /** Null when no attempt is due; else resolves, and never rejects, when the attempt is over. */
  #load(keyId: string, entry: Entry): Promise<void> | null {
    if (entry.loading !== null) return entry.loading;
    const { steadyMs, calendar } = this.#moment;
    if (steadyMs < entry.retryAtMs) return null;
    const { first, last } = daysOfMonth(calendar.month);
    // Requests may have been let through before this worked: what of them was recorded is in the days.
    entry.loading = this.#source
      .usedDays(keyId, first, last, (days) =>
        entry.loaded(remainder(days, recordedUse(entry.counters, this.#moment), calendar), calendar),
      )
      .catch((error: unknown) => entry.failed(error, steadyMs + RETRY_MS));
    return entry.loading;
  }
}

class Entry {
  readonly counters = new KeyCounters();
  isLoaded = false;
  loading: Promise<void> | null = null;
  /** Why the last attempt to load failed. */
  failure: LimitsUnavailable | null = null;
  retryAtMs = Number.NEGATIVE_INFINITY;
  /** Steady time. */
  usedAtMs = 0;

  isIdle(steadyMs: number): boolean {
    return this.counters.inFlight === 0 && this.loading === null && steadyMs - this.usedAtMs >= MINUTE_MS;
  }

  loaded(use: Use, calendar: CalendarDay): void {
    this.counters.add(use, calendar);
    this.isLoaded = true;
    this.loading = null;
    this.failure = null;
  }

  failed(error: unknown, retryAtMs: number): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.failure = new LimitsUnavailable(`what the key used cannot be read: ${reason}`, { cause: error });
    this.retryAtMs = retryAtMs;
    this.loading = null;
  }
}

class Permit implements Granted {
  readonly granted = true;
  #reservedTokens = 0;
  #released = false;

  constructor(
    readonly counters: KeyCounters,
    readonly key: ApiKey,
    readonly admittedAtMs: number,
  ) {}

  reserve({ tokens }: Reservation): Refused | null {
    const { month, monthEndMs } = calendarDayOf(this.admittedAtMs);
    if (!this.counters.reserve(this.key, tokens, month)) {
      return refused('tokensPerMonth', monthEndMs - this.admittedAtMs);
    }
    this.#reservedTokens += tokens;
    return null;
  }

  release(used: Used | null): void {
    if (this.#released) return;
    this.#released = true;
    const tokens = used?.tokens ?? 0;
    this.counters.release(tokens > 0 ? monthOf(this.admittedAtMs) : 0, tokens, this.#reservedTokens);
  }
}

function needsStoredUse(key: ApiKey): boolean {
  return key.rpdLimit !== null || key.monthlyLimit !== null || key.monthlyTokenLimit !== null;
}

/** What was counted here and is recorded by now: everything but the requests in flight. */
function recordedUse(counters: KeyCounters, moment: Moment): Use {
  const { requestsToday, requestsThisMonth, tokensThisMonth } = counters.use(moment);
  return {
    requestsToday: Math.max(0, requestsToday - counters.inFlight),
    requestsThisMonth: Math.max(0, requestsThisMonth - counters.inFlight),
    tokensThisMonth,
  };
}

/** What was used before this process counted. */
function remainder(days: readonly UsedDay[], counted: Use, { day }: CalendarDay): Use {
  let requestsToday = 0;
  let requestsThisMonth = 0;
  let tokensThisMonth = 0;
  for (const used of days) {
    if (used.day === day) requestsToday = used.requests;
    requestsThisMonth += used.requests;
    tokensThisMonth += used.totalTokens;
  }
  return {
    requestsToday: Math.max(0, requestsToday - counted.requestsToday),
    requestsThisMonth: Math.max(0, requestsThisMonth - counted.requestsThisMonth),
    tokensThisMonth: Math.max(0, tokensThisMonth - counted.tokensThisMonth),
  };
}
