/** Four gateways that share Postgres and Redis: limits are exact over all of them. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { clearOfMidnight } from '../support/limited-key.ts';
import { callOf, jsonOf, PLAIN, STREAM, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { type PostgresServer, startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';
import { rawRequest } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';
import { type RedisServer, startRedis, WITHOUT_REDIS } from '../support/redis.ts';

setDefaultTimeout(TEST_TIMEOUT_MS * 2);

const WITHOUT = WITHOUT_POSTGRES ?? WITHOUT_REDIS;
const PROCESSES = 4;
/** Ten by hand. */
const RUNS = Number(process.env.LIMIT_RUNS ?? 2);

describe.skipIf(WITHOUT !== null)('four gateways', () => {
  let mock: MockServer;
  let postgres: PostgresServer;
  let redis: RedisServer;
  let gateways: GatewayProcess[] = [];

  const start = (env: Record<string, string> = {}) =>
    startGatewayProcess({
      upstreamUrl: mock.url,
      env: { DATABASE_URL: postgres.url, REDIS_URL: redis.url, LOG_LEVEL: 'warn', REDIS_TIMEOUT_MS: '5000', ...env },
    });

  beforeAll(async () => {
    mock = startMock({ port: 0, requestsMax: 100 });
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    gateways = await Promise.all(Array.from({ length: PROCESSES }, () => start()));
  });
  beforeEach(() => mock.reset());
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await redis?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
    await mock?.stop();
  });

  async function statuses(key: string, count: number): Promise<Map<number, number>> {
    const seen = new Map<number, number>();
    const one = async (i: number) => {
      const answer = await fetch(`${gateways[i % PROCESSES]!.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(PLAIN),
      });
      await answer.arrayBuffer();
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
    };
    await Promise.all(Array.from({ length: count }, (_, i) => one(i)));
    return seen;
  }

  for (let run = 1; run <= RUNS; run++) {
    test(`a key with rpm_limit 1,000 and 4,000 simultaneous requests: exactly 1,000 pass (run ${run})`, async () => {
      const { key } = await gateways[0]!.createKey('--rpm-limit', '1000', '--rpd-limit', 'none');
      expect(await statuses(key, 4_000)).toEqual(
        new Map([
          [200, 1_000],
          [429, 3_000],
        ]),
      );
    });
  }

  test('days, months and tokens are those of all of them', async () => {
    await clearOfMidnight();
    const [a, b] = gateways as [GatewayProcess, GatewayProcess];
    const { key } = await a.createKey('--rpm-limit', 'none', '--rpd-limit', '6', '--monthly-limit', '6');
    for (let i = 0; i < 6; i++) {
      expect((await rawRequest(gateways[i % PROCESSES]!.port, callOf(key, { body: PLAIN }))).status).toBe(200);
    }
    for (const gateway of gateways) {
      const refused = await rawRequest(gateway.port, callOf(key, { body: PLAIN }));
      expect([refused.status, jsonOf(refused)]).toMatchObject([429, { error: { code: 'rate_limit_exceeded' } }]);
    }
    const status = await rawRequest(b.port, {
      method: 'GET',
      path: '/v1/key',
      headers: { authorization: `Bearer ${key}` },
    });
    expect(jsonOf(status)).toMatchObject({
      limits: { requests_per_day: { limit: 6, used: 6, remaining: 0 }, requests_per_minute: { used: 6 } },
    });

    const tokens = await a.createKey('--rpm-limit', 'none', '--rpd-limit', 'none', '--monthly-token-limit', '20');
    mock.script(() => ({ usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 } }));
    const call = (gateway: GatewayProcess) => rawRequest(gateway.port, callOf(tokens.key, { body: PLAIN }));
    expect((await call(a)).status).toBe(200);
    expect((await call(a)).status).toBe(200);
    await eventually(async () => (await call(b)).status === 429);
  });

  /** Streams that stay open until their client leaves. */
  async function openStreams(key: string, count: number): Promise<StreamReader[]> {
    mock.script(() => ({ events: 3, fault: { kind: 'silence', after_bytes: 10 } }));
    const readers = await Promise.all(
      Array.from({ length: count }, (_, i) =>
        StreamReader.open(gateways[i % gateways.length]!.port, callOf(key, { body: STREAM })),
      ),
    );
    await Promise.all(readers.map((reader) => reader.until('\r\n\r\n')));
    return readers;
  }
  const passed = (readers: readonly StreamReader[]) => readers.filter(({ text }) => text.startsWith('HTTP/1.1 200'));
  const leave = (readers: readonly StreamReader[]) => {
    for (const reader of readers) reader.socket.destroy();
  };

  test('max_concurrent 50 with streams: never more over all of them, and a permit is free when its stream ends', async () => {
    const { key } = await gateways[0]!.createKey(
      '--rpm-limit',
      'none',
      '--rpd-limit',
      'none',
      '--max-concurrent',
      '50',
    );
    for (let round = 0; round < 5; round++) {
      const readers = await eventually(async () => {
        const opened = await openStreams(key, 200);
        // Those of the last round may not be over yet.
        if (passed(opened).length === 50) return opened;
        expect(passed(opened).length).toBeLessThan(50);
        leave(opened);
        return null;
      });
      leave(readers);
    }
  });

  test('a process that is killed: its permits are free within 30 s, the others lose nothing', async () => {
    const [a] = gateways as [GatewayProcess];
    const { key, id } = await a.createKey('--rpm-limit', 'none', '--rpd-limit', 'none', '--max-concurrent', '20');
    const other = await a.createKey('--rpm-limit', 'none', '--rpd-limit', 'none');
    const readers = await openStreams(key, 20);
    expect(passed(readers)).toHaveLength(20);
    mock.reset();
    const killed = gateways.pop()!;
    killed.signal('SIGKILL');
    await killed.exited;
    const killedAtMs = performance.now();
    // The others go on.
    for (let i = 0; i < 30; i++) {
      const answer = await rawRequest(gateways[i % 3]!.port, callOf(other.key, { body: PLAIN }));
      expect(answer.status).toBe(200);
    }
    await eventually(async () => (await a.usage()).filter(({ keyId }) => keyId === other.id).length === 30);
    // Permits of the living are renewed meanwhile.
    await Bun.sleep(26_000);
    const again = await openStreams(key, 40);
    expect(performance.now() - killedAtMs).toBeLessThan(30_000);
    expect(passed(again)).toHaveLength(5);
    leave([...readers, ...again]);
    await killed.stop();
    expect(id).toBeString();
  });
});
