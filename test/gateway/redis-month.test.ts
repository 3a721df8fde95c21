/** The end of a month, with Redis, Postgres and the gateways under a clock that is about to reach it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { TEST_TIMEOUT_MS } from '../support/pair.ts';
import { type RedisServer, startRedis, WITHOUT_REDIS } from '../support/redis.ts';

setDefaultTimeout(TEST_TIMEOUT_MS * 2);

/** Debian's. */
const LIBRARIES = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
const FAKETIME = `${LIBRARIES}/faketime/libfaketime.so.1`;
const LIBC = `${LIBRARIES}/libc.so.6`;
const WITHOUT =
  WITHOUT_REDIS ??
  (existsSync(FAKETIME) && existsSync(LIBC) ? null : 'skipped: faketime is not installed (Debian: faketime)');
if (WITHOUT !== null) console.log(WITHOUT);

/** How long before the month's end everything is started. */
const BEFORE_MS = 15_000;

/** The end of the month in UTC is so far away, less what it takes to get ready. */
function offsetS(): number {
  const now = new Date();
  const end = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1);
  return Math.round((end - now.getTime() - BEFORE_MS) / 1000);
}

describe.skipIf(WITHOUT !== null)('over the end of a month', () => {
  let mock: MockServer;
  let redis: RedisServer;
  const gateways: GatewayProcess[] = [];

  beforeAll(async () => {
    // Durations are real.
    const env = { FAKETIME: `+${offsetS()}s`, FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' };
    mock = startMock({ port: 0, requestsMax: 100 });
    // Of the C library first: jemalloc asks for the time before libfaketime is ready.
    redis = await startRedis({ env: { ...env, LD_PRELOAD: `${FAKETIME}:${LIBC}` } });
    const start = (databaseUrl?: string) =>
      startGatewayProcess({
        upstreamUrl: mock.url,
        env: {
          ...env,
          LD_PRELOAD: FAKETIME,
          REDIS_URL: redis.url,
          REDIS_TIMEOUT_MS: '5000',
          LOG_LEVEL: 'warn',
          ...(databaseUrl ? { DATABASE_URL: databaseUrl } : {}),
        },
      });
    gateways.push(await start());
    gateways.push(...(await Promise.all([1, 2, 3].map(() => start(gateways[0]!.databaseUrl)))));
  });
  afterAll(async () => {
    // The database is in the folder of the first.
    for (const gateway of gateways.reverse()) await gateway.stop();
    await redis?.[Symbol.asyncDispose]();
    await mock?.stop();
  });

  test('monthly_limit 1,000 over four processes: exactly 1,000 pass in the old month, and exactly 1,000 in the new one', async () => {
    const { key } = await gateways[0]!.createKey(
      '--rpm-limit',
      'none',
      '--rpd-limit',
      'none',
      '--monthly-limit',
      '1000',
    );
    const passed = async (count: number) => {
      const answers = await Promise.all(
        Array.from({ length: count }, async (_, i) => {
          const answer = await fetch(`${gateways[i % gateways.length]!.url}/v1/chat/completions`, {
            method: 'POST',
            headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
            body: '{"model":"m","messages":[]}',
          });
          await answer.arrayBuffer();
          return answer.status;
        }),
      );
      return answers.filter((status) => status === 200).length;
    };
    const client = redis.client();
    const month = async () => new Date(Number((await client.time())[0]) * 1000).getUTCMonth();
    const before = await month();
    let old = 0;
    // To the very end of the month, and over it.
    while ((await month()) === before) {
      old = Math.max(old, 0) + (await passed(200));
      if (old > 1_000) break;
    }
    // What passed in the round during which the month ended may be of either.
    expect(old).toBeGreaterThanOrEqual(1_000);
    expect(old).toBeLessThanOrEqual(1_200);
    const ofNew = old - 1_000;
    await eventually(async () => (await month()) !== before);
    expect(ofNew + (await passed(4_000))).toBe(1_000);
    expect(await passed(100)).toBe(0);
  });
});
