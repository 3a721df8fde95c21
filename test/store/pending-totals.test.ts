/** Totals that wait to be brought into their tables are there for everybody, once, whatever becomes of who wrote them. */
import { Database } from 'bun:sqlite';
import { expect, test } from 'bun:test';
import { createKey } from '../../src/keys/key.ts';
import { dayOf } from '../../src/limits/windows.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { pick, randomFrom } from '../support/random.ts';
import { storePerTest } from './store-per-test.ts';
import { usageRecord } from './temp-database.ts';

const NONE = new Map<string, number>();
const EVER = { first: 0, last: 1_000_000, limit: 100_000 };
const NOON = Date.parse('2026-07-15T12:00:00Z');
const DAY = dayOf(NOON);

const t = storePerTest();

const records = (count: number, changes: Partial<UsageRecord> = {}) =>
  Array.from({ length: count }, () => usageRecord({ startedAt: NOON, admittedAt: NOON, ...changes }));
const requestsOf = async (store: Store, keyId: string) =>
  (await store.usageDays(keyId, 0, 1_000_000)).reduce((sum, { requests }) => sum + requests, 0);

function pendingRows(): number {
  using database = new Database(t.db.path, { readonly: true });
  return database.query<{ rows: number }, []>('SELECT COUNT(*) AS rows FROM usage_pending').get()!.rows;
}

test('they are in the days of a key at once, in this process and in others, and in no table yet', async () => {
  await t.store.insertUsage(records(3, { keyId: 'a' }), NONE);
  await t.store.insertUsage(records(2, { keyId: 'a', admittedAt: NOON + 86_400_000 }), NONE);
  expect(pendingRows()).toBe(2);
  const other = await openStore(t.db.url);
  for (const store of [t.store, other]) {
    expect(await store.usageDays('a', DAY, DAY + 1)).toMatchObject([
      { keyId: 'a', day: DAY, requests: 3, promptTokens: 30, totalTokens: 90 },
      { keyId: 'a', day: DAY + 1, requests: 2 },
    ]);
    expect(await store.usageDays('a', DAY, DAY)).toHaveLength(1);
    expect(await store.usageDays('b', DAY, DAY)).toEqual([]);
  }
  expect(pendingRows()).toBe(2);
  await other.close();
});

test('who reads all days brings them in; who had written them counts them no more', async () => {
  await t.store.insertUsage(records(3, { keyId: 'a' }), NONE);
  const other = await openStore(t.db.url);
  expect(await other.recentUsageDays(EVER)).toMatchObject([{ keyId: 'a', requests: 3 }]);
  expect(pendingRows()).toBe(0);
  expect(await requestsOf(t.store, 'a')).toBe(3);
  await t.store.insertUsage(records(1, { keyId: 'a' }), NONE);
  expect(await t.store.recentUsageDays(EVER)).toMatchObject([{ keyId: 'a', requests: 4 }]);
  expect(await other.recentUsageMonths(EVER)).toMatchObject([{ keyId: 'a', requests: 4 }]);
  await other.close();
});

test('closing brings them in, and the last use of keys with them', async () => {
  const { key } = createKey({ name: 'k' }, 1);
  await t.store.insertKey(key, 'hash');
  await t.store.insertUsage(records(5, { keyId: key.id }), new Map([[key.id, 77]]));
  expect((await t.store.getKey(key.id))?.lastUsedAt).toBe(77);
  await t.store.insertUsage(records(5, { keyId: key.id }), new Map([[key.id, 99]]));
  await t.store.close();
  expect(pendingRows()).toBe(0);
  await t.reopen();
  expect((await t.store.getKey(key.id))?.lastUsedAt).toBe(99);
});

test('many keys are brought in some at a time, each once', async () => {
  const many = Array.from({ length: 1_700 }, (_, i) => records(1, { keyId: `key-${i}` })[0]!);
  for (let i = 0; i < many.length; i += 250) await t.store.insertUsage(many.slice(i, i + 250), NONE);
  const days = await t.store.recentUsageDays(EVER);
  expect(days).toHaveLength(1_700);
  expect(days.every(({ requests }) => requests === 1)).toBe(true);
});

test('two writers, readers, writes that fail and processes that vanish: every record is counted once', async () => {
  const seed = Date.now() & 0xffffff;
  const random = randomFrom(seed);
  const expected = new Map<string, number>();
  const vanished: Store[] = [];
  let stores = [t.store, await openStore(t.db.url)];
  for (let i = 0; i < 400; i++) {
    const store = pick(random, stores);
    const keyId = `key-${random(20)}`;
    const kind = random(20);
    if (kind < 12) {
      const batch = Array.from({ length: 1 + random(30) }, () => records(1, { keyId: `key-${random(20)}` })[0]!);
      if (random(6) === 0) {
        const broken = [...batch, usageRecord({ durationMs: Number.NaN })];
        await expect(store.insertUsage(broken, NONE)).rejects.toMatchObject({ kind: 'rejected' });
      }
      await store.insertUsage(batch, NONE);
      if (random(4) === 0) await pick(random, stores).insertUsage(batch, NONE);
      for (const record of batch) expected.set(record.keyId, (expected.get(record.keyId) ?? 0) + 1);
    } else if (kind < 17) {
      expect({ seed, i, used: await requestsOf(store, keyId) }).toEqual({ seed, i, used: expected.get(keyId) ?? 0 });
    } else if (kind < 19) {
      const days = await store.recentUsageDays(EVER);
      const found = new Map(days.map((day) => [day.keyId, day.requests]));
      expect({ seed, i, found }).toEqual({ seed, i, found: expected });
    } else {
      // As a process that is killed: nothing of it is brought in by itself.
      vanished.push(stores[1]!);
      stores = [t.store, await openStore(t.db.url)];
    }
  }
  for (const store of [...vanished, stores[1]!]) await store.close();
  const months = await t.store.recentUsageMonths(EVER);
  expect(new Map(months.map((month) => [month.keyId, month.requests]))).toEqual(expected);
});

test('while they cannot be brought in they are in every report all the same', async () => {
  await t.store.insertUsage(
    [...records(2, { keyId: 'a' }), ...records(1, { keyId: 'b', admittedAt: NOON - 86_400_000 })],
    NONE,
  );
  await t.store.recentUsageDays(EVER);
  await t.store.insertUsage(records(3, { keyId: 'a' }), NONE);
  await t.store.insertUsage(records(1, { keyId: 'c', model: null, finish: 'error' }), NONE);
  using other = new Database(t.db.path);
  other.run('BEGIN IMMEDIATE');
  const numbers = async () => ({
    days: (await t.store.recentUsageDays(EVER)).map(({ keyId, day, requests }) => [day - DAY, keyId, requests]),
    oneDay: (await t.store.recentUsageDays({ ...EVER, keyId: 'a', limit: 1 })).map(({ requests }) => requests),
    limited: (await t.store.recentUsageDays({ ...EVER, limit: 2 })).map(({ keyId }) => keyId),
    months: (await t.store.recentUsageMonths(EVER)).map(({ keyId, requests }) => [keyId, requests]),
    summary: (await t.store.usageSummary({ groupBy: ['model'], firstDay: DAY, lastDay: DAY, rowsMax: 9 })).rows.map(
      ({ group, requests, errors }) => [...group, requests, errors],
    ),
    ofKey: await requestsOf(t.store, 'a'),
  });
  const expected = {
    days: [
      [0, 'a', 5],
      [0, 'c', 1],
      [-1, 'b', 1],
    ],
    oneDay: [5],
    limited: ['a', 'c'],
    months: [
      ['a', 5],
      ['b', 1],
      ['c', 1],
    ],
    summary: [
      ['gpt-4o-mini', 5, 0],
      [null, 1, 1],
    ],
    ofKey: 5,
  };
  expect(await numbers()).toEqual(expected);
  other.run('ROLLBACK');
  expect(await numbers()).toEqual(expected);
  expect(pendingRows()).toBe(0);
});
