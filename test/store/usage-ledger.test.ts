/** Usage and keys are written on two connections: neither locks the other out, other processes lock out neither for good. */
import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { existsSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { StoreError } from '../../src/store/store-error.ts';
import { countByFinish } from './count-by-finish.ts';
import { storePerTest } from './store-per-test.ts';
import { usageRecord } from './temp-database.ts';

const NONE = new Map<string, number>();
const EVER = { first: 0, last: 1_000_000, limit: 100 };

const t = storePerTest();

async function insertNewKey() {
  const { key } = createKey({ name: 'k' }, 1);
  await t.store.insertKey(key, 'hash');
  return key;
}

const records = (count: number, keyId = 'key-1') => Array.from({ length: count }, () => usageRecord({ keyId }));

// With a busy timeout a write that met the lock of its own process would stand still for it.
for (const busyTimeoutMs of [0, 5_000]) {
  test(`keys and usage written at once by one process: all succeeds, nothing is lost (busy timeout ${busyTimeoutMs})`, async () => {
    const { id } = await insertNewKey();
    const both = await openStore(t.db.url, { busyTimeoutMs, lockWaitMs: 0 });
    const usage = async (first: number) => {
      for (let i = first; i < first + 100; i++) await both.insertUsage(records(3, id), new Map([[id, 1_000 + i]]));
    };
    const changes = async () => {
      for (let i = 0; i < 100; i++) {
        await both.patchKey(id, { name: `name ${i}` }, 10 + i);
        await both.rotateKey(id, { hash: `hash-${i}`, prefix: 'sk-bve-x' }, 0, 10 + i);
      }
    };
    // Going on from their own promises, they come between the statements of each other's transactions if they may.
    await Promise.all([usage(0), changes(), usage(100)]);
    expect(await countByFinish(both, id)).toEqual({ complete: 600 });
    expect(await both.recentUsageDays(EVER)).toMatchObject([{ keyId: id, requests: 600, totalTokens: 18_000 }]);
    expect(await both.getKey(id)).toMatchObject({ name: 'name 99', lastUsedAt: 1_199, updatedAt: 109 });
    expect((await both.findByHash('hash-99'))?.key.id).toBe(id);
    await both.close();
  });
}

test('processes that write usage at once, beside one that changes keys, lose nothing and count all once', async () => {
  const { id } = await insertNewKey();
  const script = join(import.meta.dir, 'write-usage.ts');
  const children = Array.from({ length: 2 }, () =>
    Bun.spawn([process.execPath, script, t.db.url, id, '1000'], { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' }),
  );
  const readers = children.map((child) => child.stdout.getReader());
  const said = async (i: number) => new TextDecoder().decode((await readers[i]!.read()).value);
  for (const i of children.keys()) expect(await said(i)).toBe('ready\n');
  for (const child of children) child.stdin.end();
  let running = children.length;
  const ends = children.map(async (child, i) => {
    expect(await said(i)).toBe('lost 0\n');
    expect(await child.exited).toBe(0);
    running--;
  });
  for (let i = 0; running > 0; i++) {
    await t.store.patchKey(id, { name: `name ${i}` }, 10 + i);
    await Bun.sleep(1);
  }
  await Promise.all(ends);
  expect(await countByFinish(t.store, id)).toEqual({ complete: 2_000 });
  expect(await t.store.recentUsageDays(EVER)).toMatchObject([{ requests: 2_000, totalTokens: 60_000 }]);
  expect(await t.store.recentUsageMonths(EVER)).toMatchObject([{ requests: 2_000, totalTokens: 60_000 }]);
  expect((await t.store.getKey(id))?.lastUsedAt).toBe(1_999);
});

test('while another process holds the lock, usage is refused as busy, and written by the same call afterwards', async () => {
  const batch = records(3);
  using other = new Database(t.db.path);
  // As the first write, which opens the connection, and as a later one.
  for (const expected of [3, 6]) {
    other.run('BEGIN IMMEDIATE');
    for (let i = 0; i < 3; i++) {
      await expect(t.store.insertUsage(batch, NONE)).rejects.toMatchObject({ name: 'StoreError', kind: 'busy' });
    }
    other.run('ROLLBACK');
    await t.store.insertUsage(batch, NONE);
    batch.push(...records(3));
    expect(await t.store.recentUsageDays(EVER)).toMatchObject([{ requests: expected }]);
  }
});

test('a record that is in a batch twice is written and counted once', async () => {
  const [record, other] = records(2);
  await t.store.insertUsage([record!, other!, record!], NONE);
  expect(await t.store.recentUsage({ limit: 9 })).toHaveLength(2);
  expect(await t.store.recentUsageDays(EVER)).toMatchObject([{ requests: 2, totalTokens: 60 }]);
  expect(await t.store.recentUsageMonths(EVER)).toMatchObject([{ requests: 2, totalTokens: 60 }]);
});

test('after a batch with a record the database refuses, nothing is left of it and others are written', async () => {
  const { id } = await insertNewKey();
  const broken = usageRecord({ durationMs: Number.NaN });
  const error = await t.store.insertUsage([...records(5, id), broken], new Map([[id, 9]])).catch((e: unknown) => e);
  expect(error).toMatchObject({ name: 'StoreError', kind: 'rejected' });
  expect((error as StoreError).message).toContain('cannot write usage');
  // The lock is free too.
  expect((await t.store.patchKey(id, { name: 'changed' }, 2)).kind).toBe('changed');
  expect(await t.store.recentUsageDays(EVER)).toEqual([]);
  await t.store.insertUsage(records(2, id), NONE);
  expect(await t.store.recentUsageDays(EVER)).toMatchObject([{ requests: 2 }]);
});

test('counts and times are integers in the file, flags 0 or 1', async () => {
  await t.store.insertUsage(
    [usageRecord({ bytesOut: 2 ** 53, totalTokens: 2 ** 53, sentMs: 0.2, headMs: 0.6, ttfbMs: 0.7, cancelMs: 0.4 })],
    NONE,
  );
  // What is pending is brought into the tables by whoever reads them.
  await t.store.recentUsageDays(EVER);
  using other = new Database(t.db.path);
  const types = (table: string, columns: string[]) =>
    other.query(`SELECT ${columns.map((column) => `typeof(${column})`).join(', ')} FROM ${table}`).values();
  const integers = (count: number) => [Array.from({ length: count }, () => 'integer')];
  const times = ['started_at', 'admitted_at', 'sent_ms', 'head_ms', 'ttfb_ms', 'duration_ms', 'cancel_ms'];
  const columns = ['status', 'streamed', 'attempts', 'bytes_out', ...times];
  expect(types('usage_records', columns)).toEqual(integers(columns.length));
  const sums = ['requests', 'prompt_tokens', 'completion_tokens', 'total_tokens', 'updated_at'];
  expect(types('usage_days', ['day', ...sums])).toEqual(integers(6));
  expect(types('usage_months', ['month', ...sums])).toEqual(integers(6));
  const more = ['errors', 'cached_tokens', 'reasoning_tokens'];
  expect(types('usage_by_model', ['day', ...sums.slice(0, -1), ...more])).toEqual(integers(8));
  expect(other.query('SELECT streamed, total_tokens FROM usage_records').values()).toEqual([[1, 2 ** 53]]);
});

test.skipIf(process.platform !== 'linux')(
  'its connection is opened by the first write and closed with the store',
  async () => {
    const opened = () =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`) === t.db.path;
        } catch {
          return false;
        }
      }).length;
    const before = opened();
    await t.store.insertUsage([], NONE);
    expect(opened()).toBe(before + 1);
    await t.store.insertUsage([], NONE);
    expect(opened()).toBe(before + 1);
    await t.store.close();
    expect(opened()).toBe(0);
  },
);

test('a store that is closed finishes the writes under way, and takes no more', async () => {
  const { id } = await insertNewKey();
  const change = t.store.patchKey(id, { name: 'last' }, 2);
  const write = t.store.insertUsage(records(2), NONE);
  await t.store.close();
  expect((await change).kind).toBe('changed');
  await write;
  await expect(t.store.insertUsage(records(1), NONE)).rejects.toMatchObject({
    name: 'StoreError',
    kind: 'unavailable',
  });
  await t.reopen();
  expect(await t.store.recentUsage({ limit: 9 })).toHaveLength(2);
});

test('a database file that is gone is not made anew by a write', async () => {
  for (const end of ['', '-wal', '-shm']) rmSync(t.db.path + end, { force: true });
  const error = await t.store.insertUsage(records(1), NONE).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StoreError);
  expect((error as StoreError).kind).toBe('unavailable');
  expect(existsSync(t.db.path)).toBe(false);
});
