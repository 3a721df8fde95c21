/** The contract of limiters, on a real Redis whose clock is the test's: only the line that asks for the time is another. */
import { afterAll, beforeAll, describe, setDefaultTimeout } from 'bun:test';
import type { Redis } from 'iovalkey';
import type { Limiter } from '../../src/limits/limiter.ts';
import { RedisLimiter } from '../../src/limits/redis/redis-limiter.ts';
import { RedisLink } from '../../src/limits/redis/redis-link.ts';
import { parseRedisUrl } from '../../src/limits/redis/redis-url.ts';
import { SCRIPT } from '../../src/limits/redis/script.ts';
import { type RedisServer, startRedis, WITHOUT_REDIS } from '../support/redis.ts';
import { limiterContract } from './contract.ts';

setDefaultTimeout(60_000);

const TIME = "local time = redis.call('TIME')";
const GIVEN_TIME = "local time = redis.call('HMGET', 'clock', 's', 'us')";

describe.skipIf(WITHOUT_REDIS !== null)('Redis', () => {
  let server: RedisServer;
  let link: RedisLink;
  let clock: Redis;

  beforeAll(async () => {
    server = await startRedis();
    clock = server.client();
    if (!SCRIPT.includes(TIME)) throw new Error('the script asks for the time in another way');
    await setTo(0);
    link = new RedisLink(parseRedisUrl(server.url), {
      timeoutMs: 5_000,
      onAway: (error) => console.log(error.message),
      script: SCRIPT.replace(TIME, GIVEN_TIME),
    });
    await link.start();
  });
  afterAll(async () => {
    await link?.close();
    await server?.[Symbol.asyncDispose]();
  });

  const setTo = (nowMs: number) => clock.hset('clock', 's', Math.floor(nowMs / 1000), 'us', (nowMs % 1000) * 1000);

  const create = (): Limiter => {
    const limiter = new RedisLimiter(link, { usedDays: async (_key, _first, _last, done) => done([]) });
    return {
      admit: async (key, nowMs) => {
        await setTo(nowMs);
        return limiter.admit(key, nowMs);
      },
      status: async (key, nowMs) => {
        await setTo(nowMs);
        return limiter.status(key, nowMs);
      },
    };
  };
  limiterContract('in Redis', create, { countsWithoutLimits: false });
});
