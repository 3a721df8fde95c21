/** The commands of docs/production.md: each is run here as it is, or, with other paths, by the test that is named. */
import { expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { usageRecord } from '../store/temp-database.ts';
import { startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';

setDefaultTimeout(60_000);
const ROOT = resolve(import.meta.dir, '../..');
const PAGE = readFileSync(join(ROOT, 'docs/production.md'), 'utf8');
const COMMANDS = [...PAGE.matchAll(/```sh\n([^`]*)```/g)].flatMap(([, block]) => block!.trim().split('\n'));

const RUN_BY: Readonly<Record<string, string>> = {
  'bve check --config bve.toml': 'test/config/check-command.test.ts',
  'bve migrate --from sqlite://bve.db --to sqlite://backup.db': 'test/cli/migrate.test.ts',
  'pg_dump --format=custom --file=bve.dump "$DATABASE_URL"': 'test/container/production-page.test.ts',
  'pg_restore --dbname="$RESTORE_URL" bve.dump': 'test/container/production-page.test.ts',
};

test('every command of the page belongs to a test, and every link leads somewhere', () => {
  expect(COMMANDS.sort()).toEqual(Object.keys(RUN_BY).sort());
  for (const path of Object.values(RUN_BY)) expect([path, existsSync(join(ROOT, path))]).toEqual([path, true]);
  for (const [, link] of PAGE.matchAll(/\]\(([^)#]+)\)/g)) {
    expect([link, existsSync(join(ROOT, 'docs', link!))]).toEqual([link, true]);
  }
});

test.skipIf(WITHOUT_POSTGRES !== null)(
  'a dump of Postgres, restored into an empty database, has all of it',
  async () => {
    await using server = await startPostgres();
    const [from, to] = [await server.createDatabase(), await server.createDatabase()];
    const store = await openStore(from);
    const { key } = createKey({ name: 'kept' }, Date.now());
    await store.insertKey(key, 'hash');
    await store.insertUsage(
      Array.from({ length: 50 }, () => usageRecord({ keyId: key.id })),
      new Map(),
    );
    const folder = mkdtempSync(join(tmpdir(), 'bve-backup-'));
    const version = readdirSync('/usr/lib/postgresql').sort().at(-1);
    for (const command of COMMANDS.filter((one) => one.startsWith('pg_'))) {
      const ran = Bun.spawnSync(['sh', '-ec', command], {
        cwd: folder,
        env: { PATH: `/usr/lib/postgresql/${version}/bin:${process.env.PATH}`, DATABASE_URL: from, RESTORE_URL: to },
      });
      expect({ command, code: ran.exitCode, err: ran.stderr.toString() }).toEqual({ command, code: 0, err: '' });
    }
    const restored = await openStore(to);
    expect(await restored.listKeys()).toEqual(await store.listKeys());
    expect(await restored.recentUsage({ limit: 100 })).toEqual(await store.recentUsage({ limit: 100 }));
    await Promise.all([store.close(), restored.close()]);
    rmSync(folder, { recursive: true });
  },
);
