/** A running gateway whose Redis is stopped, frozen, restarted, or cut off in mid-command. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, runBve, startGatewayProcess } from '../support/gateway.ts';
import { clearOfMidnight } from '../support/limited-key.ts';
import { callOf, jsonOf, PLAIN, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { type RawAnswer, rawRequest } from '../support/raw-client.ts';
import { type RedisServer, startRedis, WITHOUT_REDIS } from '../support/redis.ts';
import { startTcpLink, type TcpLink } from '../support/tcp-link.ts';

setDefaultTimeout(TEST_TIMEOUT_MS * 2);

const TIMEOUT_MS = 100;
/** A request waits for Redis once; on a busy machine everything takes its time. */
const ANSWERED_WITHIN_MS = 2_000;

describe.skipIf(WITHOUT_REDIS !== null)('Redis in trouble', () => {
  let mock: MockServer;
  let redis: RedisServer;
  let link: TcpLink;
  let gateway: GatewayProcess;

  const start = (env: Record<string, string> = {}, mayFail = false) =>
    startGatewayProcess({
      upstreamUrl: mock.url,
      env: {
        REDIS_URL: `redis://127.0.0.1:${link.port}`,
        REDIS_TIMEOUT_MS: String(TIMEOUT_MS),
        METRICS_TOKEN: 'metrics-token-of-the-test',
        ...env,
      },
      mayFail,
    });

  beforeAll(async () => {
    mock = startMock({ port: 0 });
    redis = await startRedis();
    link = await startTcpLink(redis.port);
    gateway = await start();
  });
  beforeEach(async () => {
    mock.reset();
    await clearOfMidnight();
  });
  afterAll(async () => {
    await gateway?.stop();
    await link?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
    await mock?.stop();
  });

  const limitedKey = (...flags: string[]) => gateway.createKey('--rpm-limit', 'none', '--rpd-limit', 'none', ...flags);
  const send = (key: string, on = gateway): Promise<RawAnswer> => rawRequest(on.port, callOf(key, { body: PLAIN }));
  const status = async (key: string, on = gateway) =>
    jsonOf(
      await rawRequest(on.port, { method: 'GET', path: '/v1/key', headers: { authorization: `Bearer ${key}` } }),
    ) as { limits: Record<string, { used: number }> };
  /** Resolves when the gateway counts in Redis. */
  const isCounting = async () => {
    const probe = await limitedKey('--rpd-limit', '1000');
    const client = redis.client();
    await eventually(async () => {
      await send(probe.key);
      return (await client.hget(`bve:{${probe.id}}:counts`, 'D').catch(() => null)) !== null;
    });
    client.disconnect();
  };
  const outages = () => gateway.logLines().filter(({ msg }) => String(msg).startsWith('Redis cannot be reached'));

  /** What is true of every kind of trouble, until `end` ends it. */
  async function trouble(begin: () => unknown, end: () => unknown): Promise<void> {
    await isCounting();
    const known = await limitedKey('--rpd-limit', '30');
    for (let i = 0; i < 5; i++) expect((await send(known.key)).status).toBe(200);
    await begin();
    for (let i = 0; i < 20; i++) {
      const startedAtMs = performance.now();
      expect((await send(known.key)).status).toBe(200);
      expect(performance.now() - startedAtMs).toBeLessThan(ANSWERED_WITHIN_MS);
    }
    // Alone, too, no more than the limit: what was used before is in the database.
    for (let i = 0; i < 5; i++) expect((await send(known.key)).status).toBe(200);
    expect((await send(known.key)).status).toBe(429);
    await end();
    await isCounting();
    await eventually(async () => (await status(known.key)).limits.requests_per_day!.used === 30);
    expect((await send(known.key)).status).toBe(429);
  }

  test('stopped and started again, empty: counted alone meanwhile, and back by itself', async () => {
    await trouble(
      () => redis.stop('kill'),
      () => redis.start(),
    );
  });

  test('frozen and thawed', async () => {
    await trouble(
      () => redis.freeze(),
      () => redis.thaw(),
    );
  });

  test('cut off in mid-command: no request hangs, and none is let in beyond the limit', async () => {
    await isCounting();
    const key = await limitedKey('--rpd-limit', '20');
    let calls = 0;
    // Redis gets and runs the script; its answer is lost.
    link.cutAfter((bytes) => bytes.includes(key.id) && ++calls % 3 === 1);
    const cuts = link.cuts;
    let granted = 0;
    for (let i = 0; i < 60; i++) {
      const startedAtMs = performance.now();
      const answer = await send(key.key);
      expect(performance.now() - startedAtMs).toBeLessThan(ANSWERED_WITHIN_MS);
      if (answer.status === 200) granted++;
      // So that Redis is back for most of them.
      if (i % 10 === 0) await isCounting();
    }
    link.cutAfter(null);
    expect(link.cuts - cuts).toBeGreaterThan(1);
    expect(granted).toBeLessThanOrEqual(20);
    // What the script counted of a request that was not let in by it is the price of not asking twice.
    expect(granted).toBeGreaterThanOrEqual(20 - (link.cuts - cuts));
  });

  test('permits that were lost sight of are right again with the next word from their process', async () => {
    await isCounting();
    const key = await limitedKey('--max-concurrent', '2');
    for (let i = 0; i < 3; i++) {
      link.cut();
      await send(key.key);
    }
    await isCounting();
    await eventually(async () => (await status(key.key)).limits.concurrent_requests!.used === 0);
    expect((await send(key.key)).status).toBe(200);
    expect((await send(key.key)).status).toBe(200);
  });

  test('it is told in the log once a minute, and counted in the metrics', async () => {
    expect(outages().length).toBeGreaterThan(0);
    expect(outages().length).toBeLessThanOrEqual(3);
    expect(gateway.logLines().filter(({ msg }) => msg === 'Redis is back').length).toBeGreaterThan(1);
    const metrics = await fetch(`${gateway.url}/metrics`, {
      headers: { authorization: 'Bearer metrics-token-of-the-test' },
    });
    const [, count] = /^bve_limits_unavailable_total (\d+)$/m.exec(await metrics.text()) ?? [];
    expect(Number(count)).toBeGreaterThan(20);
  });

  test('keys without limits never ask', async () => {
    await redis.stop('kill');
    expect((await send(gateway.key)).status).toBe(200);
    await redis.start();
  });

  test('a start without Redis counts alone, and joins it when it is there', async () => {
    await redis.stop('kill');
    const other = await start();
    const { key } = await other.createKey('--rpm-limit', 'none', '--rpd-limit', '5');
    expect((await send(key, other)).status).toBe(200);
    await redis.start();
    await other.logLine(({ msg }) => msg === 'Redis is back');
    for (let i = 0; i < 4; i++) expect((await send(key, other)).status).toBe(200);
    expect((await send(key, other)).status).toBe(429);
    await other.stop();
  });

  test('LIMITS_ON_FAILURE=deny: 503 with Retry-After while it is away, except for keys without limits', async () => {
    const strict = await start({ LIMITS_ON_FAILURE: 'deny' });
    const { key } = await strict.createKey('--rpm-limit', '1000');
    expect((await send(key, strict)).status).toBe(200);
    await redis.stop('kill');
    const refused = await eventually(async () => {
      const answer = await send(key, strict);
      return answer.status === 503 && answer;
    });
    expect(jsonOf(refused)).toMatchObject({ error: { type: 'api_error', code: 'overloaded' } });
    expect(refused.header('retry-after')).toBe('1');
    expect((await send(strict.key, strict)).status).toBe(200);
    await redis.start();
    await eventually(async () => (await send(key, strict)).status === 200);
    await strict.stop();
  });

  test('a user that Redis does not take stops the start, with a line that repeats no password', async () => {
    await using closed = await startRedis({
      args: ['--requirepass', 'the-password'],
      clientOptions: { password: 'the-password' },
    });
    const serve = (url: string) =>
      runBve(['serve'], { ...gateway.env, PORT: '0', REDIS_URL: url, DATABASE_URL: gateway.databaseUrl });
    for (const credentials of ['', ':hunter2@']) {
      const { exitCode, stderr, stdout } = await serve(`redis://${credentials}127.0.0.1:${closed.port}`);
      expect([exitCode, stderr + stdout]).toEqual([
        1,
        expect.stringMatching(/REDIS_URL: Redis says (NOAUTH|WRONGPASS)/),
      ]);
      expect(stderr + stdout).not.toContain('hunter2');
      const checked = await runBve(['check'], {
        ...gateway.env,
        REDIS_URL: `redis://${credentials}127.0.0.1:${closed.port}`,
      });
      expect([checked.exitCode, checked.stderr]).toEqual([2, expect.stringContaining('REDIS_URL: Redis says')]);
    }
  });

  test('a node of a cluster stops the start, and the line says what to write', async () => {
    await using node = await startRedis({ args: ['--cluster-enabled', 'yes'] });
    const { exitCode, stderr } = await runBve(['serve'], { ...gateway.env, PORT: '0', REDIS_URL: node.url });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('redis+cluster://')]);
  });
});
