import { expect, test } from 'bun:test';
import { createKey } from '../../src/keys/key.ts';
import type { StoreUnderTest } from './store-under-test.ts';

/** Patching, rotating and importing keys. */
export function keyChangeContract(t: StoreUnderTest): void {
  async function insertNewKey(hash = 'hash-1') {
    const { key } = createKey({ name: 'n' }, 1_000);
    await t.store.insertKey(key, hash);
    return key;
  }

  const expiryOf = async (hash: string) => (await t.store.findByHash(hash))?.secretExpiresAt;
  const secret = (hash: string) => ({ hash, prefix: `sk-bve-${hash.slice(-5)}` });

  test('a patch changes what it names, dates it, and is no change when all is so already', async () => {
    const key = await insertNewKey();
    await t.store.insertUsage([], new Map([[key.id, 9_000]]));
    const changed = { ...key, name: 'm', rpmLimit: null, allowedModels: ['x'], updatedAt: 2_000, lastUsedAt: 9_000 };
    expect(await t.store.patchKey(key.id, { name: 'm', rpmLimit: null, allowedModels: ['x'] }, 2_000)).toEqual({
      kind: 'changed',
      before: { ...key, lastUsedAt: 9_000 },
      key: changed,
    });
    expect(await t.store.patchKey(key.id, { name: 'm', allowedModels: ['x'] }, 3_000)).toEqual({
      kind: 'changed',
      before: changed,
      key: changed,
    });
    expect(await t.store.getKey(key.id)).toEqual(changed);
    expect(await t.store.patchKey('unknown', {}, 1)).toEqual({ kind: 'unknown' });
  });

  test('a rotation ends the old secret when its grace ends, and never lengthens an earlier grace', async () => {
    const { id } = await insertNewKey('first-hash');
    await t.store.rotateKey(id, secret('second-hash'), 1_000, 10_000);
    expect(await expiryOf('first-hash')).toBe(11_000);
    expect(await expiryOf('second-hash')).toBeNull();
    await t.store.rotateKey(id, secret('third-hash'), 5_000, 10_500);
    expect([await expiryOf('first-hash'), await expiryOf('second-hash')]).toEqual([11_000, 15_500]);
    const { kind, key } = (await t.store.rotateKey(id, secret('fourth-hash'), 100, 10_600)) as {
      kind: string;
      key: object;
    };
    expect(kind).toBe('changed');
    expect(key).toMatchObject({ id, prefix: 'sk-bve--hash', updatedAt: 10_600 });
    expect([await expiryOf('first-hash'), await expiryOf('third-hash')]).toEqual([10_700, 10_700]);
  });

  test('secrets that have ended are gone after the next rotation', async () => {
    const { id } = await insertNewKey('first-hash');
    await t.store.rotateKey(id, secret('second-hash'), 0, 10_000);
    expect(await t.store.findByHash('first-hash')).toBeNull();
    expect((await t.store.findByHash('second-hash'))?.key.id).toBe(id);
  });

  test('a rotation to a secret that is there already changes nothing', async () => {
    const { id } = await insertNewKey('first-hash');
    await insertNewKey('other-hash');
    await expect(t.store.rotateKey(id, secret('other-hash'), 0, 10_000)).rejects.toMatchObject({ kind: 'rejected' });
    expect(await expiryOf('first-hash')).toBeNull();
  });

  test('a revoked key can be neither patched nor rotated', async () => {
    const { id } = await insertNewKey('first-hash');
    await t.store.setKeyStatus(id, 'revoked', 2_000);
    const before = await t.store.findByHash('first-hash');
    expect((await t.store.patchKey(id, { name: 'x' }, 3_000)).kind).toBe('revoked');
    expect((await t.store.rotateKey(id, secret('second-hash'), 0, 3_000)).kind).toBe('revoked');
    expect(await t.store.findByHash('first-hash')).toEqual(before);
  });

  test('an import is all or nothing, however large, and names what stands in its way', async () => {
    const make = (count: number, start: number) =>
      Array.from({ length: count }, (_, i) => ({
        key: createKey({ name: `imported ${start + i}` }, start + i).key,
        keyHash: `hash-${start + i}`,
      }));
    const keys = make(1_700, 0);
    expect(await t.store.importKeys(keys)).toEqual([]);
    expect(await t.store.listKeys()).toEqual(keys.map(({ key }) => key).toReversed());
    expect((await t.store.findByHash('hash-1699'))?.key).toEqual(keys[1_699]!.key);
    const more = make(1_200, 5_000);
    more[3] = { ...more[3]!, keyHash: 'hash-7' };
    more[1_100] = { key: { ...more[1_100]!.key, id: keys[0]!.key.id }, keyHash: 'hash-9' };
    expect(await t.store.importKeys(more)).toEqual([
      { index: 3, field: 'key_hash' },
      { index: 1_100, field: 'id' },
      { index: 1_100, field: 'key_hash' },
    ]);
    expect(await t.store.listKeys()).toHaveLength(1_700);
  });
}
