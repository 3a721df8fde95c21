/** `bve migrate`: all of a database into another, in both directions. */

import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKey, hashKey } from '../../src/keys/key.ts';
import { moveDatabase } from '../../src/store/move.ts';
import { databaseFacts, openStore } from '../../src/store/open-store.ts';
import { type TempDatabase, tempDatabase, usageRecord } from '../store/temp-database.ts';
import { PEPPER, runBve } from '../support/gateway.ts';
import { type PostgresServer, startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';

setDefaultTimeout(60_000);

const NOW = Date.UTC(2026, 5, 15);
const DAY_MS = 86_400_000;

/** Keys in all states, a replaced secret in its grace, records of which the oldest are gone again. */
async function fill(url: string): Promise<void> {
  const store = await openStore(url);
  const keys = Array.from({ length: 1_200 }, (_, i) =>
    createKey(
      { name: `Schlüssel ${i} 🔑`, tags: { team: `t${i % 3}` }, rpmLimit: i, monthlyTokenLimit: null },
      NOW + i,
    ),
  );
  await store.importKeys(keys.map(({ key, secret }) => ({ key, keyHash: hashKey(secret, PEPPER) })));
  const ids = keys.map(({ key }) => key.id);
  await store.setKeyStatus(ids[0]!, 'revoked', NOW);
  await store.setKeyStatus(ids[1]!, 'suspended', NOW);
  await store.rotateKey(ids[2]!, { hash: 'the-new-hash', prefix: 'sk-bve-0000f' }, DAY_MS, NOW);
  await store.setKeyStatus(ids[3]!, 'revoked', NOW);
  for (let i = 0; i < 30; i++) {
    const records = Array.from({ length: 100 }, (_, n) => {
      const startedAt = NOW - (i % 45) * DAY_MS + n;
      return usageRecord({
        keyId: ids[(n + i * 7) % 40]!,
        model: n % 9 === 0 ? null : `m${n % 4}`,
        finish: n % 11 === 0 ? 'error' : 'complete',
        startedAt,
        admittedAt: n % 13 === 0 ? null : startedAt,
      });
    });
    await store.insertUsage(records, new Map([[ids[i]!, NOW + i]]));
  }
  await store.deleteKey(ids[3]!);
  await store.deleteUsageBefore(Date.now() + DAY_MS, 400);
  await store.close();
}

/** All that a store tells. */
async function contentOf(url: string) {
  const store = await openStore(url);
  const range = { first: 0, last: 1_000_000, limit: 100_000 };
  const content = {
    keys: await store.listKeys(),
    records: await store.recentUsage({ limit: 100_000 }),
    days: await store.recentUsageDays(range),
    months: await store.recentUsageMonths(range),
    summary: await store.usageSummary({ groupBy: ['model', 'key'], firstDay: 0, lastDay: 1_000_000, rowsMax: 100_000 }),
    replaced: await store.findByHash('the-new-hash'),
  };
  await store.close();
  return content;
}

describe.skipIf(WITHOUT_POSTGRES !== null)('between SQLite and Postgres', () => {
  let server: PostgresServer;
  let source: TempDatabase;
  let content: Awaited<ReturnType<typeof contentOf>>;

  beforeAll(async () => {
    server = await startPostgres();
    source = tempDatabase();
    await fill(source.url);
    content = await contentOf(source.url);
  });
  afterAll(async () => {
    source?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
  });
  const migrate = (from: string, to: string, env = {}) => runBve(['migrate', '--from', from, '--to', to], env);

  test('everything is there on the other side, and is so again on the way back', async () => {
    const url = await server.createDatabase();
    const { exitCode, stdout, stderr } = await migrate(source.url, url);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^TABLE +ROWS +REQUESTS +TOKENS\napi_keys +1199 /);
    expect(stdout).toMatch(/usage_records +2600 /);
    expect(await contentOf(url)).toEqual(content);

    using back = tempDatabase();
    expect((await migrate(url, back.url)).exitCode).toBe(0);
    expect(await contentOf(back.url)).toEqual(content);
    // And goes on from there.
    const store = await openStore(back.url);
    const key = content.keys[5]!;
    await store.insertUsage([usageRecord({ keyId: key.id, startedAt: NOW, admittedAt: NOW })], new Map());
    const [day] = await store.usageDays(key.id, NOW / DAY_MS, NOW / DAY_MS);
    expect(day!.requests).toBe(
      1 + (content.days.find((d) => d.keyId === key.id && d.day === NOW / DAY_MS)?.requests ?? 0),
    );
    await store.close();
  });

  test('what was interrupted is run again, and nothing is there twice', async () => {
    const url = await server.createDatabase();
    let calls = 0;
    const broken = moveDatabase(source.url, url, {
      store: {},
      onProgress: () => {
        if (++calls === 2) throw new Error('the power is gone');
      },
    });
    expect(await broken.catch((error: Error) => error.message)).toBe('the power is gone');
    expect((await migrate(source.url, url)).exitCode).toBe(0);
    expect((await migrate(source.url, url)).exitCode).toBe(0);
    expect(await contentOf(url)).toEqual(content);
  });

  test('the URL of the target may come from the environment, where nobody sees its password', async () => {
    const url = await server.createDatabase();
    const ran = await runBve(['migrate', '--from', source.url, '--json'], { DATABASE_URL: url });
    expect(ran.exitCode).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ api_keys: { rows: '1199' }, usage_records: { rows: '2600' } });
  });

  test('a target that has something else is refused, and left as it is', async () => {
    const url = await server.createDatabase();
    const store = await openStore(url);
    const { key, secret } = createKey({ name: 'of another' }, NOW);
    await store.insertKey(key, hashKey(secret, PEPPER));
    const { exitCode, stderr } = await migrate(source.url, url);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('give an empty one');
    expect(await store.listKeys()).toEqual([key]);
    await store.close();
  });

  test('a source that is written to meanwhile is noticed', async () => {
    const url = await server.createDatabase();
    using copy = tempDatabase();
    await fill(copy.url);
    let isWritten = false;
    const moved = moveDatabase(copy.url, url, {
      store: {},
      onProgress: () => {
        if (isWritten) return;
        isWritten = true;
        // In front of what has been read already.
        using other = new Database(copy.path);
        other.run('UPDATE usage_records SET bytes_out = bytes_out + 1 WHERE id = (SELECT MIN(id) FROM usage_records)');
      },
    });
    expect(await moved.catch((error: Error) => error.message)).toContain('usage_records differs in the end');
  });

  test('records that wait in spill files are not left behind', async () => {
    const url = await server.createDatabase();
    const file = join(source.folder, `bve-usage-${databaseFacts(source.url).id}-x.jsonl`);
    writeFileSync(file, '{}\n');
    const { exitCode, stderr } = await migrate(source.url, url);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('wait in spill files');
    await Bun.file(file).delete();
  });
});

test.each([
  [['--to', 'sqlite://b.db'], '--from is missing'],
  [['--from', 'mysql://a/b', '--to', 'sqlite://b.db'], '--from: '],
  [['--from', 'sqlite://a.db', '--to', 'postgres://x'], '--to: '],
  [['--from', 'sqlite://a.db', '--to', 'sqlite://./a.db'], 'are the same database'],
])('%p is a mistake that is named', async (args, complaint) => {
  const { exitCode, stderr } = await runBve(['migrate', ...args]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(complaint);
});

test('SQLite to SQLite is a copy, as docs/production.md makes a backup', async () => {
  using db = tempDatabase();
  await fill(db.url);
  const copy = `sqlite://${db.folder}/backup.db`;
  const { exitCode, stderr } = await runBve(['migrate', '--from', db.url, '--to', copy]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(await contentOf(copy)).toEqual(await contentOf(db.url));
});

test('a source that is not there is not made', async () => {
  using db = tempDatabase();
  const { exitCode, stderr } = await runBve(['migrate', '--from', db.url, '--to', `sqlite://${db.folder}/new.db`]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('does not exist');
  expect(await Bun.file(db.path).exists()).toBe(false);
});
