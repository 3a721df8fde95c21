import { expect, test } from 'bun:test';
import { createKey } from '../../src/keys/key.ts';
import { dayOf } from '../../src/limits/windows.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import type { SummaryGroup, SummaryQuery } from '../../src/usage/usage-summary.ts';
import { pick, randomFrom } from '../support/random.ts';
import type { StoreUnderTest } from './store-under-test.ts';
import { usageRecord } from './temp-database.ts';

const NOON = Date.parse('2026-07-31T12:00:00Z');
const DAY_MS = 86_400_000;
const EVER = { firstDay: 0, lastDay: 1_000_000, rowsMax: 10_000 };

/** Usage added up by key, model, day, month and tag. */
export function summaryContract(t: StoreUnderTest): void {
  const at = (day: number, changes: Partial<UsageRecord>) =>
    usageRecord({ startedAt: NOON, admittedAt: NOON + day * DAY_MS, ...changes });
  const insert = (...records: UsageRecord[]) => t.store.insertUsage(records, new Map());
  const groups = async (groupBy: SummaryGroup[], query: Partial<SummaryQuery> = {}) =>
    (await t.store.usageSummary({ ...EVER, groupBy, ...query })).rows.map(({ group, requests }) => [
      ...group,
      requests,
    ]);

  test('rows have all counts, and so has the total; what was not admitted is in neither', async () => {
    await insert(
      at(0, { totalTokens: 100 }),
      at(0, { finish: 'error', cachedTokens: null }),
      at(0, { model: 'other', finish: 'upstream_interrupted', reasoningTokens: 1 }),
      at(0, { finish: 'error', status: 429, admittedAt: null }),
    );
    const other = {
      requests: 1,
      errors: 1,
      promptTokens: 10,
      cachedTokens: 4,
      completionTokens: 20,
      reasoningTokens: 1,
    };
    expect(await t.store.usageSummary({ ...EVER, groupBy: ['model'] })).toEqual({
      rows: [
        {
          group: ['gpt-4o-mini'],
          requests: 2,
          errors: 1,
          promptTokens: 20,
          cachedTokens: 4,
          completionTokens: 40,
          reasoningTokens: 16,
          totalTokens: 130,
        },
        { group: ['other'], ...other, totalTokens: 30 },
      ],
      total: {
        requests: 3,
        errors: 2,
        promptTokens: 30,
        cachedTokens: 8,
        completionTokens: 60,
        reasoningTokens: 17,
        totalTokens: 160,
      },
    });
  });

  test('by day and month newest first, by two names with one value for each', async () => {
    await insert(
      at(0, {}),
      at(0, { model: null, totalTokens: 1 }),
      at(1, {}),
      at(1, { keyId: 'key-2', totalTokens: 1_000 }),
      at(-400, {}),
    );
    expect(await groups(['day'])).toEqual([
      ['2026-08-01', 2],
      ['2026-07-31', 2],
      ['2025-06-26', 1],
    ]);
    expect(await groups(['month'])).toEqual([
      ['2026-08', 2],
      ['2026-07', 2],
      ['2025-06', 1],
    ]);
    expect(await groups(['key', 'month'])).toEqual([
      ['key-2', '2026-08', 1],
      ['key-1', '2026-08', 1],
      ['key-1', '2026-07', 2],
      ['key-1', '2025-06', 1],
    ]);
    expect(await groups(['model', 'key'], { keyId: 'key-1' })).toEqual([
      ['gpt-4o-mini', 'key-1', 3],
      [null, 'key-1', 1],
    ]);
    const day = dayOf(NOON);
    expect(await groups(['key'], { firstDay: day, lastDay: day })).toEqual([['key-1', 2]]);
    expect(await groups(['key'], { firstDay: day + 9 })).toEqual([]);
  });

  test('a tag has the value its key has; keys without it, and deleted ones, are the group null', async () => {
    const insertKey = async (tags: Record<string, string>) => {
      const { key } = createKey({ name: 'k', tags }, 1);
      await t.store.insertKey(key, key.id);
      return key.id;
    };
    const [a, b, c] = [
      await insertKey({ team: 'red', toString: 'x' }),
      await insertKey({ team: 'red' }),
      await insertKey({ other: 'blue' }),
    ];
    await insert(at(0, { keyId: a }), at(0, { keyId: b }), at(0, { keyId: c }), at(0, { keyId: 'deleted' }));
    expect((await groups(['tag:team'])).toSorted()).toEqual([
      [null, 2],
      ['red', 2],
    ]);
    expect(await groups(['tag:constructor'])).toEqual([[null, 4]]);
    await t.store.patchKey(c, { tags: { team: 'green' } }, 2);
    expect((await groups(['day', 'tag:team'])).toSorted()).toEqual([
      ['2026-07-31', null, 1],
      ['2026-07-31', 'green', 1],
      ['2026-07-31', 'red', 2],
    ]);
  });

  test('more rows than asked for are told by one more', async () => {
    await insert(...Array.from({ length: 30 }, (_, i) => at(i % 3, { keyId: `key-${i}` })));
    const { rows } = await t.store.usageSummary({ ...EVER, groupBy: ['key'], rowsMax: 5 });
    expect(rows.length).toBeGreaterThan(5);
    expect(await groups(['key'], { rowsMax: 30 })).toHaveLength(30);
  });

  test('any records in any grouping add up to what they add up to', async () => {
    const seed = Date.now() & 0xffffff;
    const random = randomFrom(seed);
    const records = Array.from({ length: 3_000 }, () =>
      at(random(500) - 400, {
        keyId: `key-${random(5)}`,
        model: pick(random, [null, 'a', 'b']),
        totalTokens: random(1_000),
        ...(random(10) === 0 ? { admittedAt: null } : {}),
      }),
    );
    for (let i = 0; i < records.length; i += 500) await insert(...records.slice(i, i + 500));
    const groupOf = (group: SummaryGroup, record: UsageRecord) => {
      const date = new Date(record.admittedAt!).toISOString();
      if (group === 'key') return record.keyId;
      if (group === 'model') return record.model;
      return group === 'day' ? date.slice(0, 10) : date.slice(0, 7);
    };
    const all: SummaryGroup[] = ['key', 'model', 'day', 'month'];
    for (const groupBy of [...all.map((one) => [one]), ...all.flatMap((a) => all.map((b) => [a, b]))]) {
      const firstDay = dayOf(NOON) - random(400);
      const lastDay = firstDay + random(300);
      const expected = new Map<string, number>();
      for (const record of records) {
        if (record.admittedAt === null) continue;
        if (dayOf(record.admittedAt) < firstDay || dayOf(record.admittedAt) > lastDay) continue;
        const id = JSON.stringify(groupBy.map((group) => groupOf(group, record)));
        expected.set(id, (expected.get(id) ?? 0) + record.totalTokens!);
      }
      const { rows, total } = await t.store.usageSummary({ ...EVER, groupBy, firstDay, lastDay });
      const found = new Map(rows.map(({ group, totalTokens }) => [JSON.stringify(group), totalTokens]));
      expect({ seed, groupBy, found }).toEqual({ seed, groupBy, found: expected });
      expect(total.totalTokens).toBe([...expected.values()].reduce((sum, tokens) => sum + tokens, 0));
    }
  });
}
