/** What migrations make of the rows that are there. */
import { expect, test } from 'bun:test';
import { SQL } from 'bun';
import { dayOf, monthOf } from '../../src/limits/windows.ts';
import { MIGRATIONS } from '../../src/store/migrations/list.ts';
import { openStore } from '../../src/store/open-store.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { insertAsOf } from './older-schema.ts';
import { rowsByModel } from './rows-by-model.ts';
import { tempDatabase, usageRecord } from './temp-database.ts';

const EVER = { first: 0, last: 1_000_000, limit: 100_000 };
const MIDNIGHT = Date.parse('2026-07-15T00:00:00Z');
const NOON = MIDNIGHT + 43_200_000;
const DAY = dayOf(MIDNIGHT);

const records = (...changes: Partial<UsageRecord>[]) => changes.map((change) => usageRecord(change));
const at = (changes: Partial<UsageRecord>) => usageRecord({ startedAt: NOON, admittedAt: NOON, ...changes });

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

test('days that were there before months were kept are added up into the right ones', async () => {
  using old = tempDatabase();
  const sql = new SQL({ adapter: 'sqlite', filename: old.path });
  await migrate(sql, MIGRATIONS.slice(0, 2));
  // Each first and last day of a month from 1970 to 2399: leap years, centuries and all.
  const days = Array.from({ length: 430 * 12 }, (_, month) => dayOf(Date.UTC(1970, month, 1))).flatMap((day) => [
    day,
    day - 1,
  ]);
  const rows = days.slice(2).map((day) => ({
    key_id: 'k',
    day,
    requests: 1,
    prompt_tokens: 2,
    completion_tokens: 3,
    total_tokens: 5,
    updated_at: day,
  }));
  for (let i = 0; i < rows.length; i += 1_000) await sql`INSERT INTO usage_days ${sql(rows.slice(i, i + 1_000))}`;
  await sql.close();
  const migrated = await openStore(old.url);
  const months = await migrated.recentUsageMonths({ keyId: 'k', ...EVER });
  const expected = new Map<number, number>();
  for (const { day } of rows)
    expected.set(monthOf(day * 86_400_000), (expected.get(monthOf(day * 86_400_000)) ?? 0) + 1);
  expect(months.map(({ month, requests }) => [month, requests])).toEqual([...expected].toSorted((a, b) => b[0] - a[0]));
  expect(months[5]).toMatchObject({ requests: 2, promptTokens: 4, completionTokens: 6, totalTokens: 10 });
  await migrated.close();
});

test('records of before the migration are added up by it, and read as sent once to the one target', async () => {
  using older = tempDatabase();
  const sql = new SQL({ adapter: 'sqlite', filename: older.path });
  await migrate(
    sql,
    MIGRATIONS.filter(({ version }) => version <= 3),
  );
  for (const record of [
    at({}),
    at({ finish: 'upstream_interrupted', totalTokens: null }),
    at({ finish: 'error', model: null, promptTokens: null, completionTokens: null, totalTokens: null }),
    at({ admittedAt: null, finish: 'error' }),
  ]) {
    await insertAsOf(sql, record);
  }
  await sql.close();
  const store = await openStore(older.url);
  expect(await rowsByModel(older.path)).toEqual([
    ['key-1', DAY, '', 1, 1, 0, 0, 0, 0, 0],
    ['key-1', DAY, 'gpt-4o-mini', 2, 1, 20, 0, 40, 0, 30],
  ]);
  const fields = { sentMs: null, headMs: null, cancelMs: null, errorCode: null, upstreamRequestId: null };
  expect(await store.recentUsage({ limit: 1 })).toMatchObject([
    { ...fields, target: 'fuelix', attempts: 1, cachedTokens: null, reasoningTokens: null },
  ]);
  await store.close();
});
