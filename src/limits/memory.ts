/**
 * Limits counted in this process: exact for one process, per process when several share a database.
 *
 * Days and months outlive the process: at first sight of a key its counts come from the store, with one indexed query
 * that the key's first requests wait for. Minutes and concurrent requests begin anew with the process.
 *
 * Memory is bounded: beyond `keysMax`, keys that nobody used for a minute and whose requests are all in the store are
 * forgotten, and read again when they come back. Keys in use are never forgotten, however many there are.
 */
import type { ApiKey } from '../keys/key.ts';
import type { FailureReport } from '../observe/failure-report.ts';
import { SteadyTime } from './counters.ts';
import { KeyCounters, type Moment, type StoredUse } from './key-counters.ts';
import {
  type Admission,
  type Granted,
  type KeyStanding,
  type Limiter,
  type OnFailure,
  refusalOf,
  UNREACHABLE,
} from './limiter.ts';
import { type CalendarDay, calendarDayOf, daysOfMonth, MINUTE_MS, monthOf } from './windows.ts';

/** Where the counts of a key come from: what was used of each UTC day from `first` to `last`; absent days are zero. */
export interface UseSource {
  usageDays(keyId: string, first: number, last: number): Promise<readonly UsedDay[]>;
}

export interface UsedDay {
  readonly day: number;
  readonly requests: number;
  readonly totalTokens: number;
}

export interface MemoryLimiterOptions {
  readonly source: UseSource;
  /** Whether the source knows of every request that was released: only then may a count be replaced by the source's. */
  readonly isSourceCurrent: () => boolean;
  readonly onFailure: OnFailure;
  /** Told of each request whose counters could not be reached. */
  readonly failures: FailureReport;
  /** Default 10,000: some 5 MB. */
  readonly keysMax?: number;
}

/** A key whose counts could not be read is asked for again after this, not for every request. */
const RETRY_MS = 1_000;
/** So many keys are looked at to find some that can be forgotten, for each new one: bounded work, and two go for one that comes. */
const PROBES = 16;

export class MemoryLimiter implements Limiter {
  readonly #options: MemoryLimiterOptions;
  readonly #keysMax: number;
  readonly #entries = new Map<string, Entry>();
  readonly #steady = new SteadyTime();
  /** Of the latest call. A request that had to wait is decided at this time, not at the one it came with. */
  #moment: Moment = { wallMs: 0, steadyMs: 0, calendar: calendarDayOf(0) };

  constructor(options: MemoryLimiterOptions) {
    this.#options = options;
    this.#keysMax = options.keysMax ?? 10_000;
  }

  /** How many keys are remembered. */
  get keys(): number {
    return this.#entries.size;
  }

  admit(key: ApiKey, nowMs: number): Admission | Promise<Admission> {
    const entry = this.#entryOf(key.id, nowMs);
    const loading = entry.isLoaded ? null : this.#load(key.id, entry);
    return loading === null ? this.#decide(key, entry) : loading.then(() => this.#decide(key, entry));
  }

  charge(keyId: string, tokens: number, admittedAtMs: number): void {
    this.#entries.get(keyId)?.counters.charge(monthOf(admittedAtMs), tokens);
  }

  status(key: ApiKey, nowMs: number): KeyStanding | Promise<KeyStanding> {
    const entry = this.#entryOf(key.id, nowMs);
    const standing = () => entry.counters.standing(key, this.#moment);
    const loading = entry.isLoaded ? null : this.#load(key.id, entry);
    return loading === null ? standing() : loading.then(standing);
  }

  #decide(key: ApiKey, { counters, isLoaded, failure }: Entry): Admission {
    if (!isLoaded && needsStoredUse(key)) {
      this.#options.failures.count(failure);
      if (this.#options.onFailure === 'deny') return UNREACHABLE;
    }
    const { wallMs } = this.#moment;
    const refusal = counters.hasRoom(key, this.#moment)
      ? null
      : refusalOf(counters.standing(key, this.#moment), wallMs);
    if (refusal !== null) return refusal;
    counters.take(this.#moment);
    return new Place(counters, wallMs);
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

  /** The map is a ring: keys in use go to its end, so that a scan comes to each in turn. */
  #forgetIdle(): void {
    if (!this.#options.isSourceCurrent()) return;
    const { steadyMs } = this.#moment;
    let probes = PROBES;
    for (const [keyId, entry] of this.#entries) {
      this.#entries.delete(keyId);
      if (!entry.isIdle(steadyMs)) this.#entries.set(keyId, entry);
      if (this.#entries.size <= this.#keysMax - 2 || --probes === 0) return;
    }
  }

  /** Null when it is not to be tried now; else resolves, never rejects, when it is known whether it went well. */
  #load(keyId: string, entry: Entry): Promise<void> | null {
    if (entry.loading !== null) return entry.loading;
    const { steadyMs, calendar } = this.#moment;
    if (steadyMs < entry.retryAtMs) return null;
    // Requests let through meanwhile are added to what the source says, so it must be known which ones it has.
    if (entry.failure !== null && !this.#options.isSourceCurrent()) return null;
    const known = knownToSource(entry.counters, this.#moment);
    const { first, last } = daysOfMonth(calendar.month);
    entry.loading = this.#options.source.usageDays(keyId, first, last).then(
      (days) => entry.loaded(remainder(days, known, calendar), calendar),
      (error: unknown) => entry.failed(error, steadyMs + RETRY_MS),
    );
    return entry.loading;
  }
}

class Entry {
  readonly counters = new KeyCounters();
  isLoaded = false;
  loading: Promise<void> | null = null;
  /** Why the last try to load failed. */
  failure: unknown = null;
  retryAtMs = Number.NEGATIVE_INFINITY;
  /** Steady time. */
  usedAtMs = 0;

  isIdle(steadyMs: number): boolean {
    return this.counters.inFlight === 0 && this.loading === null && steadyMs - this.usedAtMs >= MINUTE_MS;
  }

  loaded(use: StoredUse, calendar: CalendarDay): void {
    this.counters.add(use, calendar);
    this.isLoaded = true;
    this.loading = null;
    this.failure = null;
  }

  failed(error: unknown, retryAtMs: number): void {
    this.failure = error;
    this.retryAtMs = retryAtMs;
    this.loading = null;
  }
}

class Place implements Granted {
  readonly granted = true;
  #released = false;

  constructor(
    readonly counters: KeyCounters,
    readonly admittedAtMs: number,
  ) {}

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.counters.release();
  }
}

function needsStoredUse(key: ApiKey): boolean {
  return key.rpdLimit !== null || key.monthlyLimit !== null || key.monthlyTokenLimit !== null;
}

/** What was counted here while the source could not be read and is in it by now: all but the requests in flight. */
function knownToSource(counters: KeyCounters, moment: Moment): StoredUse {
  const { requestsToday, requestsThisMonth, tokensThisMonth } = counters.use(moment);
  return {
    requestsToday: Math.max(0, requestsToday - counters.inFlight),
    requestsThisMonth: Math.max(0, requestsThisMonth - counters.inFlight),
    tokensThisMonth,
  };
}

function remainder(days: readonly UsedDay[], known: StoredUse, { day }: CalendarDay): StoredUse {
  let requestsToday = 0;
  let requestsThisMonth = 0;
  let tokensThisMonth = 0;
  for (const used of days) {
    if (used.day === day) requestsToday = used.requests;
    requestsThisMonth += used.requests;
    tokensThisMonth += used.totalTokens;
  }
  return {
    requestsToday: Math.max(0, requestsToday - known.requestsToday),
    requestsThisMonth: Math.max(0, requestsThisMonth - known.requestsThisMonth),
    tokensThisMonth: Math.max(0, tokensThisMonth - known.tokensThisMonth),
  };
}
