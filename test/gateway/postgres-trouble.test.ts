/** A running gateway whose Postgres is stopped, frozen, restarted, cut off in mid-command, or replaced by its replica. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';
import { newSecret } from '../../src/keys/key.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { ADMIN_KEY, adminCall } from '../admin/admin-client.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { callOf, jsonOf, PLAIN, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { type PostgresServer, startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';
import { type RawAnswer, rawRequest } from '../support/raw-client.ts';
import { startTcpLink, type TcpLink } from '../support/tcp-link.ts';

setDefaultTimeout(TEST_TIMEOUT_MS * 2);

/** A request to a frozen server is given up after twice the one and once the other. */
const TIMEOUTS = { DATABASE_STATEMENT_TIMEOUT_MS: '1000', DATABASE_CONNECT_TIMEOUT_MS: '1000' };

describe.skipIf(WITHOUT_POSTGRES !== null)('Postgres in trouble', () => {
  let mock: MockServer;
  let server: PostgresServer;
  let link: TcpLink;
  let folder: string;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    mock = startMock({ port: 0 });
    server = await startPostgres();
    link = await startTcpLink(server.port);
    folder = mkdtempSync(join(tmpdir(), 'bve-test-'));
    mkdirSync(join(folder, 'spill'));
    gateway = await start();
  });
  beforeEach(() => mock.reset());
  afterAll(async () => {
    await gateway?.stop();
    await link?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    await mock?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const urlThroughLink = (url: string) => url.replace(/:\d+\//, `:${link.port}/`);
  const start = (env: Record<string, string> = {}, databaseUrl = server.url) =>
    startGatewayProcess({
      upstreamUrl: mock.url,
      folder,
      env: {
        ADMIN_API_KEY: ADMIN_KEY,
        DATABASE_URL: urlThroughLink(databaseUrl),
        USAGE_SPILL_DIR: join(folder, 'spill'),
        LOG_LEVEL: 'warn',
        ...TIMEOUTS,
        ...env,
      },
    });
  const send = (key = gateway.key): Promise<RawAnswer> => rawRequest(gateway.port, callOf(key, { body: PLAIN }));
  /** Records, and the sums of days, months and models, as they are in the database. */
  async function counts(database = server): Promise<number[]> {
    const sql = new SQL(database.url, { max: 1 });
    const [row] = await sql`SELECT (SELECT COUNT(*) FROM usage_records) AS records,
      (SELECT COALESCE(SUM(requests), 0) FROM usage_days) AS days,
      (SELECT COALESCE(SUM(requests), 0) FROM usage_months) AS months,
      (SELECT COALESCE(SUM(requests), 0) FROM usage_by_model) AS models`;
    await sql.close();
    return [row.records, row.days, row.months, row.models].map(Number);
  }
  let sent = 0;
  let lastCounts: number[] = [];
  const sendMany = async (count: number) => {
    for (let i = 0; i < count; i++) expect((await send()).status).toBe(200);
    sent += count;
  };
  const everythingIsCountedOnce = (database = server) =>
    eventually(
      async () => {
        lastCounts = await counts(database);
        return lastCounts.every((count) => count === sent);
      },
      () => `not ${sent} records, days, months, models, but ${lastCounts}; output: ${gateway.output().slice(-2000)}`,
    );

  /** What is true of every kind of trouble, until `end` ends it. */
  async function trouble(begin: () => unknown, end: () => unknown): Promise<void> {
    await sendMany(3);
    await begin();
    // Known keys are served at once.
    const startedAtMs = performance.now();
    await sendMany(40);
    expect(performance.now() - startedAtMs).toBeLessThan(5_000);
    const unknown = await eventually(async () => {
      const answer = await send(newSecret());
      return answer.status === 503 && answer;
    });
    expect(jsonOf(unknown)).toMatchObject({ error: { code: 'overloaded' } });
    expect(unknown.header('retry-after')).toBe('1');
    const created = await adminCall(gateway, '/api-keys', { body: { name: 'x' } });
    expect(created.status).toBe(503);
    expect((await rawRequest(gateway.port, { method: 'GET', path: '/ready' })).status).toBe(200);
    await end();
    await eventually(async () => (await send(newSecret())).status === 401);
    expect((await adminCall(gateway, '/api-keys', { body: { name: 'x' } })).status).toBe(201);
    await everythingIsCountedOnce();
    expect(readdirSync(join(folder, 'spill'))).toEqual([]);
  }

  test('stopped and started again: known keys are served, the rest is 503, no record is lost', async () => {
    await trouble(
      () => server.stop(),
      () => server.start(),
    );
  });

  test('crashed and restarted', async () => {
    await trouble(
      () => server.stop('immediate'),
      () => server.start(),
    );
  });

  test('frozen, and thawed', async () => {
    await trouble(
      () => server.freeze(),
      () => server.thaw(),
    );
  });

  test('cut off in mid-command, again and again: what was done counts once', async () => {
    await sendMany(3);
    await everythingIsCountedOnce();
    // The server gets the whole statement, and does what it says; its answer is lost.
    let writes = 0;
    link.cutAfter((bytes) => bytes.includes('"request_id":') && ++writes % 2 === 1);
    const cuts = link.cuts;
    for (let i = 0; i < 20; i++) {
      await sendMany(3);
      await everythingIsCountedOnce();
    }
    link.cutAfter(null);
    expect(link.cuts - cuts).toBeGreaterThan(5);
    await everythingIsCountedOnce();
  });

  test('connections are reset: the next statement has new ones', async () => {
    for (let i = 0; i < 5; i++) {
      link.cut();
      await sendMany(3);
      await eventually(async () => (await send(newSecret())).status === 401);
    }
    await everythingIsCountedOnce();
  });

  test('a failover to a replica: read-only at first, then the new primary; no restart, nothing lost', async () => {
    await sendMany(3);
    await everythingIsCountedOnce();
    const replica = await server.replica();
    try {
      link.leadTo(replica.port);
      await server.stop('immediate');
      // It reads there: an unknown key is known to be none. It cannot write.
      await eventually(async () => (await send(newSecret())).status === 401);
      await sendMany(10);
      const created = await adminCall(gateway, '/api-keys', { body: { name: 'x' } });
      expect(created.status).toBe(503);
      expect(created.text).not.toContain('    at ');
      await gateway.logLine(({ msg, reason }) => /usage/.test(String(msg)) && /read-only/.test(String(reason)));
      await replica.promote();
      await eventually(async () => (await adminCall(gateway, '/api-keys', { body: { name: 'x' } })).status === 201);
      await everythingIsCountedOnce(replica);
    } finally {
      link.leadTo(server.port);
      link.cut();
      await replica[Symbol.asyncDispose]();
      await server.start();
    }
  });
});

describe.skipIf(WITHOUT_POSTGRES !== null)('a gateway that is stopped while Postgres is away', () => {
  test('leaves its records in a file, and the next start takes them up, once', async () => {
    await using server = await startPostgres();
    const mock = startMock({ port: 0 });
    const folder = mkdtempSync(join(tmpdir(), 'bve-test-'));
    const start = () =>
      startGatewayProcess({
        upstreamUrl: mock.url,
        folder,
        env: { DATABASE_URL: server.url, DRAIN_TIMEOUT_MS: '300', ...TIMEOUTS },
      });
    const first = await start();
    const send = (gateway: GatewayProcess) => rawRequest(gateway.port, callOf(first.key, { body: PLAIN }));
    for (let i = 0; i < 5; i++) expect((await send(first)).status).toBe(200);
    await first.waitForUsage(5);
    await server.stop('immediate');
    for (let i = 0; i < 30; i++) expect((await send(first)).status).toBe(200);
    first.signal('SIGTERM');
    expect(await first.exited).toBe(0);
    await server.start();
    for (let i = 0; i < 2; i++) {
      const next = await start();
      expect(await next.waitForUsage(35)).toHaveLength(35);
      await next.stop();
    }
    await first.stop();
    await mock.stop();
    rmSync(folder, { recursive: true, force: true });
  });
});
