/** Days and months follow the records exactly, whatever becomes of the writing. */
import { expect, test } from 'bun:test';
import { SQL } from 'bun';
import { dayOf, monthOf } from '../../src/limits/windows.ts';
import { MIGRATIONS } from '../../src/store/migrations/list.ts';
import { openStore } from '../../src/store/open-store.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { pick, randomFrom } from '../support/random.ts';
import { storePerTest } from './store-per-test.ts';
import { tempDatabase, usageRecord } from './temp-database.ts';

const NONE = new Map<string, number>();
const EVER = { first: 0, last: 1_000_000, limit: 100_000 };

const t = storePerTest();

function recordAt(time: string, changes: Parameters<typeof usageRecord>[0] = {}): UsageRecord {
  const admittedAt = Date.parse(time);
  return usageRecord({ startedAt: admittedAt, admittedAt, ...changes });
}

test('a request counts in the UTC day and month of its admission, with its tokens', async () => {
  const records = [
    recordAt('2024-02-29T23:59:59.999Z', { durationMs: 60_000 }),
    recordAt('2024-03-01T00:00:00.000Z', { promptTokens: 0, completionTokens: 0, totalTokens: 0 }),
    recordAt('2024-03-01T00:00:00.001Z', { promptTokens: null, completionTokens: null, totalTokens: null }),
    recordAt('2024-03-01T00:00:00.000Z', { admittedAt: null }),
    recordAt('2024-03-01T12:00:00.000Z', { keyId: 'key-2', totalTokens: 999 }),
  ];
  await t.store.insertUsage(records, NONE);
  const tokens = { promptTokens: 10, completionTokens: 20, totalTokens: 30 };
  const none = { promptTokens: 0, completionTokens: 0, totalTokens: 0 };
  const march = Date.parse('2024-03-01T00:00:00Z');
  expect(await t.store.recentUsageDays({ keyId: 'key-1', ...EVER })).toEqual([
    { keyId: 'key-1', day: dayOf(march), requests: 2, ...none, updatedAt: march + 1 + 345 },
    { keyId: 'key-1', day: dayOf(march) - 1, requests: 1, ...tokens, updatedAt: march - 1 + 60_000 },
  ]);
  expect(await t.store.recentUsageMonths(EVER)).toMatchObject([
    { keyId: 'key-1', month: monthOf(march), requests: 2, ...none },
    { keyId: 'key-2', month: monthOf(march), requests: 1, totalTokens: 999 },
    { keyId: 'key-1', month: monthOf(march) - 1, requests: 1, ...tokens },
  ]);
});

test('records that are written again, beside new ones, are not counted again', async () => {
  const records = Array.from({ length: 9 }, () => recordAt('2024-05-05T05:05:05Z'));
  await t.store.insertUsage(records.slice(0, 4), NONE);
  await t.store.insertUsage(records.slice(2, 7), NONE);
  await t.store.insertUsage(records, NONE);
  await t.store.insertUsage(records, NONE);
  expect(await t.store.recentUsageDays(EVER)).toMatchObject([{ requests: 9, totalTokens: 270 }]);
  expect(await t.store.recentUsageMonths(EVER)).toMatchObject([{ requests: 9, totalTokens: 270 }]);
});

test('a batch that fails counts nothing', async () => {
  const broken = recordAt('2024-05-05T05:05:05Z', { durationMs: Number.NaN });
  await t.store.insertUsage([recordAt('2024-05-05T05:05:05Z'), broken], NONE).catch(() => {});
  expect(await t.store.recentUsageDays(EVER)).toEqual([]);
  expect(await t.store.recentUsageMonths(EVER)).toEqual([]);
});

test('deleting old records leaves days and months as they are', async () => {
  await t.store.insertUsage([recordAt('2024-05-05T05:05:05Z')], NONE);
  const before = [await t.store.recentUsageDays(EVER), await t.store.recentUsageMonths(EVER)];
  expect(await t.store.deleteUsageBefore(Date.now() + 1000, 500)).toBe(1);
  expect([await t.store.recentUsageDays(EVER), await t.store.recentUsageMonths(EVER)]).toEqual(before);
});

test('any records, in any batches, with repetitions: the sums are those of the records', async () => {
  const seed = Date.now() & 0xffffff;
  const random = randomFrom(seed);
  const records = Array.from({ length: 2_000 }, () =>
    recordAt(new Date(Date.UTC(1970 + random(130), random(12), 1 + random(31), random(24))).toISOString(), {
      keyId: `key-${random(3)}`,
      promptTokens: pick(random, [null, 0, random(1_000)]),
      totalTokens: pick(random, [null, 0, random(1_000)]),
      ...(random(10) === 0 ? { admittedAt: null } : {}),
    }),
  );
  for (let i = 0; i < 40; i++) {
    const start = random(records.length);
    await t.store.insertUsage(records.slice(start, start + 1 + random(300)), NONE);
  }
  for (let i = 0; i < records.length; i += 500) await t.store.insertUsage(records.slice(i, i + 500), NONE);
  for (const [rows, periodOf] of [
    [(await t.store.recentUsageDays(EVER)).map(({ day, ...row }) => ({ period: day, ...row })), dayOf],
    [(await t.store.recentUsageMonths(EVER)).map(({ month, ...row }) => ({ period: month, ...row })), monthOf],
  ] as const) {
    const expected = new Map<string, number[]>();
    for (const { keyId, admittedAt, promptTokens, totalTokens } of records) {
      if (admittedAt === null) continue;
      const id = `${keyId} ${periodOf(admittedAt)}`;
      const [requests, prompt, total] = expected.get(id) ?? [0, 0, 0];
      expected.set(id, [requests! + 1, prompt! + (promptTokens ?? 0), total! + (totalTokens ?? 0)]);
    }
    const found = new Map(
      rows.map((row) => [`${row.keyId} ${row.period}`, [row.requests, row.promptTokens, row.totalTokens]]),
    );
    expect({ seed, rows: found }).toEqual({ seed, rows: expected });
  }
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
