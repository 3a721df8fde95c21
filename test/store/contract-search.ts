import { expect, test } from 'bun:test';
import type { RecordsQuery } from '../../src/store/store.ts';
import { type Finish, firstIdOf, type UsageRecord } from '../../src/usage/usage-record.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';
import type { StoreUnderTest } from './store-under-test.ts';
import { usageRecord } from './temp-database.ts';

const FINISHES: readonly Finish[] = ['complete', 'client_closed', 'upstream_interrupted', 'error'];
const START_MS = Date.parse('2026-01-01T00:00:00Z');

/** Finding records by any of their fields. */
export function searchContract(t: StoreUnderTest): void {
  const insert = async (records: readonly UsageRecord[], batchRows = 250) => {
    for (let i = 0; i < records.length; i += batchRows) {
      await t.store.insertUsage(records.slice(i, i + batchRows), new Map());
    }
  };
  /** Ids in the order of time, so many milliseconds apart. */
  const records = (count: number, of: (i: number) => Partial<UsageRecord>, stepMs = 5) =>
    Array.from({ length: count }, (_, i) =>
      usageRecord({ id: Bun.randomUUIDv7('hex', START_MS + i * stepMs), ...of(i) }),
    );
  const idsOf = (found: readonly UsageRecord[]) => found.map(({ id }) => id);

  test('each field finds what has it, newest first, all together what has all', async () => {
    const all = records(12, (i) => ({ requestId: `request-${i}` }));
    const changes: Partial<UsageRecord>[] = [
      { keyId: 'key-2' },
      { model: 'other' },
      { model: null },
      { endpoint: '/v1/messages' },
      { finish: 'error', status: 500 },
      { finish: 'upstream_interrupted' },
      { status: 429, finish: 'error' },
      { durationMs: 9_000 },
    ];
    const found = all.map((record, i) => ({ ...record, ...changes[i] }));
    await insert(found);
    const search = (query: Omit<RecordsQuery, 'limit'>) => t.store.recentUsage({ limit: 100, ...query });
    const at = (...indexes: number[]) => indexes.map((i) => found[i]!);
    expect(await search({ keyId: 'key-2' })).toEqual(at(0));
    expect(await search({ requestId: 'request-9' })).toEqual(at(9));
    expect(await search({ requestId: 'request-9', keyId: 'key-2' })).toEqual([]);
    expect(await search({ model: 'other' })).toEqual(at(1));
    expect(await search({ endpoint: '/v1/messages' })).toEqual(at(3));
    expect(await search({ finish: 'error' })).toEqual(at(6, 4));
    expect(await search({ finish: 'error', status: 500 })).toEqual(at(4));
    expect(await search({ finish: 'complete', minDurationMs: 9_000 })).toEqual(at(7));
    expect(await search({ minDurationMs: 9_001 })).toEqual([]);
    expect(await search({ status: 429, before: found[6]!.id })).toEqual([]);
    expect(await search({})).toEqual(found.toReversed());
    expect(await search({ keyId: "' OR 1=1 --" })).toEqual([]);
  });

  test('any search among thousands of records, some of which came late, finds what a look at all of them finds', async () => {
    const seed = Date.now() & 0xffffff;
    const random = randomFrom(seed);
    const all = records(
      5_000,
      (i) => ({
        requestId: `request-${random(3_000)}`,
        // The last is of the first records only, and the one before it of the last.
        keyId: i < 40 ? 'rare-old' : i > 4_980 ? 'rare-new' : `key-${random(4)}`,
        model: pick(random, [null, 'a', 'b', 'c']),
        endpoint: pick(random, ['/v1/chat/completions', '/v1/messages']),
        finish: random(50) === 0 ? pick(random, FINISHES) : 'complete',
        status: pick(random, [200, 200, 200, 404, 500]),
        durationMs: random(10_000),
      }),
      random(2) + 1,
    );
    // Written by two at once, a part late, a part twice.
    const late = all.filter(() => random(20) === 0);
    const other = all.filter((record) => !late.includes(record) && random(2) === 0);
    const rest = all.filter((record) => !late.includes(record) && !other.includes(record));
    await Promise.all([insert(rest, 97), insert(other, 113)]);
    await insert(late, 31);
    await insert(rest.slice(100, 400));
    for (let i = 0; i < 60; i++) {
      const query = randomQuery(random, all);
      expect({ seed, query, ids: idsOf(await t.store.recentUsage(query)) }).toEqual({
        seed,
        query,
        ids: naive(all, query),
      });
    }
  });

  test('page by page, all records of a key come once', async () => {
    const all = records(3_000, (i) => ({ keyId: `key-${i % 7}` }), 1);
    await insert(all);
    const paged: string[] = [];
    for (let before: string | undefined; ; ) {
      const page = await t.store.recentUsage({
        keyId: 'key-3',
        limit: 100,
        ...(before === undefined ? {} : { before }),
      });
      paged.push(...idsOf(page));
      if (page.length < 100) break;
      before = page.at(-1)!.id;
    }
    expect(paged).toEqual(idsOf(all.filter(({ keyId }) => keyId === 'key-3').toReversed()));
  });

  test('a search through many records lets the event loop run in between', async () => {
    await insert(
      records(30_000, (i) => ({ keyId: `key-${i % 100}` }), 1),
      1_000,
    );
    let iterations = 0;
    const timer = setInterval(() => iterations++, 0);
    expect(await t.store.recentUsage({ limit: 10, model: 'none has it' })).toEqual([]);
    clearInterval(timer);
    expect(iterations).toBeGreaterThan(1);
  });
}

function randomQuery(random: Random, all: readonly UsageRecord[]): RecordsQuery {
  const one = pick(random, all);
  const maybe = <T>(oneIn: number, value: T) => (random(oneIn) === 0 ? value : undefined);
  const fields = {
    keyId: maybe(2, pick(random, [one.keyId, 'rare-old', 'rare-new', 'unknown'])),
    requestId: maybe(8, one.requestId),
    model: maybe(4, one.model ?? 'a'),
    endpoint: maybe(4, one.endpoint),
    finish: maybe(3, pick(random, FINISHES)),
    status: maybe(4, one.status),
    minDurationMs: maybe(4, random(10_000)),
    before: maybe(3, pick(random, [one.id, firstIdOf(START_MS + random(10_000))])),
  };
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return { limit: pick(random, [1, 10, 1_000]), ...Object.fromEntries(given) };
}

function naive(all: readonly UsageRecord[], query: RecordsQuery): string[] {
  const { limit, before, minDurationMs, ...equal } = query;
  return all
    .filter((record) => Object.entries(equal).every(([name, value]) => record[name as keyof UsageRecord] === value))
    .filter(({ id, durationMs }) => (before === undefined || id < before) && durationMs >= (minDurationMs ?? 0))
    .map(({ id }) => id)
    .toSorted()
    .toReversed()
    .slice(0, limit);
}
