import { beforeEach, expect, test } from 'bun:test';
import { type ApiKey, createKey, hashKey, type NewKey, newSecret } from '../../src/keys/key.ts';
import { CachedKeyDirectory, type DirectoryOptions, type KeyAnswer } from '../../src/keys/key-cache.ts';
import type { FoundKey } from '../../src/keys/key-source.ts';
import { openStore } from '../../src/store/open-store.ts';
import { StoreError } from '../../src/store/store-error.ts';
import { tempDatabase } from '../store/temp-database.ts';

const PEPPER = 'pepper-for-tests';

/** A store that counts, and can be held or broken. */
class CountingSource {
  readonly keys = new Map<string, FoundKey>();
  readonly asked: string[] = [];
  failure: Error | null = null;
  gate: Promise<void> | null = null;

  get reads(): number {
    return this.asked.length;
  }

  async findByHash(keyHash: string): Promise<FoundKey | null> {
    this.asked.push(keyHash);
    const found = this.keys.get(keyHash) ?? null;
    if (this.gate) await this.gate;
    if (this.failure) throw this.failure;
    return found;
  }

  add(wanted: Partial<NewKey> = {}, changes: Partial<ApiKey> = {}, secretExpiresAt: number | null = null): string {
    const { key, secret } = createKey({ name: 'k', ...wanted }, 0);
    this.keys.set(hashKey(secret, PEPPER), { key: { ...key, ...changes }, secretExpiresAt });
    return secret;
  }

  change(secret: string, changes: Partial<ApiKey>): void {
    const found = this.keys.get(hashKey(secret, PEPPER))!;
    this.keys.set(hashKey(secret, PEPPER), { ...found, key: { ...found.key, ...changes } });
  }
}

let now: number;
let source: CountingSource;
const clock = { now: () => now };

beforeEach(() => {
  now = 1_000_000;
  source = new CountingSource();
});

function directoryOf(options?: DirectoryOptions): CachedKeyDirectory {
  return new CachedKeyDirectory(source, PEPPER, clock, options);
}

/** Fails the test when the answer is a promise. */
function atOnce(answer: KeyAnswer | Promise<KeyAnswer>): KeyAnswer {
  expect(answer).not.toBeInstanceOf(Promise);
  return answer as KeyAnswer;
}

/** Until a read in the background has come back: its promise is settled in a few turns of microtasks. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('a key that is known is answered without a promise and without a query', async () => {
  const secret = source.add({ name: 'hot' });
  const directory = directoryOf();
  const first = directory.lookup(secret);
  expect(first).toBeInstanceOf(Promise);
  expect(await first).toMatchObject({ kind: 'active', key: { name: 'hot' } });
  now += 399;
  const answer = atOnce(directory.lookup(secret));
  expect(answer).toMatchObject({ kind: 'active', key: { name: 'hot' } });
  expect(atOnce(directory.lookup(secret))).toBe(answer);
  expect(source.reads).toBe(1);
});

test('between 400 and 900 ms an answer is used and read again once in the background', async () => {
  const secret = source.add();
  const directory = directoryOf();
  await directory.lookup(secret);
  source.change(secret, { status: 'suspended' });
  now += 400;
  for (let i = 0; i < 10; i++) expect(atOnce(directory.lookup(secret)).kind).toBe('active');
  expect(source.reads).toBe(2);
  await settled();
  expect(atOnce(directory.lookup(secret)).kind).toBe('suspended');
  expect(source.reads).toBe(2);
});

test('an answer of 900 ms is not used any more', async () => {
  const secret = source.add();
  const directory = directoryOf();
  await directory.lookup(secret);
  source.change(secret, { status: 'revoked' });
  now += 900;
  expect(await directory.lookup(secret)).toEqual({ kind: 'revoked' });
});

test('the age of an answer counts from before the query', async () => {
  const secret = source.add();
  const directory = directoryOf();
  const gate = Promise.withResolvers<void>();
  source.gate = gate.promise;
  const answer = directory.lookup(secret);
  now += 800;
  gate.resolve();
  expect((await answer).kind).toBe('active');
  source.change(secret, { status: 'revoked' });
  now += 100;
  expect(await directory.lookup(secret)).toEqual({ kind: 'revoked' });
});

test('a key revoked by another process is refused within one second', async () => {
  using db = tempDatabase();
  const store = await openStore(db.url);
  const otherProcess = await openStore(db.url);
  const { key, secret } = createKey({ name: 'k' }, 0);
  await store.insertKey(key, hashKey(secret, PEPPER));
  const directory = new CachedKeyDirectory(store, PEPPER, clock);
  // In steady use, at every phase of the cache at which the revocation may fall.
  for (let phase = 0; phase < 1_000; phase += 90) {
    const fresh = createKey({ name: 'k' }, 0);
    await store.insertKey(fresh.key, hashKey(fresh.secret, PEPPER));
    const start = now;
    for (; now < start + phase; now += 30) expect((await directory.lookup(fresh.secret)).kind).toBe('active');
    await directory.lookup(fresh.secret);
    await otherProcess.setKeyStatus(fresh.key.id, 'revoked', now);
    const revokedAt = now;
    let answer: KeyAnswer = { kind: 'unknown' };
    for (; now < revokedAt + 1_000; now += 30) answer = await directory.lookup(fresh.secret);
    expect(answer.kind).toBe('revoked');
  }
  // And after silence.
  expect((await directory.lookup(secret)).kind).toBe('active');
  await otherProcess.setKeyStatus(key.id, 'revoked', now);
  now += 999;
  expect((await directory.lookup(secret)).kind).toBe('revoked');
  await otherProcess.close();
  await store.close();
});

test('a key made by another process works although it was asked for before', async () => {
  const directory = directoryOf();
  const { key, secret } = createKey({ name: 'late' }, 0);
  expect(await directory.lookup(secret)).toEqual({ kind: 'unknown' });
  expect(atOnce(directory.lookup(secret))).toEqual({ kind: 'unknown' });
  source.keys.set(hashKey(secret, PEPPER), { key, secretExpiresAt: null });
  now += 900;
  expect(await directory.lookup(secret)).toMatchObject({ kind: 'active', key: { name: 'late' } });
});

test('revoked comes before suspended, suspended before expired', async () => {
  const directory = directoryOf();
  const past = { expiresAt: 1 };
  expect(await directory.lookup(source.add({}, { status: 'revoked', ...past }))).toEqual({ kind: 'revoked' });
  expect(await directory.lookup(source.add({}, { status: 'suspended', ...past }))).toEqual({ kind: 'suspended' });
  expect(await directory.lookup(source.add({}, { status: 'active', ...past }))).toEqual({ kind: 'expired' });
});

test('a key expires to the millisecond, also from the cache', async () => {
  const secret = source.add({ expiresAt: now + 100 });
  const directory = directoryOf();
  expect((await directory.lookup(secret)).kind).toBe('active');
  now += 99;
  expect(atOnce(directory.lookup(secret)).kind).toBe('active');
  now += 1;
  expect(atOnce(directory.lookup(secret)).kind).toBe('expired');
});

test('a replaced secret is unknown when its grace has ended', async () => {
  const secret = source.add({}, {}, now + 100);
  const directory = directoryOf();
  expect((await directory.lookup(secret)).kind).toBe('active');
  now += 100;
  expect(atOnce(directory.lookup(secret))).toEqual({ kind: 'unknown' });
});

test('requests that arrive together ask the database once', async () => {
  const secret = source.add();
  const directory = directoryOf();
  const answers = await Promise.all(Array.from({ length: 50 }, () => directory.lookup(secret)));
  for (const answer of answers) expect(answer.kind).toBe('active');
  expect(source.reads).toBe(1);
});

test('1,000 lookups of unknown keys do not evict a known one', async () => {
  const secret = source.add();
  const directory = directoryOf({ entriesMax: 10 });
  await directory.lookup(secret);
  for (let i = 0; i < 1_000; i++) expect((await directory.lookup(newSecret())).kind).toBe('unknown');
  expect(atOnce(directory.lookup(secret)).kind).toBe('active');
});

test('of more keys than there is room for, the one not read again for the longest time goes', async () => {
  const secrets = Array.from({ length: 4 }, () => source.add());
  const directory = directoryOf({ entriesMax: 3 });
  for (const secret of secrets.slice(0, 3)) await directory.lookup(secret);
  now += 500;
  atOnce(directory.lookup(secrets[0]!));
  await settled();
  await directory.lookup(secrets[3]!);
  expect(atOnce(directory.lookup(secrets[0]!)).kind).toBe('active');
  expect(atOnce(directory.lookup(secrets[2]!)).kind).toBe('active');
  expect(directory.lookup(secrets[1]!)).toBeInstanceOf(Promise);
  await settled();
});

test('while the database fails an answer serves to the end of its life, then the lookup rejects', async () => {
  const secret = source.add();
  const directory = directoryOf();
  await directory.lookup(secret);
  source.failure = new StoreError('unavailable', 'disk gone');
  now += 899;
  expect(atOnce(directory.lookup(secret)).kind).toBe('active');
  await settled();
  now += 1;
  await expect(directory.lookup(secret) as Promise<KeyAnswer>).rejects.toBe(source.failure);
  source.failure = null;
  expect((await directory.lookup(secret)).kind).toBe('active');
});

test('a database that fails is asked in the background ten times a second, not for every request', async () => {
  const secret = source.add();
  const directory = directoryOf();
  await directory.lookup(secret);
  source.failure = new StoreError('unavailable', 'disk gone');
  for (now += 400; now < 1_000_000 + 900; now++) {
    atOnce(directory.lookup(secret));
    await settled();
  }
  expect(source.reads).toBe(1 + 5);
});

test('a change in this process takes effect on the next request, also when a read was under way', async () => {
  const secret = source.add();
  const directory = directoryOf();
  const gate = Promise.withResolvers<void>();
  source.gate = gate.promise;
  const before = directory.lookup(secret);
  source.gate = null;
  source.change(secret, { status: 'suspended' });
  directory.invalidate();
  expect((await directory.lookup(secret)).kind).toBe('suspended');
  gate.resolve();
  await before;
  expect(atOnce(directory.lookup(secret)).kind).toBe('suspended');
});

test('a clock that is set back does not lengthen the life of an answer', async () => {
  const secret = source.add();
  const directory = directoryOf();
  await directory.lookup(secret);
  source.change(secret, { status: 'revoked' });
  now -= 3_600_000;
  expect(await directory.lookup(secret)).toEqual({ kind: 'revoked' });
});

test('the database is asked by hash, never by the secret', async () => {
  const secret = source.add();
  const directory = directoryOf();
  await directory.lookup(secret);
  expect(source.asked).toEqual([hashKey(secret, PEPPER)]);
});
