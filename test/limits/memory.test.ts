import { describe, expect, test } from 'bun:test';
import { LimitsUnavailable } from '../../src/limits/limiter.ts';
import { MemoryLimiter, type UsedDay, type UseSource } from '../../src/limits/memory.ts';
import { dayOf, MINUTE_MS } from '../../src/limits/windows.ts';
import { granted, keyWith, limiterContract } from './contract.ts';

const NOON = Date.parse('2026-07-15T12:00:00Z');
const TODAY = dayOf(NOON);

/** What was recorded; answers when it is told to. */
class FakeSource implements UseSource {
  days: UsedDay[] = [];
  queries = 0;
  /** What the next queries wait for; rejects to make them fail. */
  answer: Promise<unknown> = Promise.resolve();

  async usedDays(_keyId: string, first: number, last: number, done: (days: readonly UsedDay[]) => void): Promise<void> {
    this.queries++;
    await this.answer;
    done(this.days.filter(({ day }) => day >= first && day <= last));
  }

  fail(): void {
    this.answer = Promise.reject(new Error('the store is away'));
    this.answer.catch(() => {});
  }

  heal(): void {
    this.answer = Promise.resolve();
  }
}

function setUp(keysMax?: number) {
  const source = new FakeSource();
  return { source, limiter: new MemoryLimiter(source, keysMax) };
}

const USED = [
  { day: TODAY, requests: 3, totalTokens: 50 },
  { day: TODAY - 1, requests: 10, totalTokens: 100 },
  { day: TODAY - 15, requests: 1000, totalTokens: 1000 },
];

const TRAITS = { countsWithoutLimits: true };
limiterContract('counters in memory', () => setUp().limiter, TRAITS);
limiterContract('counters in memory, without what was recorded', () => setUp().limiter.withoutSource, TRAITS);

describe('counts of what was recorded', () => {
  test('days and months go on where the records say; last month is over', async () => {
    const { source, limiter } = setUp();
    source.days = USED;
    const status = await limiter.status(keyWith({}), NOON);
    expect(status.requestsPerDay.used).toBe(3);
    expect(status.requestsPerMonth.used).toBe(13);
    expect(status.tokensPerMonth.used).toBe(150);
    expect(status.requestsPerMinute.used).toBe(0);
  });

  test('they are asked for once, however many requests come at first sight, and then every answer is at once', async () => {
    const { source, limiter } = setUp();
    source.days = USED;
    const key = keyWith({ rpdLimit: 10 });
    const admissions = await Promise.all(Array.from({ length: 100 }, () => limiter.admit(key, NOON)));
    expect(admissions.filter((admission) => admission.granted)).toHaveLength(7);
    expect(source.queries).toBe(1);
    expect(limiter.admit(key, NOON)).not.toBeInstanceOf(Promise);
  });

  test('a request that waited for them is decided at the time it is decided at', async () => {
    const { source, limiter } = setUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    source.answer = promise;
    const beforeMidnight = Date.parse('2026-07-15T23:59:59.999Z');
    const waiting = limiter.admit(keyWith({}), beforeMidnight);
    const other = limiter.admit(keyWith({}), beforeMidnight + 1);
    resolve();
    expect(granted(await waiting).admittedAtMs).toBe(beforeMidnight + 1);
    granted(await other);
  });
});

describe('counts that cannot be had', () => {
  test('requests and status reads that need them are told so; the source is asked once a second', async () => {
    const { source, limiter } = setUp();
    source.fail();
    const key = keyWith({ rpdLimit: 5 });
    await expect(limiter.admit(key, NOON) as Promise<unknown>).rejects.toBeInstanceOf(LimitsUnavailable);
    expect(() => limiter.admit(key, NOON + 999)).toThrow(LimitsUnavailable);
    expect(() => limiter.status(key, NOON + 999)).toThrow('the store is away');
    expect(source.queries).toBe(1);
    await expect(limiter.admit(key, NOON + 1_000) as Promise<unknown>).rejects.toBeInstanceOf(LimitsUnavailable);
    expect(source.queries).toBe(2);
  });

  test('a key without limits by day or month does not need them', async () => {
    const { source, limiter } = setUp();
    source.fail();
    const key = keyWith({ rpmLimit: 1, maxConcurrent: 1 });
    granted(await limiter.admit(key, NOON));
    expect(limiter.admit(key, NOON)).toMatchObject({ limit: 'requestsPerMinute' });
  });

  test('what is let through without them is counted once when they are there, under traffic that never ends', async () => {
    const { source, limiter } = setUp();
    source.fail();
    const key = keyWith({ rpdLimit: 20 });
    await expect(limiter.admit(key, NOON) as Promise<unknown>).rejects.toThrow();
    const admit = async () => granted(await limiter.withoutSource.admit(key, NOON));
    const [inFlight, ended, endedLater] = [await admit(), await admit(), await admit()];
    ended.release({ tokens: 40 });
    const answer = Promise.withResolvers<void>();
    source.answer = answer.promise;
    const status = limiter.status(key, NOON + 1_000);
    // While the source is being asked one more begins, and one ends and is recorded.
    const during = await admit();
    endedLater.release({ tokens: 2 });
    source.days = [{ day: TODAY, requests: 5 + 2, totalTokens: 100 + 42 }];
    answer.resolve();
    expect((await status).requestsPerDay.used).toBe(5 + 4);
    expect((await status).tokensPerMonth.used).toBe(142);
    inFlight.release(null);
    during.release({ tokens: 1 });
    expect((await limiter.status(key, NOON + 1_001)).requestsPerDay.used).toBe(9);
    granted(limiter.admit(key, NOON + 1_002) as never);
  });
});

describe('memory', () => {
  const KEYS_MAX = 100;

  test('keys that nobody uses are forgotten and come back with the counts of their records', async () => {
    const { source, limiter } = setUp(KEYS_MAX);
    const first = keyWith({ rpdLimit: 5 });
    granted(await limiter.admit(first, NOON)).release(null);
    for (let i = 0; i < 10 * KEYS_MAX; i++) {
      granted(await limiter.admit(keyWith({}), NOON + MINUTE_MS + i * 1_000)).release(null);
      expect(limiter.keys).toBeLessThanOrEqual(KEYS_MAX);
    }
    source.days = [{ day: TODAY, requests: 5, totalTokens: 0 }];
    expect(await limiter.admit(first, NOON + 20 * MINUTE_MS)).toMatchObject({ limit: 'requestsPerDay' });
  });

  test('keys with a request in flight or an open minute are kept, and go when they may', async () => {
    const { limiter } = setUp(KEYS_MAX);
    const held = keyWith({ maxConcurrent: 1 });
    const permit = granted(await limiter.admit(held, NOON));
    const keys = Array.from({ length: 3 * KEYS_MAX }, () => keyWith({ rpmLimit: 1 }));
    for (const key of keys) granted(await limiter.admit(key, NOON + 1)).release(null);
    for (const key of keys) expect(await limiter.admit(key, NOON + 2)).toMatchObject({ limit: 'requestsPerMinute' });
    for (let i = 0; i < 5 * KEYS_MAX; i++)
      granted(await limiter.admit(keyWith({}), NOON + 2 * MINUTE_MS + i)).release(null);
    expect(limiter.keys).toBeLessThanOrEqual(6 * KEYS_MAX);
    expect(await limiter.admit(held, NOON + 3 * MINUTE_MS)).toMatchObject({ limit: 'concurrent' });
    permit.release(null);
    granted(await limiter.admit(held, NOON + 3 * MINUTE_MS)).release(null);
    for (let i = 0; i < 5 * KEYS_MAX; i++)
      granted(await limiter.admit(keyWith({}), NOON + 9 * MINUTE_MS + i * 1_000)).release(null);
    expect(limiter.keys).toBeLessThanOrEqual(KEYS_MAX);
  });
});
