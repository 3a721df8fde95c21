import { expect, test } from 'bun:test';
import { createKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { StoreUnderTest } from './store-under-test.ts';
import { usageRecord } from './temp-database.ts';

/** Which keys changed, as those ask who keep keys in memory. */
export function changeContract(t: StoreUnderTest): void {
  const insertNewKey = async (hash: string) => {
    const { key } = createKey({ name: hash }, 1_000);
    await t.store.insertKey(key, hash);
    return key.id;
  };
  const seqNow = async () => (await t.store.changesSince(null)).seq;

  test('each way to change a key is told once to whoever asks from there on', async () => {
    const ids = await Promise.all(['a', 'b', 'c', 'd', 'e'].map(insertNewKey));
    const [patched, suspended, rotated, deleted, untouched] = ids as [string, string, string, string, string];
    await t.store.setKeyStatus(deleted, 'revoked', 2);
    const seq = await seqNow();
    await t.store.patchKey(patched, { name: 'other' }, 3);
    await t.store.setKeyStatus(suspended, 'suspended', 3);
    await t.store.rotateKey(rotated, { hash: 'new', prefix: 'sk-bve-new' }, 1_000, 3);
    expect((await t.store.deleteKey(deleted)).kind).toBe('deleted');
    const changes = await t.store.changesSince(seq);
    expect(changes.keyIds?.toSorted()).toEqual([patched, suspended, rotated, deleted].toSorted());
    expect(await t.store.changesSince(changes.seq)).toEqual({ seq: changes.seq, keyIds: [] });
    expect(changes.keyIds).not.toContain(untouched);
  });

  test('new keys, imported keys, uses of a key and what changed nothing are no changes', async () => {
    const id = await insertNewKey('a');
    const seq = await seqNow();
    await insertNewKey('b');
    await t.store.importKeys([{ key: createKey({ name: 'c' }, 1).key, keyHash: 'c' }]);
    await t.store.insertUsage([usageRecord({ keyId: id })], new Map([[id, 9]]));
    await t.store.patchKey(id, { name: 'a' }, 3);
    expect((await t.store.patchKey('unknown', { name: 'a' }, 3)).kind).toBe('unknown');
    expect((await t.store.deleteKey(id)).kind).toBe('not_revoked');
    expect(await t.store.changesSince(seq)).toEqual({ seq, keyIds: [] });
  });

  test('a change whose transaction ends after that of a later one is not missed', async () => {
    const [early, late] = [await insertNewKey('a'), await insertNewKey('b')];
    let { seq } = await t.store.changesSince(null);
    const seen: string[] = [];
    const look = async () => {
      const changes = await t.store.changesSince(seq);
      seq = changes.seq;
      seen.push(...changes.keyIds!);
    };
    const held = await t.database.holdChange(early);
    const other = await openStore(t.database.url, t.database.options);
    // It may wait for the first to end, or not: either way both are to be seen.
    const change = other.patchKey(late, { name: 'other' }, 3);
    await look();
    expect(seen).not.toContain(early);
    await held.commit();
    await look();
    await change;
    await look();
    expect(seen.toSorted()).toEqual([early, late].toSorted());
    await other.close();
  });

  test('so many changes that they are not worth naming are told as such', async () => {
    const keys = Array.from({ length: 1_001 }, (_, i) => ({
      key: createKey({ name: `${i}` }, 1).key,
      keyHash: `hash-${i}`,
    }));
    await t.store.importKeys(keys);
    const seq = await seqNow();
    for (const { key } of keys.slice(1)) await t.store.setKeyStatus(key.id, 'suspended', 2);
    expect((await t.store.changesSince(seq)).keyIds).toHaveLength(1_000);
    await t.store.setKeyStatus(keys[0]!.key.id, 'suspended', 2);
    const changes = await t.store.changesSince(seq);
    expect(changes.keyIds).toBeNull();
    expect(await t.store.changesSince(changes.seq)).toEqual({ seq: changes.seq, keyIds: [] });
  });

  test('keys are found by many hashes at once, each with the end of its own secret', async () => {
    const [a, b] = [await insertNewKey('hash-a'), await insertNewKey('hash-b')];
    await t.store.rotateKey(b, { hash: 'hash-c', prefix: 'sk-bve-c' }, 5_000, 10_000);
    const guesses = Array.from({ length: 500 }, (_, i) => `guess-${i}`);
    const found = await t.store.findByHashes(['hash-a', ...guesses, 'hash-b', 'hash-c']);
    expect([...found].map(([hash, { key, secretExpiresAt }]) => [hash, key.id, secretExpiresAt]).toSorted()).toEqual([
      ['hash-a', a, null],
      ['hash-b', b, 15_000],
      ['hash-c', b, null],
    ]);
  });

  test('a deleted key is gone with all its secrets, its usage stays', async () => {
    const id = await insertNewKey('hash-a');
    await t.store.rotateKey(id, { hash: 'hash-b', prefix: 'sk-bve-b' }, 5_000, 10_000);
    await t.store.insertUsage([usageRecord({ keyId: id })], new Map());
    await t.store.setKeyStatus(id, 'revoked', 2);
    expect(await t.store.deleteKey(id)).toMatchObject({ kind: 'deleted', key: { id } });
    expect(await t.store.getKey(id)).toBeNull();
    expect(await t.store.findByHashes(['hash-a', 'hash-b'])).toEqual(new Map());
    expect((await t.store.deleteKey(id)).kind).toBe('unknown');
    expect(await t.store.recentUsage({ keyId: id, limit: 9 })).toHaveLength(1);
  });
}
