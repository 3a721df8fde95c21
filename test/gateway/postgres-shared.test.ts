/** Two gateways and the commands on one Postgres. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { SQL } from 'bun';
import { createKey, hashKey } from '../../src/keys/key.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { openStore } from '../../src/store/open-store.ts';
import { ADMIN_KEY, adminCall } from '../admin/admin-client.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, PEPPER, runBve, startGatewayProcess } from '../support/gateway.ts';
import { TEST_TIMEOUT_MS } from '../support/pair.ts';
import { type PostgresServer, startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';

setDefaultTimeout(TEST_TIMEOUT_MS * 2);

const KEYS = 10_000;
/** What the load does at once, on each gateway. */
const PARALLEL = 8;
const REVOKED = 5;
const STEADY_MS = 3_000;
/** What reads keys or their changes, and changes nothing. */
const KEY_QUERY = `query LIKE '%SELECT n.seq, c.key_id FROM key_change_counter%' OR query LIKE '%FROM key_secrets s JOIN api_keys%'`;

describe.skipIf(WITHOUT_POSTGRES !== null)('two gateways on one Postgres', () => {
  let mock: MockServer;
  let server: PostgresServer;
  let gateways: GatewayProcess[] = [];
  let sql: SQL;
  const secrets: string[] = [];
  const ids: string[] = [];

  beforeAll(async () => {
    mock = startMock({ port: 0, requestsMax: 10 });
    server = await startPostgres(["shared_preload_libraries = 'pg_stat_statements'"]);
    sql = new SQL(server.url, { max: 1 });
    await sql`CREATE EXTENSION pg_stat_statements`;
    const keys = Array.from({ length: KEYS }, (_, i) =>
      createKey({ name: `k${i}`, rpmLimit: null, rpdLimit: null }, Date.now()),
    );
    const store = await openStore(server.url);
    for (const { key, secret } of keys) {
      secrets.push(secret);
      ids.push(key.id);
    }
    const conflicts = await store.importKeys(
      keys.map(({ key, secret }) => ({ key, keyHash: hashKey(secret, PEPPER) })),
    );
    expect(conflicts).toEqual([]);
    await store.close();
    const start = () =>
      startGatewayProcess({
        upstreamUrl: mock.url,
        env: { DATABASE_URL: server.url, ADMIN_API_KEY: ADMIN_KEY, LOG_LEVEL: 'warn', LOG_SAMPLE: '0' },
      });
    gateways = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await sql?.close();
    await server?.[Symbol.asyncDispose]();
    await mock?.stop();
  });

  const statusWith = async (gateway: GatewayProcess, secret: string) => {
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: '{"model":"m","messages":[]}',
    });
    await answer.arrayBuffer();
    return answer.status;
  };

  /** Requests with one key after the other to each gateway, until disposed of. */
  function startLoad() {
    const statuses = new Set<number>();
    const sent = gateways.map(() => 0);
    const { promise: allUsed, resolve } = Promise.withResolvers<void>();
    let isOver = false;
    const run = async (gateway: GatewayProcess, i: number) => {
      // The last keys are those that are revoked.
      while (!isOver) statuses.add(await statusWith(gateway, secrets[sent[i]!++ % (KEYS - REVOKED)]!));
    };
    const loops = gateways.flatMap((gateway, i) => Array.from({ length: PARALLEL }, () => run(gateway, i)));
    const watch = setInterval(() => sent.every((count) => count >= KEYS + PARALLEL) && resolve(), 20);
    return {
      statuses,
      allUsed,
      [Symbol.asyncDispose]: async () => {
        isOver = true;
        clearInterval(watch);
        await Promise.all(loops);
      },
    };
  }

  test('under load with 10,000 keys in use: three key queries a second, and a revoked key is refused within one', async () => {
    const [a, b] = gateways as [GatewayProcess, GatewayProcess];
    await using warm = startLoad();
    await warm.allUsed;
    expect([...warm.statuses]).toEqual([200]);

    const callsOf = async () => {
      const [row] = await sql.unsafe(
        `SELECT COALESCE(SUM(calls), 0) AS calls FROM pg_stat_statements WHERE ${KEY_QUERY}`,
      );
      return Number(row.calls);
    };
    const callsBefore = await callsOf();
    expect(callsBefore).toBeGreaterThan(0);
    await Bun.sleep(STEADY_MS);
    const perSecond = ((await callsOf()) - callsBefore) / (STEADY_MS / 1000) / gateways.length;
    expect(perSecond).toBeLessThanOrEqual(3);

    for (let i = 0; i < REVOKED; i++) {
      const [id, secret] = [ids[KEYS - 1 - i]!, secrets[KEYS - 1 - i]!];
      expect(await statusWith(b, secret)).toBe(200);
      expect((await adminCall(a, `/api-keys/${id}/revoke`, { method: 'POST' })).status).toBe(200);
      const revokedAtMs = performance.now();
      while ((await statusWith(b, secret)) === 200);
      expect(performance.now() - revokedAtMs).toBeLessThan(1_000);
    }
  });

  test('the commands work on it, and a running gateway applies what they do', async () => {
    const [a] = gateways as [GatewayProcess];
    const bve = async (...args: string[]) => {
      const { exitCode, stdout, stderr } = await runBve(args, a.env);
      expect({ args, exitCode, stderr }).toEqual({ args, exitCode: 0, stderr: '' });
      return stdout;
    };
    const { id, key } = JSON.parse(await bve('keys', 'create', '--name', 'by hand', '--unlimited', '--json'));
    expect(await statusWith(a, key)).toBe(200);
    const rotated = JSON.parse(await bve('keys', 'rotate', id, '--json'));
    expect(await statusWith(a, rotated.key)).toBe(200);
    await bve('keys', 'suspend', id);
    await eventually(async () => (await statusWith(a, rotated.key)) !== 200);
    await bve('keys', 'activate', id);
    await eventually(async () => (await statusWith(a, rotated.key)) === 200);
    await eventually(async () => (await bve('usage', '--key', id)).includes(id));
    await bve('keys', 'revoke', id);
    await eventually(async () => (await statusWith(a, rotated.key)) !== 200);
    expect(await bve('keys', 'list')).toContain(id);
    await bve('keys', 'delete', id);
    expect(await bve('keys', 'list')).not.toContain(id);
    expect(await bve('usage', '--by', 'model')).toContain('m');
    expect(await bve('check')).toContain('DATABASE_URL');
  });
});
