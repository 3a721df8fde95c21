/**
 * What every limiter must do, wherever it counts. `create` makes one that has counted nothing yet; it may answer at once
 * or with promises. Times are arguments, so nothing here waits.
 */
import { describe, expect, test } from 'bun:test';
import { type ApiKey, createKey, type NewKey } from '../../src/keys/key.ts';
import {
  type Admission,
  type Granted,
  LIMIT_MESSAGES,
  LIMIT_NAMES,
  type Limiter,
  type LimitName,
} from '../../src/limits/limiter.ts';
import { calendarDayOf, DAY_MS, MINUTE_MS } from '../../src/limits/windows.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';
import { LimitsOracle } from './oracle.ts';

const SEED = Number(process.env.LIMITS_SEED ?? 20_260_729);
const RUNS = 50;
const NOON = Date.parse('2026-07-15T12:00:00Z');

const NO_LIMITS: NewKey = { name: 'test', rpmLimit: null, rpdLimit: null };

export function keyWith(limits: Partial<NewKey>): ApiKey {
  return createKey({ ...NO_LIMITS, ...limits }, 0).key;
}

/** Fails the test when the admission was refused. */
export function granted(admission: Admission): Granted {
  if (!admission.granted) throw new Error(`refused: ${admission.message}`);
  return admission;
}

/** @param traits whether it counts the requests of a key that has no limit at all, too */
export function limiterContract(
  name: string,
  create: () => Limiter,
  traits: { readonly countsWithoutLimits: boolean },
): void {
  const countedKey = () => keyWith(traits.countsWithoutLimits ? {} : { rpmLimit: 1_000_000 });
  const admitAll = async (limiter: Limiter, key: ApiKey, count: number, nowMs: number) => {
    for (let i = 0; i < count; i++) granted(await limiter.admit(key, nowMs)).release(null);
  };
  const used = async (limiter: Limiter, key: ApiKey, nowMs: number) => {
    const status = await limiter.status(key, nowMs);
    return LIMIT_NAMES.map((limit) => status[limit].used);
  };

  describe(`${name}: one limit`, () => {
    const CASES: [LimitName, Partial<NewKey>, retryAfterS: number][] = [
      ['requestsPerMinute', { rpmLimit: 3 }, 60],
      ['requestsPerDay', { rpdLimit: 3 }, 12 * 3600],
      ['requestsPerMonth', { monthlyLimit: 3 }, (16 * 24 + 12) * 3600],
    ];
    for (const [limit, limits, retryAfterS] of CASES) {
      test(`${limit}: as many as it says, then a refusal with its message and its wait`, async () => {
        const limiter = create();
        const key = keyWith(limits);
        await admitAll(limiter, key, 3, NOON);
        const expected = { granted: false, limit, message: LIMIT_MESSAGES[limit], retryAfterS } as const;
        expect(await limiter.admit(key, NOON)).toEqual(expected);
        expect(await limiter.admit(key, NOON)).toEqual(expected);
        expect((await limiter.admit(key, NOON + retryAfterS * 1000 - 1)).granted).toBe(false);
        expect((await limiter.admit(key, NOON + retryAfterS * 1000)).granted).toBe(true);
      });
    }

    test('tokensPerMonth: the request that exceeds it goes through, the next one does not', async () => {
      const limiter = create();
      const key = keyWith({ monthlyTokenLimit: 100 });
      for (const tokens of [60, 39, 500]) {
        granted(await limiter.admit(key, NOON)).release({ tokens });
      }
      expect(await limiter.admit(key, NOON)).toMatchObject({
        limit: 'tokensPerMonth',
        message: 'Monthly token limit exceeded',
      });
      expect((await limiter.admit(key, Date.parse('2026-08-01T00:00:00Z'))).granted).toBe(true);
    });

    test('tokensPerMonth: an exact hit refuses the next request; it overshoots by the requests in flight at the most', async () => {
      const limiter = create();
      const key = keyWith({ monthlyTokenLimit: 100, maxConcurrent: 3 });
      const flying = [
        await limiter.admit(key, NOON),
        await limiter.admit(key, NOON),
        await limiter.admit(key, NOON),
      ].map(granted);
      for (const admission of flying) admission.release({ tokens: 100 });
      expect(await limiter.admit(key, NOON)).toMatchObject({ limit: 'tokensPerMonth' });
      expect((await limiter.status(key, NOON)).tokensPerMonth.used).toBe(300);
    });

    test('tokens of a request that ends in the next month count in the month of its admission', async () => {
      const limiter = create();
      const key = keyWith({ monthlyTokenLimit: 10 });
      const admission = granted(await limiter.admit(key, Date.parse('2026-07-31T23:59:59Z')));
      const august = Date.parse('2026-08-01T00:00:10Z');
      granted(await limiter.admit(key, august)).release(null);
      admission.release({ tokens: 50 });
      expect((await limiter.status(key, august)).tokensPerMonth.used).toBe(0);
      expect((await limiter.admit(key, august)).granted).toBe(true);
    });

    test('tokens are counted from month to month without a token limit too: one may be set while the month runs', async () => {
      const limiter = create();
      const key = countedKey();
      for (const [time, tokens] of [
        ['2026-07-31T12:00:00Z', 5],
        ['2026-08-01T12:00:00Z', 7],
      ] as const) {
        granted(await limiter.admit(key, Date.parse(time))).release({ tokens });
      }
      const august = Date.parse('2026-08-02T00:00:00Z');
      expect(await limiter.admit({ ...key, monthlyTokenLimit: 7 }, august)).toMatchObject({ limit: 'tokensPerMonth' });
    });

    test('concurrent: a permit comes back with the release, once', async () => {
      const limiter = create();
      const key = keyWith({ maxConcurrent: 2 });
      const first = granted(await limiter.admit(key, NOON));
      granted(await limiter.admit(key, NOON));
      const full = {
        granted: false,
        limit: 'concurrent',
        message: 'Rate limit exceeded: concurrent requests',
        retryAfterS: 1,
      };
      expect(await limiter.admit(key, NOON)).toEqual(full as Admission);
      first.release(null);
      first.release({ tokens: 5 });
      granted(await limiter.admit(key, NOON));
      expect(await limiter.admit(key, NOON)).toEqual(full as Admission);
    });

    test('tokens that are reserved are taken from the others until the release, and then are those that were used', async () => {
      const limiter = create();
      const key = keyWith({ monthlyTokenLimit: 100 });
      const first = granted(await limiter.admit(key, NOON));
      const second = granted(await limiter.admit(key, NOON));
      expect(await first.reserve({ tokens: 60 })).toBeNull();
      expect(await second.reserve({ tokens: 41 })).toMatchObject({ granted: false, limit: 'tokensPerMonth' });
      expect(await second.reserve({ tokens: 40 })).toBeNull();
      expect(await limiter.admit(key, NOON)).toMatchObject({ limit: 'tokensPerMonth' });
      first.release({ tokens: 5 });
      expect((await limiter.status(key, NOON)).tokensPerMonth.used).toBe(45);
      const third = granted(await limiter.admit(key, NOON));
      expect(await third.reserve({ tokens: 55 })).toBeNull();
      second.release(null);
      third.release({ tokens: 0 });
      expect((await limiter.status(key, NOON)).tokensPerMonth.used).toBe(5);
    });

    test('without a token limit any reservation is taken', async () => {
      const limiter = create();
      const admission = granted(await limiter.admit(keyWith({}), NOON));
      expect(await admission.reserve({ tokens: Number.MAX_SAFE_INTEGER })).toBeNull();
      admission.release(null);
    });

    test('null is no limit', async () => {
      const limiter = create();
      const key = keyWith({});
      for (let i = 0; i < 1_000; i++) {
        granted(await limiter.admit(key, NOON)).release({ tokens: Number.MAX_SAFE_INTEGER / 2 ** 10 });
      }
    });

    test('a changed limit holds from the next request on, for what was counted before', async () => {
      const limiter = create();
      const key = countedKey();
      await admitAll(limiter, key, 5, NOON);
      expect(await limiter.admit({ ...key, rpdLimit: 5 }, NOON)).toMatchObject({ limit: 'requestsPerDay' });
      expect((await limiter.admit({ ...key, rpdLimit: 6 }, NOON)).granted).toBe(true);
      expect(await limiter.admit({ ...key, rpmLimit: 2 }, NOON)).toMatchObject({ limit: 'requestsPerMinute' });
    });

    test('each key has its own', async () => {
      const limiter = create();
      for (let i = 0; i < 20; i++) {
        const key = keyWith({ rpmLimit: 1, maxConcurrent: 1 });
        granted(await limiter.admit(key, NOON));
        expect((await limiter.admit(key, NOON)).granted).toBe(false);
      }
    });
  });

  describe(`${name}: several limits`, () => {
    const EXHAUSTED: [LimitName, Partial<NewKey>][] = [
      ['requestsPerMinute', { rpmLimit: 1 }],
      ['requestsPerDay', { rpdLimit: 1 }],
      ['requestsPerMonth', { monthlyLimit: 1 }],
      ['tokensPerMonth', { monthlyTokenLimit: 1 }],
      ['concurrent', { maxConcurrent: 1 }],
    ];
    for (const [limit, limits] of EXHAUSTED) {
      test(`what ${limit} refuses is counted by none`, async () => {
        const limiter = create();
        const key = keyWith(limits);
        // What uses tokens has ended, or it would not be known how many; what counts as concurrent has not.
        const admission = granted(await limiter.admit(key, NOON));
        if (limit !== 'concurrent') admission.release({ tokens: 1 });
        const before = await used(limiter, key, NOON);
        for (let i = 0; i < 10; i++) expect(await limiter.admit(key, NOON)).toMatchObject({ granted: false, limit });
        expect(await used(limiter, key, NOON)).toEqual(before);
        expect(before).toEqual(limit === 'concurrent' ? [1, 1, 1, 0, 1] : [1, 1, 1, 1, 0]);
      });
    }

    test('the one with the longest wait is named; of equal waits the first of the table', async () => {
      const all = { rpmLimit: 1, rpdLimit: 1, monthlyLimit: 1, monthlyTokenLimit: 1, maxConcurrent: 1 };
      const exhausted = async (limits: Partial<NewKey>, nowMs: number) => {
        const limiter = create();
        const key = keyWith(limits);
        expect(await granted(await limiter.admit(key, nowMs)).reserve({ tokens: 1 })).toBeNull();
        const refused = await limiter.admit(key, nowMs);
        return refused.granted ? null : [refused.limit, refused.retryAfterS];
      };
      expect(await exhausted(all, NOON)).toEqual(['requestsPerMonth', (16 * 24 + 12) * 3600]);
      expect(await exhausted({ ...all, monthlyLimit: null }, NOON)).toEqual(['tokensPerMonth', (16 * 24 + 12) * 3600]);
      const monthEnd = Date.parse('2026-07-31T12:00:00Z');
      expect(await exhausted(all, monthEnd)).toEqual(['requestsPerDay', 12 * 3600]);
      const beforeMidnight = Date.parse('2026-07-15T23:59:59.500Z');
      expect(await exhausted(all, beforeMidnight)).toEqual(['requestsPerMonth', 16 * 86_400 + 1]);
      expect(await exhausted({ rpmLimit: 1, rpdLimit: 1, maxConcurrent: 1 }, beforeMidnight)).toEqual([
        'requestsPerMinute',
        60,
      ]);
      expect(await exhausted({ rpdLimit: 1, maxConcurrent: 1 }, beforeMidnight)).toEqual(['concurrent', 1]);
    });

    test('a key sees what each of its limits has counted', async () => {
      const limiter = create();
      const key = keyWith({ rpmLimit: 10, rpdLimit: 20, monthlyLimit: 30, monthlyTokenLimit: 40, maxConcurrent: 5 });
      const fresh = await limiter.status(key, NOON);
      expect(fresh.requestsPerMinute).toEqual({ limit: 10, used: 0, resetsAtMs: null });
      granted(await limiter.admit(key, NOON));
      granted(await limiter.admit(key, NOON + 1_000));
      granted(await limiter.admit(key, NOON + 1_000)).release({ tokens: 7 });
      const month = Date.parse('2026-08-01T00:00:00Z');
      expect(await limiter.status(key, NOON + 2_000)).toEqual({
        requestsPerMinute: { limit: 10, used: 3, resetsAtMs: NOON + MINUTE_MS },
        requestsPerDay: { limit: 20, used: 3, resetsAtMs: NOON + DAY_MS / 2 },
        requestsPerMonth: { limit: 30, used: 3, resetsAtMs: month },
        tokensPerMonth: { limit: 40, used: 7, resetsAtMs: month },
        concurrent: { limit: 5, used: 2, resetsAtMs: null },
      });
    });
  });

  describe(`${name}: many requests`, () => {
    test(`1,000 at once on a key with rpm_limit 100: exactly 100 pass, in each of ${RUNS} runs`, async () => {
      const limiter = create();
      for (let run = 0; run < RUNS; run++) {
        const key = keyWith({ rpmLimit: 100 });
        const admissions = await Promise.all(Array.from({ length: 1_000 }, async () => limiter.admit(key, NOON + run)));
        expect(admissions.filter((admission) => admission.granted)).toHaveLength(100);
      }
    });

    test(`random requests of random keys are decided as a naive count of all of them would (seed ${SEED})`, async () => {
      for (let run = 0; run < RUNS; run++) {
        const random = randomFrom(SEED + run);
        const limiter = create();
        const keys = Array.from({ length: 3 }, () => keyWith(randomLimits(random)));
        const oracle = new LimitsOracle();
        let nowMs = Date.parse(pick(random, EDGES)) - random(5 * MINUTE_MS);
        for (let i = 0; i < 150; i++) {
          nowMs += random(4) === 0 ? random(pick(random, [DAY_MS, 2 * MINUTE_MS])) : random(3_000);
          const key = pick(random, keys);
          if (random(3) === 0) oracle.endOne(key, random(30));
          const admission = await limiter.admit(key, nowMs);
          const expected = oracle.admit(key, nowMs);
          const actual = admission.granted ? null : [admission.limit, admission.retryAfterS];
          if (!Bun.deepEquals(actual, expected))
            throw new Error(`seed ${SEED + run}, request ${i}: ${actual}, not ${expected}`);
          if (admission.granted) oracle.begun(key, admission);
        }
      }
    });

    test(`whoever waits as long as it was told is let in (seed ${SEED})`, async () => {
      for (let run = 0; run < RUNS; run++) {
        const random = randomFrom(SEED + run);
        const limiter = create();
        const key = keyWith({ ...randomLimits(random), maxConcurrent: null });
        let nowMs = Date.parse(pick(random, EDGES)) - random(5 * MINUTE_MS);
        for (let i = 0; i < 60; i++) {
          nowMs += random(500);
          const admission = await limiter.admit(key, nowMs);
          if (admission.granted) {
            admission.release({ tokens: random(30) });
            continue;
          }
          nowMs += admission.retryAfterS * 1000;
          const again = await limiter.admit(key, nowMs);
          if (!again.granted) throw new Error(`seed ${SEED + run}: ${again.message} after ${admission.message}`);
          again.release(null);
        }
      }
    });
  });

  describe(`${name}: a clock that is set back`, () => {
    const STEPS_BACK_MS = [1, 999, 30_000, MINUTE_MS, 3_600_000, DAY_MS, 45 * DAY_MS, 400 * DAY_MS];
    for (const [limit, limits, windowS] of [
      ['requestsPerMinute', { rpmLimit: 3 }, 60],
      ['requestsPerDay', { rpdLimit: 3 }, 86_400],
      ['requestsPerMonth', { monthlyLimit: 3 }, 31 * 86_400],
    ] as const) {
      test(`${limit}: opens no fresh window, and keeps none open for longer than its length`, async () => {
        for (const stepMs of STEPS_BACK_MS) {
          for (const start of EDGES.flatMap((edge) => [Date.parse(edge), Date.parse(edge) + 10])) {
            const limiter = create();
            const key = keyWith(limits);
            await admitAll(limiter, key, 3, start);
            const context = `${new Date(start).toISOString()} - ${stepMs} ms`;
            let nowMs = start - stepMs;
            let waits = 0;
            for (; ; waits++) {
              const admission = await limiter.admit(key, nowMs);
              if (admission.granted) break;
              if (admission.limit !== limit) throw new Error(`${admission.message}: ${context}`);
              if (admission.retryAfterS > windowS) throw new Error(`locked for ${admission.retryAfterS} s: ${context}`);
              nowMs += admission.retryAfterS * 1000;
            }
            // Twice at the most: for the window it was set back to, and then for the one it had used up before.
            if (waits < 1 || waits > 2) throw new Error(`let in after ${waits} waits: ${context}`);
          }
        }
      });
    }

    test(`however it swings about midnight, no day grants more than its limit (seed ${SEED})`, async () => {
      for (let run = 0; run < RUNS; run++) {
        const random = randomFrom(SEED + run);
        const limiter = create();
        const key = keyWith({ rpdLimit: 10, monthlyLimit: 25 });
        const midnight = Date.parse(pick(random, EDGES));
        const byDay = new Map<number, number>();
        for (let i = 0; i < 100; i++) {
          const nowMs = midnight + random(20_000) - 10_000;
          const admission = await limiter.admit(key, nowMs);
          if (!admission.granted) continue;
          const { day } = calendarDayOf(nowMs);
          byDay.set(day, (byDay.get(day) ?? 0) + 1);
          admission.release(null);
        }
        if ([...byDay.values()].some((count) => count > 10))
          throw new Error(`seed ${SEED + run}: ${[...byDay.values()]}`);
      }
    });
  });
}

/** Moments at which a day, a month or a year begins. */
const EDGES = [
  '2026-07-15T00:00:00Z',
  '2026-08-01T00:00:00Z',
  '2027-01-01T00:00:00Z',
  '2028-02-29T00:00:00Z',
  '2028-03-01T00:00:00Z',
  '2100-03-01T00:00:00Z',
];

function randomLimits(random: Random): Partial<NewKey> {
  const limit = (below: number) => (random(3) === 0 ? null : 1 + random(below));
  return {
    rpmLimit: limit(6),
    rpdLimit: limit(15),
    monthlyLimit: limit(30),
    monthlyTokenLimit: limit(200),
    maxConcurrent: limit(5),
  };
}
