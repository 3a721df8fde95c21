import { expect, test } from 'bun:test';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SQL } from 'bun';
import { MIGRATIONS } from '../../src/store/migrations/list.ts';
import { openStore } from '../../src/store/open-store.ts';
import { sqlitePath, whileBusy } from '../../src/store/sqlite/database.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import { StoreError } from '../../src/store/store-error.ts';
import { tempDatabase } from './temp-database.ts';

test('two processes that migrate the same new database at once both succeed', async () => {
  for (let round = 0; round < 3; round++) {
    using db = tempDatabase();
    const processes = Array.from({ length: 4 }, () =>
      Bun.spawn([process.execPath, join(import.meta.dir, 'open-store.ts'), db.url], {
        stdin: 'pipe',
        stdout: 'pipe',
        stderr: 'pipe',
      }),
    );
    const readers = processes.map((child) => child.stdout.getReader());
    for (const reader of readers) expect(new TextDecoder().decode((await reader.read()).value)).toBe('ready\n');
    for (const child of processes) child.stdin.end();
    for (const [i, child] of processes.entries()) {
      expect(new TextDecoder().decode((await readers[i]!.read()).value) || (await child.stderr.text())).toBe('open\n');
      expect(await child.exited).toBe(0);
    }
  }
});

test('two stores of one process that open the same new database at once both succeed', async () => {
  using db = tempDatabase();
  const stores = await Promise.all([openStore(db.url), openStore(db.url), openStore(db.url)]);
  for (const store of stores) await store.ping();
  for (const store of stores) await store.close();
});

test('a migration that fails leaves nothing behind', async () => {
  using db = tempDatabase();
  const sql = new SQL({ adapter: 'sqlite', filename: db.path });
  const broken = {
    version: 1,
    name: 'broken',
    statements: ['CREATE TABLE half (a BIGINT)', 'CREATE TABLE half (a BIGINT)'],
  };
  await expect(migrate(sql, [broken])).rejects.toThrow('half');
  expect(await sql`SELECT name FROM sqlite_master WHERE name = 'half'`).toHaveLength(0);
  await migrate(sql, [{ ...broken, statements: [broken.statements[0]!] }]);
  expect(await sql`SELECT version FROM schema_migrations`.values()).toEqual([[1]] as never);
  await sql.close();
});

test('migrations are numbered from 1 without gaps', () => {
  expect(MIGRATIONS.map((migration) => migration.version)).toEqual(MIGRATIONS.map((_, i) => i + 1));
});

test('a database newer than the program is refused and not touched', async () => {
  using db = tempDatabase();
  await (await openStore(db.url)).close();
  const sql = new SQL({ adapter: 'sqlite', filename: db.path });
  await sql`INSERT INTO schema_migrations VALUES (999, 'from the future', 0)`;
  await sql.close();
  const error = await refusal(db.url);
  expect(error.message).toContain('newer version of bve');
  expect(error.message).toContain(db.path);
});

test('a file that is not a database is refused', async () => {
  for (const content of ['hello', 'no database at all\n'.repeat(1000)]) {
    using db = tempDatabase();
    writeFileSync(db.path, content);
    const error = await refusal(db.url);
    expect(error.message).toContain('not a SQLite database');
    expect(error.message).toContain(db.path);
    expect(await Bun.file(db.path).text()).toBe(content);
  }
});

test('a missing directory, and a directory in place of the file, are refused by name', async () => {
  using db = tempDatabase();
  const missing = await refusal(`sqlite://${db.folder}/nowhere/bve.db`);
  expect(missing.message).toContain('directory does not exist');
  expect(missing.message).toContain(`${db.folder}/nowhere/bve.db`);
  mkdirSync(db.path);
  expect((await refusal(db.url)).message).toContain('not a file');
});

test('the database and its log can be read by their owner only', async () => {
  using db = tempDatabase();
  const umask = process.umask(0);
  try {
    const store = await openStore(db.url);
    await store.insertUsage([], new Map([['nobody', 1]]));
    for (const file of [db.path, `${db.path}-wal`, `${db.path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600);
    await store.close();
  } finally {
    process.umask(umask);
  }
});

test('DATABASE_URL is a path: relative, absolute, with spaces and percent signs as they are', async () => {
  expect(sqlitePath('sqlite:///var/lib/bve.db')).toBe('/var/lib/bve.db');
  expect(sqlitePath('sqlite://data/bve.db')).toBe(join(process.cwd(), 'data/bve.db'));
  for (const url of ['sqlite://', 'sqlite://:memory:', 'sqlite://a.db?mode=ro', 'mysql://x']) {
    expect(() => sqlitePath(url)).toThrow('DATABASE_URL');
  }
  using db = tempDatabase();
  await (await openStore(`sqlite://${db.folder}/a b%20c#d.db`)).close();
  expect(statSync(join(db.folder, 'a b%20c#d.db')).isFile()).toBe(true);
});

test('waiting for a lock ends with the lock, with another error, or with the deadline', async () => {
  const busy = () => Object.assign(new Error('locked'), { code: 'SQLITE_BUSY' });
  let tries = 0;
  expect(await whileBusy(30_000, async () => (++tries < 3 ? Promise.reject(busy()) : 'free'))).toBe('free');
  await expect(whileBusy(1_000, () => Promise.reject(new Error('other')))).rejects.toThrow('other');
  await expect(whileBusy(0, () => Promise.reject(busy()))).rejects.toThrow('locked');
});

async function refusal(url: string): Promise<StoreError> {
  const error = await openStore(url).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).kind).toBe('unusable');
  return error as StoreError;
}

test('keys from before a field was there keep their values and have its default', async () => {
  using db = tempDatabase();
  const sql = new SQL({ adapter: 'sqlite', filename: db.path });
  await migrate(sql, MIGRATIONS.slice(0, 3));
  for (const [id, inject] of [
    ['off', 0],
    ['on', 1],
  ] as const) {
    await sql`INSERT INTO api_keys (id, name, prefix, status, inject_stream_usage, created_at, updated_at)
      VALUES (${id}, 'n', 'p', 'active', ${inject}, 0, 0)`;
  }
  await sql.close();
  const store = await openStore(db.url);
  const fields = { onLeave: null, allowedEndpoints: null, tags: {} };
  expect(await store.getKey('off')).toMatchObject({ ...fields, injectStreamUsage: false });
  expect(await store.getKey('on')).toMatchObject({ ...fields, injectStreamUsage: true });
  await store.close();
});
