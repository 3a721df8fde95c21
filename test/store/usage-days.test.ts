import { expect, test } from 'bun:test';
import { SQL } from 'bun';
import { dayOf } from '../../src/limits/windows.ts';
import { MIGRATIONS } from '../../src/store/migrations/list.ts';
import { openStore } from '../../src/store/open-store.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { insertAsOf } from './older-schema.ts';
import { storePerTest } from './store-per-test.ts';
import { tempDatabase, usageRecord } from './temp-database.ts';

const NONE = new Map<string, number>();
const MIDNIGHT = Date.parse('2026-07-15T00:00:00Z');
const DAY = dayOf(MIDNIGHT);

const t = storePerTest();

const records = (...changes: Partial<UsageRecord>[]) => changes.map((change) => usageRecord(change));

test('records are counted by key and by the UTC day of their admission, together with them', async () => {
  await t.store.insertUsage(
    records(
      { admittedAt: MIDNIGHT - 1, startedAt: MIDNIGHT - 2 },
      { admittedAt: MIDNIGHT, startedAt: MIDNIGHT - 2, durationMs: 10 },
      { admittedAt: MIDNIGHT + 5, startedAt: MIDNIGHT, durationMs: 1, totalTokens: 35 },
      { keyId: 'key-2', admittedAt: MIDNIGHT, promptTokens: null, completionTokens: null, totalTokens: null },
    ),
    NONE,
  );
  await t.store.insertUsage(records({ admittedAt: MIDNIGHT + 6, startedAt: MIDNIGHT + 6, durationMs: 20 }), NONE);
  expect(await t.store.usageDays('key-1', DAY - 1, DAY)).toEqual([
    {
      keyId: 'key-1',
      day: DAY - 1,
      requests: 1,
      promptTokens: 10,
      completionTokens: 20,
      totalTokens: 30,
      updatedAt: MIDNIGHT + 343,
    },
    {
      keyId: 'key-1',
      day: DAY,
      requests: 3,
      promptTokens: 30,
      completionTokens: 60,
      totalTokens: 95,
      updatedAt: MIDNIGHT + 26,
    },
  ]);
  expect(await t.store.usageDays('key-2', DAY, DAY)).toMatchObject([{ requests: 1, promptTokens: 0, totalTokens: 0 }]);
  expect(await t.store.usageDays('key-1', DAY + 1, DAY + 30)).toEqual([]);
});

test('what was refused before it was admitted is recorded and not counted', async () => {
  await t.store.insertUsage(records({ admittedAt: null, status: 429 }), NONE);
  expect(await t.store.recentUsage({ limit: 1 })).toMatchObject([{ admittedAt: null, status: 429 }]);
  expect(await t.store.usageDays('key-1', 0, 100_000)).toEqual([]);
});

test('a batch that is written twice, or in part twice, is counted once', async () => {
  const batch = records({ admittedAt: MIDNIGHT }, { admittedAt: MIDNIGHT }, { admittedAt: MIDNIGHT + 1 });
  await t.store.insertUsage(batch.slice(0, 2), NONE);
  await t.store.insertUsage(batch, NONE);
  await t.store.insertUsage(batch, NONE);
  expect(await t.store.usageDays('key-1', DAY, DAY)).toMatchObject([{ requests: 3, totalTokens: 90 }]);
});

test('a batch that fails counts nothing', async () => {
  const broken = records({ admittedAt: MIDNIGHT }, { admittedAt: MIDNIGHT, durationMs: Number.NaN });
  await expect(t.store.insertUsage(broken, NONE)).rejects.toThrow();
  expect(await t.store.usageDays('key-1', DAY, DAY)).toEqual([]);
});

test('days outlive the records they came from', async () => {
  const old = { ...usageRecord({ admittedAt: MIDNIGHT }), id: Bun.randomUUIDv7('hex', 1_000) };
  await t.store.insertUsage([old], NONE);
  await t.store.deleteUsageBefore(2_000, 500);
  expect(await t.store.recentUsage({ limit: 1 })).toEqual([]);
  expect(await t.store.usageDays('key-1', DAY, DAY)).toMatchObject([{ requests: 1 }]);
});

test('a database of before has its records counted when it is migrated', async () => {
  using older = tempDatabase();
  const sql = new SQL({ adapter: 'sqlite', filename: older.path });
  await migrate(sql, MIGRATIONS.slice(0, 1));
  for (const record of records(
    { startedAt: MIDNIGHT - 1 },
    { startedAt: MIDNIGHT },
    { startedAt: MIDNIGHT, totalTokens: null },
  )) {
    await insertAsOf(sql, record);
  }
  await sql.close();
  const migrated = await openStore(older.url);
  const days = await migrated.usageDays('key-1', DAY - 1, DAY);
  expect(days.map(({ day, requests, totalTokens }) => [day, requests, totalTokens])).toEqual([
    [DAY - 1, 1, 30],
    [DAY, 2, 30],
  ]);
  expect(
    (await migrated.recentUsage({ limit: 9 })).every(({ admittedAt, startedAt }) => admittedAt === startedAt),
  ).toBe(true);
  await migrated.close();
});
