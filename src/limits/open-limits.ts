/** The limits of keys as the configuration wants them: counted in this process, or in Redis for all that share it. */

import { readCaFile } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { ApiKey } from '../keys/key.ts';
import { FailureReport, messageOf } from '../observe/failure-report.ts';
import type { Log } from '../observe/log.ts';
import { FailurePolicy } from './failure-policy.ts';
import type { Admission, KeyLimitStatus, Limiter } from './limiter.ts';
import { MemoryLimiter, type UseSource } from './memory.ts';

interface Limits {
  readonly limiter: Limiter;
  /** Requests whose counts could not be reached, since the start. */
  unavailable(): number;
  /** What is not told yet is told. */
  close(): Promise<void>;
}

/** How long a key's first request waits for its days and months to be read. */
const COUNTS_WITHIN_MS = 1_000;
/** Of an outage that lasts, the log has a line a minute. */
const REPORT_EVERY_MS = 60_000;

/** @throws LimitsMisconfigured when Redis does not take the user, or is a node of a cluster; ConfigError */
export async function openLimits(config: Config, source: UseSource, log: Log): Promise<Limits> {
  const deny = config.limitsOnFailure === 'deny';
  const failures = new FailureReport(({ count, error }) =>
    log.warn(
      { requests: count, limits_on_failure: config.limitsOnFailure, reason: messageOf(error) },
      'limits cannot be counted',
    ),
  );
  const inMemory = () => {
    const counters = new MemoryLimiter(source);
    return new FailurePolicy(counters, {
      fallback: counters.withoutSource,
      deny,
      timeoutMs: COUNTS_WITHIN_MS,
      failures,
    });
  };
  if (config.redisUrl === undefined) {
    return { limiter: inMemory(), unavailable: () => failures.total, close: async () => {} };
  }
  const { RedisLimiter, RedisLink, parseRedisUrl } = await import('./redis/redis.ts');
  const outages = new FailureReport(
    ({ error }) =>
      log.warn(
        { limits_on_failure: config.limitsOnFailure, reason: messageOf(error) },
        deny
          ? 'Redis cannot be reached: requests with limits are refused'
          : 'Redis cannot be reached: this process counts alone',
      ),
    REPORT_EVERY_MS,
  );
  const alone = new AloneCounts(inMemory, (key) => limiter.doubt(key));
  const link = new RedisLink(parseRedisUrl(config.redisUrl), {
    timeoutMs: config.redisTimeoutMs,
    ca: readCaFile('REDIS_CA_FILE', config.redisCaFile),
    onAway: (error, isFirst) => {
      outages.count(error);
      if (isFirst) alone.begin();
    },
    onBack: () => {
      log.info('Redis is back');
      limiter.renew();
    },
  });
  const limiter = new RedisLimiter(link, source, { seedTimeoutMs: COUNTS_WITHIN_MS });
  // Not a line for each request: of the outage there is one.
  const withoutRedis = new FailureReport(() => {}, REPORT_EVERY_MS);
  await link.start();
  return {
    limiter: new FailurePolicy(limiter, {
      fallback: alone,
      deny,
      timeoutMs: null,
      failures: withoutRedis,
    }),
    unavailable: () => failures.total + withoutRedis.total,
    close: async () => {
      await limiter.close();
      await link.close();
    },
  };
}

/**
 * What this process counts while Redis is away: from what the database says when the outage begins, and without the other
 * processes. Whatever it grants is to be read from the database when Redis is back.
 */
class AloneCounts implements Limiter {
  readonly #create: () => Limiter;
  readonly #onGranted: (key: ApiKey) => void;
  #counts: Limiter;

  constructor(create: () => Limiter, onGranted: (key: ApiKey) => void) {
    this.#create = create;
    this.#onGranted = onGranted;
    this.#counts = create();
  }

  begin(): void {
    this.#counts = this.#create();
  }

  admit(key: ApiKey, nowMs: number): Admission | Promise<Admission> {
    this.#onGranted(key);
    return this.#counts.admit(key, nowMs);
  }

  status(key: ApiKey, nowMs: number): KeyLimitStatus | Promise<KeyLimitStatus> {
    return this.#counts.status(key, nowMs);
  }
}
