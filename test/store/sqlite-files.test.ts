/** What is in the files of a SQLite store, and who waits for whom. */
import { expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SQL } from 'bun';
import { createKey, hashKey } from '../../src/keys/key.ts';
import type { StoreError } from '../../src/store/store-error.ts';
import { storePerTest } from './store-per-test.ts';
import { usageRecord } from './temp-database.ts';

const PEPPER = 'pepper-for-tests';
const NONE = new Map<string, number>();

const t = storePerTest();

async function insertNewKey() {
  const { key, secret } = createKey({ name: 'a key' }, 1_000);
  await t.store.insertKey(key, hashKey(secret, PEPPER));
  return { key, secret };
}

test('only the hash is stored', async () => {
  const { secret, key } = await insertNewKey();
  const hash = hashKey(secret, PEPPER);
  const files = readdirSync(t.db.folder);
  expect(files).toContain('bve.db-wal');
  // Read by another process: closing the files here would drop the locks that SQLite holds on them in this one.
  const bytes = Bun.spawnSync(['cat', ...files.map((file) => join(t.db.folder, file))]).stdout.toString('latin1');
  expect(bytes).toContain(hash);
  expect(bytes).toContain(key.prefix);
  expect(bytes).not.toContain(secret.slice('sk-bve-'.length));
  expect(bytes).not.toContain(secret.slice(12));
  expect(bytes).not.toContain(PEPPER);
});

test('a lookup does not wait for another process that writes, a change of a key does', async () => {
  const { key, secret } = await insertNewKey();
  const other = new SQL({ adapter: 'sqlite', filename: t.db.path });
  await other.unsafe('BEGIN IMMEDIATE');
  await other.unsafe("UPDATE api_keys SET name = 'not committed'");
  expect((await t.store.findByHash(hashKey(secret, PEPPER)))?.key.name).toBe('a key');
  const usage = await t.store.insertUsage([usageRecord()], NONE).catch((reason: unknown) => reason);
  expect((usage as StoreError).kind).toBe('busy');
  const change = t.store.setKeyStatus(key.id, 'suspended', 2);
  await other.unsafe('ROLLBACK');
  expect((await change).kind).toBe('changed');
  await other.close();
});
