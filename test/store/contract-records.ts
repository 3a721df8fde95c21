import { expect, test } from 'bun:test';
import { createKey, hashKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { StoreError } from '../../src/store/store-error.ts';
import { countByFinish } from './count-by-finish.ts';
import type { StoreUnderTest } from './store-under-test.ts';
import { usageRecord } from './temp-database.ts';

const PEPPER = 'pepper-for-tests';
const NONE = new Map<string, number>();

/** Records are written whole and once, and deleted when they are old. */
export function recordContract(t: StoreUnderTest): void {
  const insertNewKey = async (name = 'a key', nowMs = 1_000) => {
    const { key, secret } = createKey({ name }, nowMs);
    await t.store.insertKey(key, hashKey(secret, PEPPER));
    return { key, secret };
  };

  test('usage comes back as it was put in, with counts up to 2^53', async () => {
    const records = [
      usageRecord({ promptTokens: 2 ** 53, completionTokens: 2 ** 53 - 1, totalTokens: 2 ** 31, bytesOut: 2 ** 33 }),
      usageRecord({
        model: null,
        streamed: false,
        ttfbMs: null,
        promptTokens: null,
        completionTokens: null,
        totalTokens: null,
      }),
      usageRecord({
        promptTokens: 0,
        completionTokens: 0,
        totalTokens: 0,
        requestId: "'; DROP TABLE usage_records; --",
      }),
    ];
    await t.store.insertUsage(records, NONE);
    expect(await t.store.recentUsage({ limit: 10 })).toEqual(records.toReversed());
  });

  test('fractions of a millisecond are rounded', async () => {
    await t.store.insertUsage([usageRecord({ ttfbMs: 1.4, durationMs: 2.6, startedAt: 9.5 })], NONE);
    expect(await t.store.recentUsage({ limit: 1 })).toMatchObject([{ ttfbMs: 1, durationMs: 3, startedAt: 10 }]);
  });

  test('a batch that is written twice is there once', async () => {
    const records = [usageRecord(), usageRecord()];
    await t.store.insertUsage(records, NONE);
    await t.store.insertUsage(records, NONE);
    expect(await t.store.recentUsage({ limit: 10 })).toHaveLength(2);
  });

  test('two requests may have the same request id', async () => {
    const records = [usageRecord({ requestId: 'same' }), usageRecord({ requestId: 'same' })];
    await t.store.insertUsage(records, NONE);
    expect(await t.store.recentUsage({ limit: 10 })).toHaveLength(2);
  });

  test('recent usage is newest first, page by page, of all keys or of one', async () => {
    const records = Array.from({ length: 1_000 }, (_, i) => usageRecord({ keyId: `key-${i % 3}` }));
    await t.store.insertUsage(records, NONE);
    const paged: string[] = [];
    for (let before: string | undefined; ; ) {
      const page = await t.store.recentUsage({ limit: 300, ...(before === undefined ? {} : { before }) });
      paged.push(...page.map((record) => record.id));
      if (page.length < 300) break;
      before = page.at(-1)!.id;
    }
    expect(paged).toEqual(records.map((record) => record.id).toReversed());
    const ofOne = await t.store.recentUsage({ keyId: 'key-1', limit: 5 });
    expect(ofOne).toEqual(
      records
        .filter((record) => record.keyId === 'key-1')
        .slice(-5)
        .toReversed(),
    );
  });

  test('usage is counted by the way requests ended', async () => {
    await t.store.insertUsage(
      [usageRecord(), usageRecord({ finish: 'client_closed' }), usageRecord({ keyId: 'key-2' })],
      NONE,
    );
    expect(await countByFinish(t.store)).toEqual({ complete: 2, client_closed: 1 });
    expect(await countByFinish(t.store, 'key-2')).toEqual({ complete: 1 });
  });

  test('old usage is deleted in bounded steps, new usage stays', async () => {
    const old = Array.from({ length: 5 }, () => ({ ...usageRecord(), id: Bun.randomUUIDv7('hex', 1_000_000) }));
    const kept = { ...usageRecord(), id: Bun.randomUUIDv7('hex', 2_000_000) };
    await t.store.insertUsage([...old, kept], NONE);
    expect(await t.store.deleteUsageBefore(2_000_000, 3)).toBe(3);
    expect(await t.store.deleteUsageBefore(2_000_000, 3)).toBe(2);
    expect(await t.store.deleteUsageBefore(2_000_000, 3)).toBe(0);
    expect((await t.store.recentUsage({ limit: 9 })).map((record) => record.id)).toEqual([kept.id]);
  });

  test('the last use of a key never goes back', async () => {
    const { key } = await insertNewKey();
    const other = (await insertNewKey('other')).key;
    await t.store.insertUsage(
      [],
      new Map([
        [key.id, 5_000],
        ['unknown', 1],
      ]),
    );
    await t.store.insertUsage(
      [],
      new Map([
        [key.id, 4_000],
        [other.id, 6_000],
      ]),
    );
    expect((await t.store.getKey(key.id))?.lastUsedAt).toBe(5_000);
    expect((await t.store.getKey(other.id))?.lastUsedAt).toBe(6_000);
  });

  test('records and last use are written together or not at all', async () => {
    const { key } = await insertNewKey();
    const broken = usageRecord({ durationMs: Number.NaN });
    const error = await t.store
      .insertUsage([usageRecord(), broken], new Map([[key.id, 9]]))
      .catch((reason: unknown) => reason);
    expect((error as StoreError).kind).toBe('rejected');
    expect(await t.store.recentUsage({ limit: 1 })).toEqual([]);
    expect((await t.store.getKey(key.id))?.lastUsedAt).toBeNull();
  });

  test('a key that is written while a batch of usage fails stays', async () => {
    const broken = usageRecord({ durationMs: Number.NaN });
    const { key, secret } = createKey({ name: 'beside' }, 1);
    const [batch] = await Promise.allSettled([
      t.store.insertUsage([broken], NONE),
      t.store.insertKey(key, hashKey(secret, PEPPER)),
    ]);
    expect(batch.status).toBe('rejected');
    expect(await t.store.getKey(key.id)).toEqual(key);
  });

  test('a closed store says so with a StoreError', async () => {
    const closed = await openStore(t.database.url, t.database.options);
    await closed.close();
    await expect(closed.ping()).rejects.toMatchObject({ name: 'StoreError' });
  });
}
