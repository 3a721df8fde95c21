/** `bve serve` with WORKERS: several processes on one port, as one gateway. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { ADMIN_KEY, admin, adminCall } from '../admin/admin-client.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, PEPPER, runBve, startGatewayProcess } from '../support/gateway.ts';
import { callOf, PLAIN, STREAM, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';
import { type RedisServer, startRedis, WITHOUT_REDIS } from '../support/redis.ts';

setDefaultTimeout(TEST_TIMEOUT_MS * 2);

const WORKERS = 2;
const METRICS_TOKEN = 'metrics-token-of-the-test';

/** The worker processes of a supervisor. */
function workersOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

describe.skipIf(WITHOUT_REDIS !== null)('workers', () => {
  let mock: MockServer;
  let redis: RedisServer;
  let gateway: GatewayProcess;

  const start = (env: Record<string, string> = {}, mayFail = false) =>
    startGatewayProcess({
      upstreamUrl: mock.url,
      env: {
        WORKERS: String(WORKERS),
        REDIS_URL: redis.url,
        REDIS_TIMEOUT_MS: '5000',
        ADMIN_API_KEY: ADMIN_KEY,
        METRICS_TOKEN,
        ...env,
      },
      mayFail,
    });
  beforeAll(async () => {
    mock = startMock({ port: 0, requestsMax: 1_000 });
    redis = await startRedis();
    gateway = await start();
  });
  beforeEach(() => mock.reset());
  afterAll(async () => {
    await gateway?.stop();
    await redis?.[Symbol.asyncDispose]();
    await mock?.stop();
  });

  const send = (on = gateway, key = on.key) => rawRequest(on.port, callOf(key, { body: PLAIN }));
  /** Each on a connection of its own, so that all workers get some. */
  const sendMany = async (count: number, on = gateway) => {
    for (let i = 0; i < count; i++) expect((await send(on)).status).toBe(200);
  };
  const metric = async (name: string) => {
    const answer = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } });
    const text = await answer.text();
    return [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.]+)$`, 'gm'))].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  };

  test('are so many processes on one port, of which all serve; lines of the log name the worker', async () => {
    expect(workersOf(gateway.pid)).toHaveLength(WORKERS);
    await eventually(async () => {
      await send();
      const seen = new Set(
        gateway
          .logLines()
          .filter(({ msg }) => msg === 'request')
          .map(({ worker }) => worker),
      );
      return seen.size === WORKERS;
    });
    expect(gateway.logLines().filter(({ msg }) => String(msg).startsWith('listening on'))).toHaveLength(1);
  });

  test('limits are those of the host', async () => {
    const { key } = await gateway.createKey('--rpm-limit', '10', '--rpd-limit', 'none');
    const statuses = await Promise.all(Array.from({ length: 40 }, async () => (await send(gateway, key)).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
  });

  test('whichever is asked, /metrics, /admin/targets and /admin/live answer for all', async () => {
    const before = await metric('bve_requests_total');
    await sendMany(20);
    for (let i = 0; i < 5; i++) expect(await metric('bve_requests_total')).toBeGreaterThanOrEqual(before + 20);
    const counts = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const { targets } = await admin(gateway, '/targets', { headers: { connection: 'close' } });
      expect(targets).toHaveLength(1);
      counts.add(targets[0].attempts);
    }
    expect(counts.size).toBe(1);

    const live = await fetch(`${gateway.url}/admin/live`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    const reader = live.body!.getReader();
    let text = '';
    const read = async (until: () => boolean) => {
      while (!until()) text += Buffer.from((await reader.read()).value ?? []).toString();
    };
    await read(() => text.includes('event: snapshot'));
    const records = () => text.split('event: request\n').length - 1;
    // Those of the other worker come over the supervisor.
    await eventually(async () => {
      const from = records();
      await sendMany(10);
      await read(() => text.split('event: snapshot').length > 3);
      text = text.slice(text.indexOf('event: request'));
      return records() - from >= 10 || records() >= 10;
    });
    await reader.cancel();
  });

  test('one that is killed is replaced, and only its own streams break', async () => {
    mock.script((request) =>
      request.path.includes('chat') ? { events: 3, fault: { kind: 'silence', after_bytes: 10 } } : undefined,
    );
    const readers = await Promise.all(
      Array.from({ length: 20 }, () => StreamReader.open(gateway.port, callOf(gateway.key, { body: STREAM }))),
    );
    await Promise.all(readers.map((reader) => reader.until('\r\n\r\n')));
    mock.reset();
    const before = workersOf(gateway.pid);
    process.kill(before[0]!, 'SIGKILL');
    await gateway.logLine(({ msg }) => msg === 'a worker has died, another takes its place');
    await eventually(() => {
      const now = workersOf(gateway.pid);
      return now.length === WORKERS && !now.includes(before[0]!);
    });
    const broken = await eventually(() => {
      const count = readers.filter(({ socket }) => socket.destroyed || socket.readyState !== 'open').length;
      return count > 0 && count;
    });
    expect(broken).toBeLessThan(20);
    for (const reader of readers) reader.socket.destroy();
    await eventually(async () => (await send().catch(() => null))?.status === 200);
    await sendMany(20);
  });

  test('SIGHUP replaces them one after the other; a file with a mistake, none', async () => {
    const before = workersOf(gateway.pid);
    gateway.signal('SIGHUP');
    await gateway.logLine(({ msg }) => msg === 'all workers are replaced');
    await eventually(() => {
      const now = workersOf(gateway.pid);
      return now.length === WORKERS && now.every((pid) => !before.includes(pid));
    });
    await sendMany(20);
  });

  test('POST /admin/drain takes the whole host out of service', async () => {
    const drained = await start();
    expect((await adminCall(drained, '/drain', { method: 'POST' })).status).toBe(200);
    for (let i = 0; i < 10; i++) {
      await eventually(async () => (await rawRequest(drained.port, { method: 'GET', path: '/ready' })).status === 503);
    }
    await drained.stop();
  });

  test('when the supervisor is killed, its workers end by themselves', async () => {
    const orphaned = await start({ DRAIN_TIMEOUT_MS: '500' });
    const pids = workersOf(orphaned.pid);
    orphaned.signal('SIGKILL');
    await eventually(() =>
      pids.every((pid) => {
        try {
          process.kill(pid, 0);
          return false;
        } catch {
          return true;
        }
      }),
    );
    await orphaned.stop();
  });

  test('a port in use, and workers without Redis, stop the start', async () => {
    const env = { ...gateway.env, PORT: String(gateway.port) };
    const busy = await runBve(['serve'], env);
    expect([busy.exitCode, busy.stderr]).toEqual([
      1,
      expect.stringContaining(`PORT ${gateway.port} on 127.0.0.1 is in use`),
    ]);
    const alone = await runBve(['serve', '--workers', '2'], {
      API_KEY_PEPPER: PEPPER,
      FUELIX_API_KEY: 'fx',
      HOST: '127.0.0.1',
      PORT: '0',
    });
    expect(alone.exitCode).toBe(2);
    expect(alone.stderr).toContain('WORKERS=2 needs REDIS_URL');
    expect(alone.stderr).toContain('redis-server --bind 127.0.0.1');
  });

  test('workers that cannot start end it with their exit code, and their reason is told', async () => {
    const broken = await runBve(['serve'], {
      ...gateway.env,
      PORT: '0',
      DATABASE_URL: 'sqlite:///nowhere/at/all/bve.db',
    });
    expect(broken.exitCode).toBe(1);
    expect(broken.stderr).toContain('/nowhere/at/all');
  });
});
