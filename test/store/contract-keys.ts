/** Listing keys: what any store must find, and in which order. */
import { expect, test } from 'bun:test';
import { type ApiKey, createKey, type NewKey } from '../../src/keys/key.ts';
import type { StoreUnderTest } from './store-under-test.ts';

export function keysContract(t: StoreUnderTest): void {
  async function insert(name: string, createdAt: number, fields: Partial<NewKey> = {}): Promise<ApiKey> {
    const { key } = createKey({ name, ...fields }, createdAt);
    await t.store.insertKey(key, key.id);
    return key;
  }
  const names = (keys: readonly ApiKey[]) => keys.map(({ name }) => name);

  test('keys are found by status and by a part of name, id, prefix or tag, in any case', async () => {
    const alice = await insert('Alice Ärger', 1, { tags: { team: 'Search_50%' } });
    const bob = await insert('bob', 2);
    const carol = await insert('carol', 3, { tags: { cost: '\u{1F511}' } });
    await t.store.setKeyStatus(bob.id, 'suspended', 4);
    await t.store.setKeyStatus(carol.id, 'revoked', 4);
    const found = async (text: string) => names(await t.store.listKeys({ text }));
    expect(await found('ALICE ä')).toEqual(['Alice Ärger']);
    expect(await found('search_50%')).toEqual(['Alice Ärger']);
    expect(await found('\u{1F511}')).toEqual(['carol']);
    expect(await found(alice.id.slice(3, 20).toUpperCase())).toEqual(['Alice Ärger']);
    expect(await found(bob.prefix)).toEqual(['bob']);
    expect(await found('team')).toEqual([]);
    expect(await found('%')).toEqual(['Alice Ärger']);
    expect(await found("' OR 1=1 --")).toEqual([]);
    expect(names(await t.store.listKeys({ status: 'active' }))).toEqual(['Alice Ärger']);
    expect(names(await t.store.listKeys({ status: 'suspended' }))).toEqual(['bob']);
    expect(names(await t.store.listKeys({ status: 'revoked', text: 'bob' }))).toEqual([]);
  });

  test('a list can be read page by page, also through keys of one millisecond, and over a deleted key', async () => {
    const keys: ApiKey[] = [];
    for (let i = 0; i < 7; i++) keys.push(await insert(`key ${i}`, Math.floor(i / 3)));
    const all = await t.store.listKeys();
    expect(all.map(({ createdAt }) => createdAt)).toEqual([2, 1, 1, 1, 0, 0, 0]);
    for (const limit of [1, 2, 3, 7, 8]) {
      const read: ApiKey[] = [];
      for (;;) {
        const after = read.at(-1);
        const page = await t.store.listKeys({ limit, ...(after && { after }) });
        read.push(...page);
        if (page.length < limit) break;
      }
      expect(read).toEqual(all);
    }
    await t.store.setKeyStatus(all[3]!.id, 'revoked', 9);
    await t.store.deleteKey(all[3]!.id);
    expect(await t.store.listKeys({ after: all[3]!, limit: 2 })).toEqual(all.slice(4, 6));
  });

  test('thousands of keys are listed whole', async () => {
    const keys = Array.from({ length: 5_000 }, (_, i) => createKey({ name: `key ${i}` }, i).key);
    await t.store.importKeys(keys.map((key) => ({ key, keyHash: key.id.replaceAll('-', '') })));
    expect(await t.store.listKeys()).toEqual(keys.toReversed());
    expect(names(await t.store.listKeys({ text: 'KEY 499', limit: 3 }))).toEqual(['key 4999', 'key 4998', 'key 4997']);
  });
}
