import { expect, test } from 'bun:test';
import { createKey, hashKey } from '../../src/keys/key.ts';
import { StoreError } from '../../src/store/store-error.ts';
import type { StoreUnderTest } from './store-under-test.ts';

const PEPPER = 'pepper-for-tests';

/** Keys come back as they were put in, and can be suspended and revoked. */
export function keyStateContract(t: StoreUnderTest): void {
  const insertNewKey = async (name = 'a key', nowMs = 1_000) => {
    const { key, secret } = createKey({ name }, nowMs);
    await t.store.insertKey(key, hashKey(secret, PEPPER));
    return { key, secret };
  };

  test('a key comes back as it was put in', async () => {
    const { key, secret } = createKey(
      {
        name: "Zoë's 'key' \u{1F511}",
        rpmLimit: null,
        monthlyTokenLimit: 2 ** 53,
        maxConcurrent: 4,
        allowedModels: ['gpt-4o', 'claude,odd'],
        injectStreamUsage: true,
        expiresAt: 1_999_999_999_999,
      },
      1_750_000_000_000,
    );
    await t.store.insertKey(key, hashKey(secret, PEPPER));
    expect(await t.store.getKey(key.id)).toEqual(key);
    expect(await t.store.listKeys()).toEqual([key]);
    expect(await t.store.findByHash(hashKey(secret, PEPPER))).toEqual({ key, secretExpiresAt: null });
    expect(await t.store.findByHash(hashKey(secret, 'another pepper'))).toBeNull();
    expect(await t.store.getKey('unknown')).toBeNull();
  });

  test('keys are listed newest first', async () => {
    for (const [name, time] of [
      ['b', 2],
      ['c', 3],
      ['a', 1],
    ] as const)
      await insertNewKey(name, time);
    expect((await t.store.listKeys()).map((key) => key.name)).toEqual(['c', 'b', 'a']);
  });

  test('a hash cannot belong to two keys, and the refused key is not half there', async () => {
    const { secret } = await insertNewKey();
    const other = createKey({ name: 'other' }, 1).key;
    const error = await t.store.insertKey(other, hashKey(secret, PEPPER)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).kind).toBe('rejected');
    expect(await t.store.getKey(other.id)).toBeNull();
  });

  test('a key can be suspended and activated, and the change is dated', async () => {
    const { key } = await insertNewKey();
    expect(await t.store.setKeyStatus(key.id, 'suspended', 5)).toEqual({
      kind: 'changed',
      before: key,
      key: { ...key, status: 'suspended', updatedAt: 5 },
    });
    expect((await t.store.setKeyStatus(key.id, 'active', 6)).kind).toBe('changed');
    expect(await t.store.getKey(key.id)).toEqual({ ...key, updatedAt: 6 });
    expect(await t.store.setKeyStatus('unknown', 'active', 7)).toEqual({ kind: 'unknown' });
  });

  test('a revoked key cannot be activated', async () => {
    const { key } = await insertNewKey();
    await t.store.setKeyStatus(key.id, 'revoked', 5);
    for (const status of ['active', 'suspended'] as const) {
      expect((await t.store.setKeyStatus(key.id, status, 6)).kind).toBe('revoked');
    }
    expect((await t.store.setKeyStatus(key.id, 'revoked', 7)).kind).toBe('changed');
    expect(await t.store.getKey(key.id)).toEqual({ ...key, status: 'revoked', updatedAt: 5 });
  });
}
