/** What each key used of each model on each day follows the records exactly. */
import { expect, test } from 'bun:test';
import { dayOf } from '../../src/limits/windows.ts';
import type { Finish, UsageRecord } from '../../src/usage/usage-record.ts';
import { pick, randomFrom } from '../support/random.ts';
import { rowsByModel } from './rows-by-model.ts';
import { storePerTest } from './store-per-test.ts';
import { usageRecord } from './temp-database.ts';

const NONE = new Map<string, number>();
const NOON = Date.parse('2026-07-15T12:00:00Z');
const DAY = dayOf(NOON);
const t = storePerTest();

const at = (changes: Partial<UsageRecord>) => usageRecord({ startedAt: NOON, admittedAt: NOON, ...changes });

test('admitted requests are added up by key, day and model; errors are those that failed or were broken off', async () => {
  await t.store.insertUsage(
    [
      at({}),
      at({ finish: 'error', status: 500, promptTokens: null, cachedTokens: null, totalTokens: 20 }),
      at({ finish: 'upstream_interrupted' }),
      at({ finish: 'client_closed' }),
      at({ model: 'other', reasoningTokens: null }),
      at({ model: null }),
      at({ admittedAt: NOON + 86_400_000 }),
      at({ admittedAt: null, finish: 'error', status: 429 }),
      at({ keyId: 'key-2' }),
    ],
    NONE,
  );
  const one = [1, 0, 10, 4, 20, 8, 30];
  expect(await rowsByModel(t.db.path)).toEqual([
    ['key-1', DAY, '', ...one],
    ['key-1', DAY, 'gpt-4o-mini', 4, 2, 30, 12, 80, 32, 110],
    ['key-1', DAY, 'other', 1, 0, 10, 4, 20, 0, 30],
    ['key-1', DAY + 1, 'gpt-4o-mini', ...one],
    ['key-2', DAY, 'gpt-4o-mini', ...one],
  ]);
});

test('any records, in any batches, with repetitions: the sums are those of the records', async () => {
  const seed = Date.now() & 0xffffff;
  const random = randomFrom(seed);
  const finishes: readonly Finish[] = ['complete', 'client_closed', 'upstream_interrupted', 'error'];
  const records = Array.from({ length: 2_000 }, () =>
    at({
      keyId: `key-${random(3)}`,
      model: pick(random, [null, 'a', 'b', 'c']),
      finish: pick(random, finishes),
      admittedAt: random(10) === 0 ? null : NOON + random(4) * 86_400_000,
      cachedTokens: pick(random, [null, 0, random(1_000)]),
      reasoningTokens: pick(random, [null, 0, random(1_000)]),
    }),
  );
  for (let i = 0; i < 40; i++) {
    const start = random(records.length);
    await t.store.insertUsage(records.slice(start, start + 1 + random(300)), NONE);
  }
  for (let i = 0; i < records.length; i += 500) await t.store.insertUsage(records.slice(i, i + 500), NONE);
  const expected = new Map<string, number[]>();
  for (const record of records) {
    if (record.admittedAt === null) continue;
    const id = `${record.keyId} ${dayOf(record.admittedAt)} ${record.model ?? ''}`;
    const sums = expected.get(id) ?? [0, 0, 0, 0, 0, 0, 0];
    const isError = record.finish === 'error' || record.finish === 'upstream_interrupted';
    const more = [1, isError ? 1 : 0, 10, record.cachedTokens ?? 0, 20, record.reasoningTokens ?? 0, 30];
    expected.set(
      id,
      sums.map((sum, i) => sum + more[i]!),
    );
  }
  const found = new Map(
    (await rowsByModel(t.db.path)).map(([key, day, model, ...sums]) => [`${key} ${day} ${model}`, sums]),
  );
  expect({ seed, rows: found as Map<string, unknown> }).toEqual({ seed, rows: expected });
});
