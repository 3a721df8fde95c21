/** A database file that breaks, goes away or is replaced by another while a store is open on it. */
import { expect, test } from 'bun:test';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { createKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { storePerTest } from './store-per-test.ts';
import { tempDatabase, usageRecord } from './temp-database.ts';

const NONE = new Map<string, number>();
const UNAVAILABLE = { name: 'StoreError', kind: 'unavailable' };

const t = storePerTest();

/** By another process: opening and closing the file here would drop the locks that SQLite holds on it. */
function shell(command: string, ...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(['sh', '-c', command, 'sh', ...args]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

async function insertNewKey(hash: string) {
  const { key } = createKey({ name: hash }, 1);
  await t.store.insertKey(key, hash);
  return key;
}

test('a file that was no database for a while is read and written again', async () => {
  const key = await insertNewKey('hash');
  await t.store.insertUsage([usageRecord()], NONE);
  // What is in the log only would be read from there, whatever is in the file.
  shell(
    'cp "$1" "$2"; : > "$1-wal"; printf "no database, and longer than a header: %0200d" 7 > "$1"',
    t.db.path,
    `${t.db.folder}/copy`,
  );
  for (let i = 0; i < 3; i++) {
    await expect(t.store.findByHash('hash')).rejects.toMatchObject(UNAVAILABLE);
    await expect(t.store.patchKey(key.id, { name: 'x' }, 2)).rejects.toMatchObject(UNAVAILABLE);
    await expect(t.store.insertUsage([usageRecord()], NONE)).rejects.toMatchObject(UNAVAILABLE);
  }
  shell('rm -f "$1-wal" "$1-shm"; cat "$2" > "$1"', t.db.path, `${t.db.folder}/copy`);
  await t.store.insertUsage([usageRecord()], NONE);
  expect(await t.store.ping()).toBeUndefined();
  expect((await t.store.patchKey('unknown', { name: 'x' }, 2)).kind).toBe('unknown');
});

test('a deleted file is noticed by the write that went into it, and nothing takes its place', async () => {
  await insertNewKey('hash');
  const record = usageRecord();
  await t.store.insertUsage([record], NONE);
  for (const end of ['', '-wal', '-shm']) rmSync(t.db.path + end);
  await expect(t.store.insertUsage([usageRecord()], NONE)).rejects.toThrow('deleted or replaced');
  await expect(t.store.insertUsage([usageRecord()], NONE)).rejects.toThrow('gone');
  await expect(t.store.changesSince(0)).rejects.toMatchObject(UNAVAILABLE);
  await expect(t.store.findByHash('hash')).rejects.toMatchObject(UNAVAILABLE);
  await expect(t.store.insertKey(createKey({ name: 'k' }, 1).key, 'other')).rejects.toMatchObject(UNAVAILABLE);
  expect(existsSync(t.db.path)).toBe(false);
});

test('a file that was emptied is not taken for a new database', async () => {
  await insertNewKey('hash');
  shell(': > "$1-wal"; : > "$1"', t.db.path);
  for (let i = 0; i < 3; i++) {
    await expect(t.store.insertUsage([usageRecord()], NONE)).rejects.toMatchObject(UNAVAILABLE);
    await expect(t.store.findByHash('hash')).rejects.toMatchObject(UNAVAILABLE);
  }
  expect(Bun.file(t.db.path).size).toBe(0);
});

test('a file that was replaced by another is left for it, and any key may have changed', async () => {
  const { id } = await insertNewKey('hash');
  await t.store.patchKey(id, { name: 'changed' }, 2);
  const { seq } = await t.store.changesSince(null);
  using other = tempDatabase();
  const prepared = await openStore(other.url);
  await prepared.insertKey(createKey({ name: 'of the other' }, 1).key, 'other-hash');
  await prepared.close();
  renameSync(other.path, t.db.path);
  for (const end of ['-wal', '-shm']) rmSync(t.db.path + end);
  const record = usageRecord();
  await expect(t.store.insertUsage([record], NONE)).rejects.toMatchObject(UNAVAILABLE);
  await t.store.insertUsage([record], NONE);
  expect(await t.store.recentUsage({ limit: 9 })).toEqual([record]);
  expect((await t.store.findByHash('other-hash'))?.key.name).toBe('of the other');
  expect(await t.store.findByHash('hash')).toBeNull();
  const changes = await t.store.changesSince(seq);
  expect(changes.keyIds).toBeNull();
  expect(await t.store.changesSince(changes.seq)).toEqual({ seq: changes.seq, keyIds: [] });
});

test('looking for changed keys notices a replaced file too, without any usage', async () => {
  const { seq } = await t.store.changesSince(null);
  using other = tempDatabase();
  await (await openStore(other.url)).close();
  renameSync(other.path, t.db.path);
  for (const end of ['-wal', '-shm']) rmSync(t.db.path + end, { force: true });
  await expect(t.store.changesSince(seq)).rejects.toMatchObject(UNAVAILABLE);
  expect((await t.store.changesSince(seq)).keyIds).toBeNull();
});

test('a store of which one connection broke can be closed', async () => {
  for (const end of ['', '-wal', '-shm']) rmSync(t.db.path + end, { force: true });
  await expect(t.store.ping()).rejects.toMatchObject(UNAVAILABLE);
  await t.store.close();
  await expect(t.store.ping()).rejects.toMatchObject(UNAVAILABLE);
});
