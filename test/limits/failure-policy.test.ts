import { describe, expect, test } from 'bun:test';
import { FailurePolicy } from '../../src/limits/failure-policy.ts';
import { type Admission, type KeyLimitStatus, type Limiter, LimitsUnavailable } from '../../src/limits/limiter.ts';
import { MemoryLimiter } from '../../src/limits/memory.ts';
import { FailureReport } from '../../src/observe/failure-report.ts';
import { granted, keyWith, limiterContract } from './contract.ts';

const NOON = Date.parse('2026-07-15T12:00:00Z');
const memory = () => new MemoryLimiter({ usedDays: async (_key, _first, _last, done) => done([]) });

/** A limiter that answers as it is told. */
class ScriptedLimiter implements Limiter {
  readonly inner = memory().withoutSource;
  answer: 'at once' | 'throws' | 'rejects' | 'bug' | Promise<void> = 'at once';

  admit(key: Parameters<Limiter['admit']>[0], nowMs: number): Admission | Promise<Admission> {
    return this.#as(() => this.inner.admit(key, nowMs) as Admission);
  }

  status(key: Parameters<Limiter['status']>[0], nowMs: number): KeyLimitStatus | Promise<KeyLimitStatus> {
    return this.#as(() => this.inner.status(key, nowMs) as KeyLimitStatus);
  }

  #as<T>(call: () => T): T | Promise<T> {
    switch (this.answer) {
      case 'at once':
        return call();
      case 'throws':
        throw new LimitsUnavailable('away');
      case 'rejects':
        return Promise.reject(new LimitsUnavailable('away'));
      case 'bug':
        throw new TypeError('a bug');
      default:
        return this.answer.then(call);
    }
  }
}

function setUp(deny: boolean) {
  const limiter = new ScriptedLimiter();
  const failures = new FailureReport(() => {});
  const policy = new FailurePolicy(limiter, { fallback: memory().withoutSource, deny, timeoutMs: 20, failures });
  return { limiter, failures, policy };
}

limiterContract('with a failure policy around', () => setUp(false).policy, { countsWithoutLimits: true });
limiterContract(
  'its fallback',
  () => {
    const { limiter, policy } = setUp(false);
    limiter.answer = 'throws';
    return policy;
  },
  { countsWithoutLimits: true },
);

for (const answer of ['throws', 'rejects'] as const) {
  describe(`counters out of reach (the limiter ${answer})`, () => {
    test('allow: this process counts alone, and each request is told as a failure', async () => {
      const { limiter, failures, policy } = setUp(false);
      limiter.answer = answer;
      const key = keyWith({ rpdLimit: 2 });
      granted(await policy.admit(key, NOON));
      granted(await policy.admit(key, NOON));
      expect(await policy.admit(key, NOON)).toMatchObject({ limit: 'requestsPerDay' });
      expect(failures.total).toBe(3);
      expect((await policy.status(key, NOON)).requestsPerDay.used).toBe(2);
    });

    test('deny: requests are refused, and by no limit', async () => {
      const { limiter, failures, policy } = setUp(true);
      limiter.answer = answer;
      const key = keyWith({ rpdLimit: 5 });
      for (let i = 0; i < 3; i++) {
        expect(await policy.admit(key, NOON)).toMatchObject({ granted: false, limit: null, retryAfterS: 1 });
      }
      expect(failures.total).toBe(3);
      expect((await policy.status(key, NOON)).requestsPerDay.used).toBe(0);
    });
  });
}

test('an answer that does not come in time counts as out of reach, and one that is granted late is released', async () => {
  const { limiter, failures, policy } = setUp(false);
  const late = Promise.withResolvers<void>();
  limiter.answer = late.promise;
  const key = keyWith({ maxConcurrent: 1 });
  granted(await policy.admit(key, NOON)).release(null);
  expect((await policy.status(key, NOON)).concurrent.used).toBe(0);
  expect(failures.total).toBe(1);
  late.resolve();
  limiter.answer = 'at once';
  await Bun.sleep(0);
  granted(await policy.admit(key, NOON));
});

test('what was answered at once is answered at once, and a bug stays a bug', () => {
  const { limiter, policy } = setUp(false);
  expect(policy.admit(keyWith({}), NOON)).not.toBeInstanceOf(Promise);
  expect(policy.status(keyWith({}), NOON)).not.toBeInstanceOf(Promise);
  limiter.answer = 'bug';
  expect(() => policy.admit(keyWith({}), NOON)).toThrow(TypeError);
});
