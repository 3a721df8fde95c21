/**
 * Limits counted in Redis, exact over all processes that share it.
 *
 * One script decides a request; what it used is told with the next request of the key, or some 50 ms later, and its permit is
 * given back at once. A key without limits asks nothing.
 *
 * Nothing is replayed that may or may not have arrived. How many requests of a key this process has in flight is told as a
 * number, not as a step, whenever it is certain; and of a key whose use may have been lost, days and months are set to what the
 * database has, if that is more. So counts are right again soon after whatever happened.
 */
import type { ApiKey } from '../../keys/key.ts';
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
} from '../limiter.ts';
import type { UseSource } from '../memory.ts';
import { calendarDayOf, daysOfMonth, monthOf } from '../windows.ts';
import { readReply, type ScriptCall, type ScriptReply, type Seed } from './script.ts';

/** Where the script runs. */
export interface LimitScript {
  /** @throws LimitsUnavailable, or rejects with it: whether the script ran is not known */
  run(keyId: string, call: ScriptCall): Promise<unknown>;
}

interface RedisLimiterOptions {
  /** Default: a name that no other process has. */
  readonly process?: string;
  /** How long what requests used may wait to be told. Default 50. */
  readonly settleMs?: number;
  /** How long a request waits for the database to tell what its key used. Default 1,000. */
  readonly seedTimeoutMs?: number;
}

/** Of a process that has died, permits are free after 25 s, see `script.ts`. */
const RENEW_MS = 10_000;
/** Keys whose use may have been lost, and that nobody has used since. */
const DOUBTFUL_MAX = 100_000;

export class RedisLimiter implements Limiter {
  readonly #script: LimitScript;
  readonly #source: UseSource;
  readonly #process: string;
  readonly #settleMs: number;
  readonly #seedTimeoutMs: number;
  readonly #entries = new Map<string, Entry>();
  /** Keys whose days and months are to be compared with the database. */
  readonly #doubtful = new Set<string>();
  readonly #unsettled = new Set<Entry>();
  #settleTimer: Timer | null = null;
  readonly #renewTimer: Timer;

  constructor(script: LimitScript, source: UseSource, options: RedisLimiterOptions = {}) {
    this.#script = script;
    this.#source = source;
    this.#process = options.process ?? Bun.randomUUIDv7();
    this.#settleMs = options.settleMs ?? 50;
    this.#seedTimeoutMs = options.seedTimeoutMs ?? 1_000;
    this.#renewTimer = setInterval(() => this.renew(), RENEW_MS).unref();
  }

  /** Keys that are known for the moment. */
  get keys(): number {
    return this.#entries.size;
  }

  admit(key: ApiKey, nowMs: number): Admission | Promise<Admission> {
    if (!hasLimits(key)) return new Unlimited(nowMs);
    return this.#using(key, (entry) => this.#admit(key, entry, null));
  }

  status(key: ApiKey, nowMs: number): Promise<KeyLimitStatus> {
    if (!hasLimits(key)) return this.#statusWithoutLimits(key, nowMs);
    return this.#using(key, (entry) => this.#status(key, entry));
  }

  /** Says of a key that not all that it used may be counted in Redis. It is in the database, or on its way there. */
  doubt(key: ApiKey): void {
    if (needsStoredUse(key) && this.#doubtful.size < DOUBTFUL_MAX) this.#doubtful.add(key.id);
  }

  /** Tells of every key that has requests in flight, or had when Redis could not be reached. */
  renew(): void {
    for (const entry of this.#entries.values()) {
      if (entry.hasUnsettled || (entry.held > 0 && entry.isWaitedFor)) void this.#settle(entry);
    }
  }

  /** Tells what was not told yet. Resolves when it is told, or cannot be. */
  async close(): Promise<void> {
    clearInterval(this.#renewTimer);
    if (this.#settleTimer) clearTimeout(this.#settleTimer);
    this.#settleTimer = null;
    await Promise.all([...this.#unsettled].map((entry) => this.#settle(entry)));
  }

  async #admit(key: ApiKey, entry: Entry, seed: Seed | null): Promise<Admission> {
    const reply = await this.#run(entry, 'admit', seed);
    if (reply.kind === 'granted') return new Permit(this, entry, reply.nowMs);
    if (reply.kind === 'unseeded') return this.#admit(key, entry, await this.#seed(key.id, reply.nowMs));
    // Between two scripts nothing can change: what refused is in the counts.
    return refusalOf(statusOf(entry, reply), reply.nowMs) ?? refused('concurrent', 1_000);
  }

  async #status(key: ApiKey, entry: Entry): Promise<KeyLimitStatus> {
    let reply = await this.#run(entry, 'status', null);
    if (reply.kind === 'unseeded') reply = await this.#run(entry, 'status', await this.#seed(key.id, reply.nowMs));
    if (reply.kind !== 'counts') throw new LimitsUnavailable(`the script answered '${reply.kind}' when it was asked`);
    return statusOf(entry, reply);
  }

  /** Meanwhile nobody forgets the entry of the key. */
  async #using<T>(key: ApiKey, run: (entry: Entry) => Promise<T>): Promise<T> {
    const entry = this.#entryOf(key);
    entry.users++;
    try {
      return await run(entry);
    } finally {
      entry.users--;
      this.#forgetIdle(entry);
    }
  }

  /** What `entry` has to tell goes with it. */
  async #run(entry: Entry, mode: ScriptCall['mode'], seed: Seed | null): Promise<ScriptReply> {
    const { key } = entry;
    const isDoubtful = mode !== 'settle' && this.#doubtful.has(key.id);
    const version = needsStoredUse(key) || mode === 'status' ? `${key.updatedAt}` : '';
    if (isDoubtful && seed === null && version !== '') return { kind: 'unseeded', nowMs: Date.now() };
    const told = entry.take();
    this.#unsettled.delete(entry);
    const call: ScriptCall = {
      mode,
      version,
      process: this.#process,
      held: entry.pending === 0 ? entry.held : -1,
      released: told.released,
      reserved: entry.reserved,
      tokens: told.tokens,
      month: told.month,
      limits: limitsOf(key),
      seed,
    };
    if (mode === 'admit') entry.pending++;
    try {
      const reply = readReply(await this.#script.run(key.id, call));
      if (seed !== null) this.#doubtful.delete(key.id);
      if (mode === 'admit' && reply.kind === 'granted') entry.held++;
      return reply;
    } catch (error) {
      // It may have arrived, or not.
      if (told.tokens > 0 || mode === 'admit') this.doubt(key);
      entry.isDoubtful = entry.isWaitedFor;
      throw error instanceof LimitsUnavailable ? error : new LimitsUnavailable(messageOf(error), { cause: error });
    } finally {
      if (mode === 'admit') entry.pending--;
    }
  }

  /** Called by a permit. */
  ended(entry: Entry, tokens: number, month: number, reserved: number): void {
    entry.held--;
    entry.reserved -= reserved;
    // Tokens of two months are told one after the other.
    if (!entry.hasRoomFor(tokens, month)) void this.#settle(entry);
    entry.ended(tokens, month);
    if (entry.isWaitedFor || reserved > 0) void this.#settle(entry);
    else if (tokens > 0) this.#settleSoon(entry);
    else this.#forgetIdle(entry);
  }

  async reserve(entry: Entry, tokens: number, admittedAtMs: number): Promise<Refused | null> {
    const { key } = entry;
    const limit = key.monthlyTokenLimit;
    if (limit === null) return null;
    // First taken, then looked at: of two that reserve at once, neither sees room that the other takes.
    entry.reserved += tokens;
    const status = await this.status(key, admittedAtMs);
    if (status.tokensPerMonth.used <= limit) return null;
    entry.reserved -= tokens;
    void this.#settle(entry);
    return refused('tokensPerMonth', calendarDayOf(admittedAtMs).monthEndMs - admittedAtMs);
  }

  #settleSoon(entry: Entry): void {
    this.#unsettled.add(entry);
    this.#settleTimer ??= setTimeout(() => {
      this.#settleTimer = null;
      for (const waiting of this.#unsettled) void this.#settle(waiting);
    }, this.#settleMs);
  }

  /** Never rejects: what could not be told is told by the next renewal, or by the database. */
  async #settle(entry: Entry): Promise<void> {
    try {
      await this.#run(entry, 'settle', null);
      if (entry.pending === 0) entry.isDoubtful = false;
    } catch {
      // `#run` has noted it.
    }
    this.#forgetIdle(entry);
  }

  #entryOf(key: ApiKey): Entry {
    let entry = this.#entries.get(key.id);
    if (entry === undefined) {
      entry = new Entry(key);
      this.#entries.set(key.id, entry);
    }
    entry.key = key;
    return entry;
  }

  #forgetIdle(entry: Entry): void {
    if (entry.held === 0 && entry.users === 0 && !entry.hasUnsettled) this.#entries.delete(entry.key.id);
  }

  async #seed(keyId: string, nowMs: number): Promise<Seed> {
    const { day, month } = calendarDayOf(nowMs);
    const { first, last } = daysOfMonth(month);
    const seed = { day, month, requestsToday: 0, requestsThisMonth: 0, tokensThisMonth: 0 };
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`no answer within ${this.#seedTimeoutMs} ms`)),
      this.#seedTimeoutMs,
    );
    const read = this.#source.usedDays(keyId, first, last, (days) => {
      for (const used of days) {
        if (used.day === day) seed.requestsToday = used.requests;
        seed.requestsThisMonth += used.requests;
        seed.tokensThisMonth += used.totalTokens;
      }
    });
    try {
      await Promise.race([read, tooLate]);
    } catch (error) {
      throw new LimitsUnavailable(`what the key used cannot be read: ${messageOf(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
    return seed;
  }

  async #statusWithoutLimits(key: ApiKey, nowMs: number): Promise<KeyLimitStatus> {
    const { requestsToday, requestsThisMonth, tokensThisMonth } = await this.#seed(key.id, nowMs);
    const { endMs, monthEndMs } = calendarDayOf(nowMs);
    return {
      requestsPerMinute: { limit: null, used: 0, resetsAtMs: null },
      requestsPerDay: { limit: null, used: requestsToday, resetsAtMs: endMs },
      requestsPerMonth: { limit: null, used: requestsThisMonth, resetsAtMs: monthEndMs },
      tokensPerMonth: { limit: null, used: tokensThisMonth, resetsAtMs: monthEndMs },
      concurrent: { limit: null, used: 0, resetsAtMs: null },
    };
  }
}

/** What this process knows of one key: its requests in flight, and what Redis was not told. */
class Entry {
  held = 0;
  /** Calls that are under way. */
  users = 0;
  /** Admissions whose answer is not there yet. */
  pending = 0;
  reserved = 0;
  /** How many are in flight is to be told again. */
  isDoubtful = false;
  #released = 0;
  #tokens = 0;
  #month = -1;

  constructor(public key: ApiKey) {}

  get hasUnsettled(): boolean {
    return this.#tokens > 0 || this.isDoubtful;
  }

  /** Others may wait for what this process gives back: a permit, or tokens. Nobody waits to know what was used. */
  get isWaitedFor(): boolean {
    return this.key.maxConcurrent !== null || this.reserved > 0;
  }

  hasRoomFor(tokens: number, month: number): boolean {
    return tokens === 0 || this.#tokens === 0 || this.#month === month;
  }

  ended(tokens: number, month: number): void {
    this.#released++;
    if (tokens === 0) return;
    this.#tokens += tokens;
    this.#month = month;
  }

  take(): { readonly released: number; readonly tokens: number; readonly month: number } {
    const told = { released: this.#released, tokens: this.#tokens, month: this.#month };
    this.#released = 0;
    this.#tokens = 0;
    return told;
  }
}

class Permit implements Granted {
  readonly granted = true;
  #reservedTokens = 0;
  #released = false;

  constructor(
    readonly limiter: RedisLimiter,
    readonly entry: Entry,
    readonly admittedAtMs: number,
  ) {}

  async reserve({ tokens }: Reservation): Promise<Refused | null> {
    const refusal = await this.limiter.reserve(this.entry, tokens, this.admittedAtMs);
    if (refusal === null && this.entry.key.monthlyTokenLimit !== null) this.#reservedTokens += tokens;
    return refusal;
  }

  release(used: Used | null): void {
    if (this.#released) return;
    this.#released = true;
    const tokens = used?.tokens ?? 0;
    this.limiter.ended(this.entry, tokens, tokens > 0 ? monthOf(this.admittedAtMs) : -1, this.#reservedTokens);
  }
}

class Unlimited implements Granted {
  readonly granted = true;
  constructor(readonly admittedAtMs: number) {}
  reserve(): null {
    return null;
  }
  release(): void {}
}

function hasLimits(key: ApiKey): boolean {
  return key.rpmLimit !== null || key.maxConcurrent !== null || needsStoredUse(key);
}

function needsStoredUse(key: ApiKey): boolean {
  return key.rpdLimit !== null || key.monthlyLimit !== null || key.monthlyTokenLimit !== null;
}

function limitsOf(key: ApiKey): ScriptCall['limits'] {
  const { rpmLimit, rpdLimit, monthlyLimit, monthlyTokenLimit, maxConcurrent } = key;
  return [rpmLimit ?? -1, rpdLimit ?? -1, monthlyLimit ?? -1, monthlyTokenLimit ?? -1, maxConcurrent ?? -1];
}

function statusOf({ key, held }: Entry, { nowMs, counts }: ScriptReply & { kind: 'counts' }): KeyLimitStatus {
  const { endMs, monthEndMs } = calendarDayOf(nowMs);
  const { minute, minuteRemainingMs, day, month, tokens, concurrent } = counts;
  return {
    requestsPerMinute: {
      limit: key.rpmLimit,
      used: minute,
      resetsAtMs: minuteRemainingMs === null ? null : nowMs + minuteRemainingMs,
    },
    requestsPerDay: { limit: key.rpdLimit, used: day, resetsAtMs: endMs },
    requestsPerMonth: { limit: key.monthlyLimit, used: month, resetsAtMs: monthEndMs },
    tokensPerMonth: { limit: key.monthlyTokenLimit, used: tokens, resetsAtMs: monthEndMs },
    // Without a limit nobody counts those of other processes.
    concurrent: { limit: key.maxConcurrent, used: key.maxConcurrent === null ? held : concurrent, resetsAtMs: null },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
