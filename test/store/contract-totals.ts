import { expect, test } from 'bun:test';
import { dayOf, monthOf } from '../../src/limits/windows.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { pick, randomFrom } from '../support/random.ts';
import type { StoreUnderTest } from './store-under-test.ts';
import { usageRecord } from './temp-database.ts';

const NONE = new Map<string, number>();
const EVER = { first: 0, last: 1_000_000, limit: 100_000 };
const MIDNIGHT = Date.parse('2026-07-15T00:00:00Z');
const DAY = dayOf(MIDNIGHT);

const recordsOf = (...changes: Partial<UsageRecord>[]) => changes.map((change) => usageRecord(change));

function recordAt(time: string, changes: Partial<UsageRecord> = {}): UsageRecord {
  const admittedAt = Date.parse(time);
  return usageRecord({ startedAt: admittedAt, admittedAt, ...changes });
}

/** Days and months follow the records exactly, whatever becomes of the writing. */
export function totalsContract(t: StoreUnderTest): void {
  test('records are counted by key and by the UTC day of their admission, together with them', async () => {
    await t.store.insertUsage(
      recordsOf(
        { admittedAt: MIDNIGHT - 1, startedAt: MIDNIGHT - 2 },
        { admittedAt: MIDNIGHT, startedAt: MIDNIGHT - 2, durationMs: 10 },
        { admittedAt: MIDNIGHT + 5, startedAt: MIDNIGHT, durationMs: 1, totalTokens: 35 },
        { keyId: 'key-2', admittedAt: MIDNIGHT, promptTokens: null, completionTokens: null, totalTokens: null },
      ),
      NONE,
    );
    await t.store.insertUsage(recordsOf({ admittedAt: MIDNIGHT + 6, startedAt: MIDNIGHT + 6, durationMs: 20 }), NONE);
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
    expect(await t.store.usageDays('key-2', DAY, DAY)).toMatchObject([
      { requests: 1, promptTokens: 0, totalTokens: 0 },
    ]);
    expect(await t.store.usageDays('key-1', DAY + 1, DAY + 30)).toEqual([]);
  });

  test('what was refused before it was admitted is recorded and not counted', async () => {
    await t.store.insertUsage(recordsOf({ admittedAt: null, status: 429 }), NONE);
    expect(await t.store.recentUsage({ limit: 1 })).toMatchObject([{ admittedAt: null, status: 429 }]);
    expect(await t.store.usageDays('key-1', 0, 100_000)).toEqual([]);
  });

  test('a batch that is written twice, or in part twice, is counted once', async () => {
    const batch = recordsOf({ admittedAt: MIDNIGHT }, { admittedAt: MIDNIGHT }, { admittedAt: MIDNIGHT + 1 });
    await t.store.insertUsage(batch.slice(0, 2), NONE);
    await t.store.insertUsage(batch, NONE);
    await t.store.insertUsage(batch, NONE);
    expect(await t.store.usageDays('key-1', DAY, DAY)).toMatchObject([{ requests: 3, totalTokens: 90 }]);
  });

  test('a batch that fails counts nothing', async () => {
    const broken = recordsOf({ admittedAt: MIDNIGHT }, { admittedAt: MIDNIGHT, durationMs: Number.NaN });
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

  test('a batch that fails counts nothing by day and month', async () => {
    const broken = recordAt('2024-05-05T05:05:05Z', { durationMs: Number.NaN });
    await t.store.insertUsage([recordAt('2024-05-05T05:05:05Z'), broken], NONE).catch(() => {});
    expect(await t.store.recentUsageDays(EVER)).toEqual([]);
    expect(await t.store.recentUsageMonths(EVER)).toEqual([]);
  });
}
