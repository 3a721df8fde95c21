import { describe, expect, test } from 'bun:test';
import type { OnFailure } from '../../src/limits/limiter.ts';
import { MemoryLimiter, type UsedDay } from '../../src/limits/memory.ts';
import { dayOf, MINUTE_MS } from '../../src/limits/windows.ts';
import { FailureReport } from '../../src/observe/failure-report.ts';
import { granted, keyWith, limiterContract } from './contract.ts';

const NOON = Date.parse('2026-07-15T12:00:00Z');
const TODAY = dayOf(NOON);

/** A store that answers when it is told to. */
class FakeStore {
  days: UsedDay[] = [];
  queries = 0;
  isCurrent = true;
  /** What the next queries wait for; rejects to make them fail. */
  answer: Promise<unknown> = Promise.resolve();

  async usageDays(_keyId: string, first: number, last: number): Promise<UsedDay[]> {
    this.queries++;
    const days = this.days.filter(({ day }) => day >= first && day <= last);
    await this.answer;
    return days;
  }

  fail(): void {
    this.answer = Promise.reject(new Error('the store is away'));
    this.answer.catch(() => {});
  }
}

interface Setup {
  readonly onFailure?: OnFailure;
  readonly keysMax?: number;
}

function setUp({ onFailure = 'allow', keysMax }: Setup = {}) {
  const store = new FakeStore();
  const failures = new FailureReport(() => {});
  const isSourceCurrent = () => store.isCurrent;
  const limiter = new MemoryLimiter({
    source: store,
    isSourceCurrent,
    onFailure,
    failures,
    ...(keysMax ? { keysMax } : {}),
  });
  return { store, failures, limiter };
}

const USED = [
  { day: TODAY, requests: 3, totalTokens: 50 },
  { day: TODAY - 1, requests: 10, totalTokens: 100 },
  { day: TODAY - 15, requests: 1000, totalTokens: 1000 },
];

limiterContract('counters in memory', () => setUp().limiter);

describe('counts of the store', () => {
  test('days and months go on where the store says; last month is over', async () => {
    const { store, limiter } = setUp();
    store.days = USED;
    const standing = await limiter.status(keyWith({}), NOON);
    expect(standing.requestsPerDay.used).toBe(3);
    expect(standing.requestsPerMonth.used).toBe(13);
    expect(standing.tokensPerMonth.used).toBe(150);
    expect(standing.requestsPerMinute.used).toBe(0);
  });

  test('they are asked for once, however many requests come at first sight, and then every answer is at once', async () => {
    const { store, limiter } = setUp();
    store.days = USED;
    const key = keyWith({ rpdLimit: 10 });
    const admissions = await Promise.all(Array.from({ length: 100 }, () => limiter.admit(key, NOON)));
    expect(admissions.filter((admission) => admission.granted)).toHaveLength(7);
    expect(store.queries).toBe(1);
    expect(limiter.admit(key, NOON)).not.toBeInstanceOf(Promise);
  });

  test('a request that waited for them is decided at the time it is decided at', async () => {
    const { store, limiter } = setUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    store.answer = promise;
    const beforeMidnight = Date.parse('2026-07-15T23:59:59.999Z');
    const waiting = limiter.admit(keyWith({}), beforeMidnight);
    const other = limiter.admit(keyWith({}), beforeMidnight + 1);
    resolve();
    expect(granted(await waiting).admittedAtMs).toBe(beforeMidnight + 1);
    granted(await other);
  });
});

describe('a store that cannot be reached', () => {
  test('allow: requests go through and are counted as failures; minutes and places are kept all the same', async () => {
    const { store, limiter, failures } = setUp();
    store.fail();
    const key = keyWith({ rpmLimit: 2, monthlyLimit: 5 });
    granted(await limiter.admit(key, NOON));
    granted(await limiter.admit(key, NOON + 1));
    expect(await limiter.admit(key, NOON + 2)).toMatchObject({ limit: 'requestsPerMinute' });
    expect(failures.total).toBe(3);
    expect(store.queries).toBe(1);
  });

  test('deny: requests are refused, and by no limit', async () => {
    const { store, limiter, failures } = setUp({ onFailure: 'deny' });
    store.fail();
    const key = keyWith({ rpdLimit: 5 });
    for (let i = 0; i < 3; i++) expect(await limiter.admit(key, NOON)).toMatchObject({ granted: false, limit: null });
    expect(failures.total).toBe(3);
    expect((await limiter.status(key, NOON)).requestsPerDay.used).toBe(0);
  });

  test('deny: a key without limits by day or month does not need the store', async () => {
    const { store, limiter, failures } = setUp({ onFailure: 'deny' });
    store.fail();
    granted(await limiter.admit(keyWith({ rpmLimit: 1, maxConcurrent: 1 }), NOON));
    expect(failures.total).toBe(0);
  });

  test('it is asked again once a second, and what went through meanwhile is counted once', async () => {
    const { store, limiter, failures } = setUp();
    store.fail();
    const key = keyWith({ rpdLimit: 10 });
    const inFlight = granted(await limiter.admit(key, NOON));
    const ended = granted(await limiter.admit(key, NOON));
    limiter.charge(key.id, 40, ended.admittedAtMs);
    ended.release();
    granted(await limiter.admit(key, NOON + 999));
    expect(store.queries).toBe(1);
    // The writer has put the one that ended beside the five of before.
    store.answer = Promise.resolve();
    store.days = [{ day: TODAY, requests: 5 + 1, totalTokens: 100 + 40 }];
    const standing = await limiter.status(key, NOON + 1_000);
    expect(store.queries).toBe(2);
    expect(standing.requestsPerDay.used).toBe(5 + 3);
    expect(standing.tokensPerMonth.used).toBe(140);
    granted(await limiter.admit(key, NOON + 1_001));
    expect(failures.total).toBe(3);
    inFlight.release();
  });

  test('while records still wait for the store, its counts are not taken for the truth', async () => {
    const { store, limiter } = setUp();
    store.fail();
    const key = keyWith({ rpdLimit: 10 });
    granted(await limiter.admit(key, NOON)).release();
    store.answer = Promise.resolve();
    store.isCurrent = false;
    granted(await limiter.admit(key, NOON + 5_000)).release();
    expect(store.queries).toBe(1);
    store.isCurrent = true;
    store.days = [{ day: TODAY, requests: 2, totalTokens: 0 }];
    granted(await limiter.admit(key, NOON + 6_000));
    expect((await limiter.status(key, NOON + 6_000)).requestsPerDay.used).toBe(3);
  });
});

describe('memory', () => {
  const KEYS_MAX = 100;

  test('keys that nobody uses are forgotten and come back with the counts of the store', async () => {
    const { store, limiter } = setUp({ keysMax: KEYS_MAX });
    const first = keyWith({ rpdLimit: 5 });
    granted(await limiter.admit(first, NOON)).release();
    for (let i = 0; i < 10 * KEYS_MAX; i++) {
      granted(await limiter.admit(keyWith({}), NOON + MINUTE_MS + i * 1_000)).release();
      expect(limiter.keys).toBeLessThanOrEqual(KEYS_MAX);
    }
    store.days = [{ day: TODAY, requests: 5, totalTokens: 0 }];
    expect(await limiter.admit(first, NOON + 20 * MINUTE_MS)).toMatchObject({ limit: 'requestsPerDay' });
  });

  test('keys with a request in flight or an open minute are kept, and go when they may', async () => {
    const { limiter } = setUp({ keysMax: KEYS_MAX });
    const held = keyWith({ maxConcurrent: 1 });
    const place = granted(await limiter.admit(held, NOON));
    const keys = Array.from({ length: 3 * KEYS_MAX }, () => keyWith({ rpmLimit: 1 }));
    for (const key of keys) granted(await limiter.admit(key, NOON + 1)).release();
    for (const key of keys) expect(await limiter.admit(key, NOON + 2)).toMatchObject({ limit: 'requestsPerMinute' });
    for (let i = 0; i < 5 * KEYS_MAX; i++)
      granted(await limiter.admit(keyWith({}), NOON + 2 * MINUTE_MS + i)).release();
    expect(limiter.keys).toBeLessThanOrEqual(6 * KEYS_MAX);
    expect(await limiter.admit(held, NOON + 3 * MINUTE_MS)).toMatchObject({ limit: 'concurrent' });
    place.release();
    granted(await limiter.admit(held, NOON + 3 * MINUTE_MS)).release();
    for (let i = 0; i < 5 * KEYS_MAX; i++)
      granted(await limiter.admit(keyWith({}), NOON + 9 * MINUTE_MS + i * 1_000)).release();
    expect(limiter.keys).toBeLessThanOrEqual(KEYS_MAX);
  });

  test('nothing is forgotten while its records are not in the store', async () => {
    const { store, limiter } = setUp({ keysMax: KEYS_MAX });
    store.isCurrent = false;
    const key = keyWith({ rpdLimit: 1 });
    granted(await limiter.admit(key, NOON)).release();
    for (let i = 0; i < 2 * KEYS_MAX; i++) granted(await limiter.admit(keyWith({}), NOON + i * MINUTE_MS)).release();
    expect(await limiter.admit(key, NOON + 300 * MINUTE_MS)).toMatchObject({ limit: 'requestsPerDay' });
  });
});
