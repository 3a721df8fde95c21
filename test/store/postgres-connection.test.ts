/** How Postgres is reached: TLS, wrong URLs, many processes that start at once. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';
import { MIGRATIONS } from '../../src/store/migrations/list.ts';
import { openStore } from '../../src/store/open-store.ts';
import { DEFAULT_POSTGRES_OPTIONS } from '../../src/store/postgres/connection.ts';
import { newRecordId } from '../../src/usage/usage-record.ts';
import { freePort } from '../support/free-port.ts';
import { PEPPER, runBve } from '../support/gateway.ts';
import { giveToServer, type PostgresServer, startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { usageRecord } from './temp-database.ts';

setDefaultTimeout(60_000);

describe.skipIf(WITHOUT_POSTGRES !== null)('Postgres', () => {
  let server: PostgresServer;
  let folder: string;
  let caFile: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bve-test-'));
    giveToServer(folder);
    caFile = join(folder, 'ca.pem');
    const keyFile = join(folder, 'key.pem');
    writeFileSync(caFile, SELF_SIGNED.cert);
    writeFileSync(keyFile, SELF_SIGNED.key, { mode: 0o600 });
    giveToServer(keyFile);
    server = await startPostgres(['ssl = on', `ssl_cert_file = '${caFile}'`, `ssl_key_file = '${keyFile}'`]);
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What the server says of the connection that a store with this URL has; or the complaint. */
  async function encryption(url: string, ca?: string): Promise<string> {
    try {
      const store = await openStore(url, {
        postgres: { ...DEFAULT_POSTGRES_OPTIONS, poolMax: 1, connectTimeoutMs: 2_000, ca },
      });
      const sql = new SQL(server.url, { max: 1 });
      const rows = await sql<{ ssl: boolean }[]>`SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE application_name = 'bve'`;
      await Promise.all([sql.close(), store.close()]);
      return rows.map(({ ssl }) => (ssl ? 'encrypted' : 'open')).join();
    } catch (error) {
      return (error as Error).message;
    }
  }
  const urlOf = (host: string, sslMode: string) => `postgres://bve@${host}:${server.port}/bve?sslmode=${sslMode}`;
  const CERTIFICATE = /certificate|self.signed|altname|hostname/i;

  test.each([
    ['disable', 'open'],
    ['prefer', 'encrypted'],
    ['require', 'encrypted'],
  ])('sslmode=%s: %s, whoever the server is', async (sslMode, expected) => {
    expect(await encryption(urlOf('127.0.0.1', sslMode))).toBe(expected);
  });

  test('sslmode=verify-full wants a certificate of a known authority for the host of the URL', async () => {
    expect(await encryption(urlOf('localhost', 'verify-full'), SELF_SIGNED.cert)).toBe('encrypted');
    expect(await encryption(urlOf('127.0.0.1', 'verify-full'), SELF_SIGNED.cert)).toMatch(CERTIFICATE);
    expect(await encryption(urlOf('localhost', 'verify-full'))).toMatch(CERTIFICATE);
  });

  test('sslmode=verify-ca wants a known authority, and takes any name', async () => {
    expect(await encryption(urlOf('127.0.0.1', 'verify-ca'), SELF_SIGNED.cert)).toBe('encrypted');
    expect(await encryption(urlOf('127.0.0.1', 'verify-ca'))).toMatch(CERTIFICATE);
  });

  test.each([
    ['postgres://', 'DATABASE_URL cannot be used'],
    ['postgres://bve:hunter2@127.0.0.1', 'it names no database'],
    ['postgres://bve:hunter2@127.0.0.1/bve?sslmode=on', 'sslmode must be one of'],
    ['postgres://bve:hunter2@127.0.0.1/bve?application_name=x', "the parameter 'application_name'"],
    [`postgres://bve:hunter2@127.0.0.1:${freePort()}/bve`, 'cannot use the database of DATABASE_URL'],
  ])('%s is refused, with a reason and without the password', async (url, complaint) => {
    const message = await openStore(url).then(
      () => 'opened',
      (error: Error) => error.message,
    );
    expect(message).toContain(complaint);
    expect(message).not.toContain('hunter2');
  });

  test('a database that is not there is named by bve check, before anything is started', async () => {
    const url = server.url.replace(/bve$/, 'nowhere');
    const env = { DATABASE_URL: url, API_KEY_PEPPER: PEPPER, FUELIX_API_KEY: 'fx' };
    const checked = await runBve(['check'], env);
    expect(checked.exitCode).toBe(2);
    expect(checked.stderr).toContain('database "nowhere" does not exist');
    expect((await runBve(['check'], { ...env, DATABASE_URL: server.url })).exitCode).toBe(0);
    const noCa = await runBve(['check'], { ...env, DATABASE_URL: server.url, DATABASE_CA_FILE: '/nowhere.pem' });
    expect(noCa.exitCode).toBe(2);
    expect(noCa.stderr).toContain('DATABASE_CA_FILE');
  });

  test('ten processes that start at once migrate once', async () => {
    const url = await server.createDatabase();
    const env = { DATABASE_URL: url, API_KEY_PEPPER: PEPPER };
    const ran = await Promise.all(Array.from({ length: 10 }, () => runBve(['keys', 'list'], env)));
    expect(ran.map(({ exitCode }) => exitCode)).toEqual(ran.map(() => 0));
    const sql = new SQL(url, { max: 1 });
    const rows = await sql<{ version: string }[]>`SELECT version FROM schema_migrations ORDER BY version`;
    expect(rows.map(({ version }) => Number(version))).toEqual(MIGRATIONS.map(({ version }) => version));
    await sql`INSERT INTO schema_migrations (version, name, applied_at) VALUES (1000, 'of the future', 0)`;
    await sql.close();
    const newer = await runBve(['keys', 'list'], env);
    expect([newer.exitCode, newer.stderr]).toEqual([1, expect.stringContaining('newer version of bve')]);
  });

  test('many writers of the same keys, days and models at once: no deadlock, every record once', async () => {
    const url = await server.createDatabase();
    const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(url)));
    const keyIds = Array.from({ length: 50 }, (_, i) => `key-${i}`);
    const DAY_MS = 86_400_000;
    let written = 0;
    const write = async (store: (typeof stores)[number]) => {
      for (let i = 0; i < 20; i++) {
        const records = Array.from({ length: 50 }, (_, n) =>
          usageRecord({
            id: newRecordId(),
            keyId: keyIds[(n * 7 + i * 13) % keyIds.length]!,
            model: `m${n % 3}`,
            admittedAt: 1_750_000_000_000 + ((n * i) % 5) * DAY_MS,
          }),
        );
        // As a writer does: in an order of its own, and the half of it twice.
        records.sort(() => Math.random() - 0.5);
        await store.insertUsage(records, new Map(records.map(({ keyId }) => [keyId, Date.now()])));
        await store.insertUsage(records.slice(0, 25), new Map());
        written += records.length;
      }
    };
    await Promise.all(stores.flatMap((store) => [write(store), write(store)]));
    const sql = new SQL(url, { max: 1 });
    const [row] = await sql`SELECT (SELECT COUNT(*) FROM usage_records) AS records,
      (SELECT SUM(requests) FROM usage_days) AS days, (SELECT SUM(requests) FROM usage_months) AS months,
      (SELECT SUM(requests) FROM usage_by_model) AS models`;
    expect([row.records, row.days, row.months, row.models].map(Number)).toEqual([written, written, written, written]);
    await Promise.all([sql.close(), ...stores.map((store) => store.close())]);
  });
});
