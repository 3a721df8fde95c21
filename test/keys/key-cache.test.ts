import { beforeEach, expect, test } from 'bun:test';
import { type ApiKey, createKey, hashKey, type NewKey, newSecret } from '../../src/keys/key.ts';
import { type KeyAnswer, KeyCache, type KeyCacheOptions } from '../../src/keys/key-cache.ts';
import type { FoundKey, KeyChangeList, KeySource } from '../../src/keys/key-source.ts';
import { openStore } from '../../src/store/open-store.ts';
import { StoreError } from '../../src/store/store-error.ts';
import { tempDatabase } from '../store/temp-database.ts';
import { eventually } from '../support/eventually.ts';

const PEPPER = 'pepper-for-tests';

/** A store that counts, and can be held or broken. */
class CountingSource implements KeySource {
  readonly keys = new Map<string, FoundKey>();
  readonly asked: string[] = [];
  readonly changed: string[] = [];
  polls = 0;
  failure: Error | null = null;
  gate: Promise<void> | null = null;

  get reads(): number {
    return this.asked.length;
  }

  async findByHashes(hashes: readonly string[]): Promise<ReadonlyMap<string, FoundKey>> {
    this.asked.push(...hashes);
    const found = new Map(hashes.flatMap((hash) => (this.keys.has(hash) ? [[hash, this.keys.get(hash)!]] : [])));
    if (this.gate) await this.gate;
    if (this.failure) throw this.failure;
    return found;
  }

  async changesSince(seq: number | null): Promise<KeyChangeList> {
    this.polls++;
    if (this.failure) throw this.failure;
    return { seq: this.changed.length, keyIds: this.changed.slice(seq ?? this.changed.length) };
  }

  add(wanted: Partial<NewKey> = {}, changes: Partial<ApiKey> = {}, secretExpiresAt: number | null = null): string {
    const { key, secret } = createKey({ name: 'k', ...wanted }, 0);
    this.keys.set(hashKey(secret, PEPPER), { key: { ...key, ...changes }, secretExpiresAt });
    return secret;
  }

  keyOf(secret: string): ApiKey {
    return this.keys.get(hashKey(secret, PEPPER))!.key;
  }

  /** As another process changes it. */
  change(secret: string, changes: Partial<ApiKey>): void {
    const found = this.keys.get(hashKey(secret, PEPPER))!;
    this.keys.set(hashKey(secret, PEPPER), { ...found, key: { ...found.key, ...changes } });
    this.changed.push(found.key.id);
  }

  /** The next look for changes has been answered. */
  async polled(): Promise<void> {
    const before = this.polls;
    await eventually(() => this.polls > before + 1);
  }
}

let now: number;
let source: CountingSource;
const clock = { now: () => now };

beforeEach(() => {
  now = 1_000_000;
  source = new CountingSource();
});

/** Looks for changes every 5 ms. */
async function started(options: KeyCacheOptions = {}): Promise<KeyCache & AsyncDisposable> {
  const cache = new KeyCache(source, PEPPER, { clock, pollIntervalMs: 5, ...options });
  await cache.start();
  return Object.assign(cache, { [Symbol.asyncDispose]: () => cache.stop() });
}

/** Fails the test when the answer is a promise. */
function atOnce(answer: KeyAnswer | Promise<KeyAnswer>): KeyAnswer {
  expect(answer).not.toBeInstanceOf(Promise);
  return answer as KeyAnswer;
}

test('a key that is known is answered without a promise and without a query, however long it is known', async () => {
  const secret = source.add({ name: 'hot' });
  await using cache = await started();
  const first = cache.lookup(secret);
  expect(first).toBeInstanceOf(Promise);
  expect(await first).toMatchObject({ kind: 'active', key: { name: 'hot' } });
  now += 3_600_000;
  await source.polled();
  const answer = atOnce(cache.lookup(secret));
  expect(answer).toMatchObject({ kind: 'active', key: { name: 'hot' } });
  expect(atOnce(cache.lookup(secret))).toBe(answer);
  expect(source.reads).toBe(1);
});

test('a change by another process forgets that key and no other', async () => {
  const secrets = Array.from({ length: 50 }, () => source.add());
  await using cache = await started();
  for (const secret of secrets) await cache.lookup(secret);
  source.change(secrets[7]!, { status: 'suspended' });
  await source.polled();
  for (const [i, secret] of secrets.entries()) {
    if (i === 7) expect(await cache.lookup(secret)).toEqual({ kind: 'suspended' });
    else expect(atOnce(cache.lookup(secret)).kind).toBe('active');
  }
  expect(source.reads).toBe(51);
});

test('a key revoked by another process is refused within one second', async () => {
  using db = tempDatabase();
  const store = await openStore(db.url);
  const otherProcess = await openStore(db.url);
  const { key, secret } = createKey({ name: 'k' }, 0);
  await store.insertKey(key, hashKey(secret, PEPPER));
  const cache = new KeyCache(store, PEPPER);
  await cache.start();
  expect((await cache.lookup(secret)).kind).toBe('active');
  const startedAtMs = performance.now();
  await otherProcess.setKeyStatus(key.id, 'revoked', 1);
  await eventually(async () => (await cache.lookup(secret)).kind === 'revoked');
  expect(performance.now() - startedAtMs).toBeLessThan(1_000);
  await cache.stop();
  await otherProcess.close();
  await store.close();
});

test('all secrets of a key are forgotten with it', async () => {
  const first = source.add();
  const second = newSecret();
  source.keys.set(hashKey(second, PEPPER), { key: source.keyOf(first), secretExpiresAt: null });
  await using cache = await started();
  await cache.lookup(first);
  await cache.lookup(second);
  cache.forget(source.keyOf(first).id);
  expect(cache.lookup(first)).toBeInstanceOf(Promise);
  expect(cache.lookup(second)).toBeInstanceOf(Promise);
});

test('when any key may have changed, all are read again', async () => {
  const secrets = [source.add(), source.add()];
  await using cache = await started();
  for (const secret of secrets) await cache.lookup(secret);
  source.changesSince = async () => ({ seq: 0, keyIds: null });
  await eventually(() => cache.lookup(secrets[0]!) instanceof Promise);
  expect(cache.lookup(secrets[1]!)).toBeInstanceOf(Promise);
});

test('a key made by another process works although it was asked for before', async () => {
  await using cache = await started();
  const { key, secret } = createKey({ name: 'late' }, 0);
  expect(await cache.lookup(secret)).toEqual({ kind: 'unknown' });
  expect(atOnce(cache.lookup(secret))).toEqual({ kind: 'unknown' });
  source.keys.set(hashKey(secret, PEPPER), { key, secretExpiresAt: null });
  await eventually(async () => (await cache.lookup(secret)).kind === 'active');
});

test('revoked comes before suspended, suspended before expired', async () => {
  await using cache = await started();
  const past = { expiresAt: 1 };
  expect(await cache.lookup(source.add({}, { status: 'revoked', ...past }))).toEqual({ kind: 'revoked' });
  expect(await cache.lookup(source.add({}, { status: 'suspended', ...past }))).toEqual({ kind: 'suspended' });
  expect(await cache.lookup(source.add({}, { status: 'active', ...past }))).toEqual({ kind: 'expired' });
});

test('a key expires to the millisecond, also from the cache', async () => {
  const secret = source.add({ expiresAt: now + 100 });
  await using cache = await started();
  expect((await cache.lookup(secret)).kind).toBe('active');
  now += 99;
  expect(atOnce(cache.lookup(secret)).kind).toBe('active');
  now += 1;
  expect(atOnce(cache.lookup(secret)).kind).toBe('expired');
});

test('a replaced secret is unknown when its grace has ended', async () => {
  const secret = source.add({}, {}, now + 100);
  await using cache = await started();
  expect((await cache.lookup(secret)).kind).toBe('active');
  now += 100;
  expect(atOnce(cache.lookup(secret))).toEqual({ kind: 'unknown' });
});

test('requests that arrive together ask the store once', async () => {
  const secret = source.add();
  await using cache = await started();
  const answers = await Promise.all(Array.from({ length: 50 }, () => cache.lookup(secret)));
  for (const answer of answers) expect(answer.kind).toBe('active');
  expect(source.reads).toBe(1);
});

test('1,000 lookups of unknown keys do not evict a known one', async () => {
  const secret = source.add();
  await using cache = await started({ entriesMax: 10 });
  await cache.lookup(secret);
  const guesses = await Promise.all(Array.from({ length: 1_000 }, () => cache.lookup(newSecret())));
  for (const { kind } of guesses) expect(kind).toBe('unknown');
  expect(atOnce(cache.lookup(secret)).kind).toBe('active');
});

test('of more keys than there is room for, one goes that was not used since', async () => {
  const secrets = Array.from({ length: 5 }, () => source.add());
  await using cache = await started({ entriesMax: 3 });
  for (const secret of secrets.slice(0, 4)) await cache.lookup(secret);
  // All had been used: the oldest went, and those that are left were marked for the next time.
  expect(cache.lookup(secrets[1]!)).not.toBeInstanceOf(Promise);
  await cache.lookup(secrets[4]!);
  expect(atOnce(cache.lookup(secrets[1]!)).kind).toBe('active');
  expect(cache.lookup(secrets[2]!)).toBeInstanceOf(Promise);
});

test('while the store is away known keys are served for the time that is set, others are unavailable', async () => {
  const secret = source.add();
  await using cache = await started({ staleMs: 300_000 });
  await cache.lookup(secret);
  source.failure = new StoreError('unavailable', 'disk gone');
  await source.polled();
  expect(atOnce(cache.lookup(secret)).kind).toBe('active');
  expect(await cache.lookup(newSecret())).toEqual({ kind: 'unavailable' });
  source.failure = null;
  await eventually(async () => (await cache.lookup(newSecret())).kind === 'unknown');
});

test('strict: without a word from the store for a second a known key is unavailable too, and back with it', async () => {
  const secret = source.add();
  await using cache = await started({ staleMs: 0 });
  await cache.lookup(secret);
  source.failure = new StoreError('unavailable', 'disk gone');
  expect(atOnce(cache.lookup(secret)).kind).toBe('active');
  const goneAtMs = performance.now();
  await eventually(async () => (await cache.lookup(secret)).kind === 'unavailable');
  expect(performance.now() - goneAtMs).toBeLessThan(1_000);
  source.failure = null;
  await eventually(async () => (await cache.lookup(secret)).kind === 'active');
  await eventually(() => !(cache.lookup(secret) instanceof Promise));
});

test('each failure of the store is told, and a lookup never rejects', async () => {
  const failures: unknown[] = [];
  source.failure = new StoreError('unavailable', 'disk gone');
  await using cache = await started({ onFailure: (error) => failures.push(error) });
  expect(await cache.lookup(newSecret())).toEqual({ kind: 'unavailable' });
  expect(failures.length).toBeGreaterThanOrEqual(2);
  expect(new Set(failures)).toEqual(new Set([source.failure]));
});

test('nothing that was read before the first look for changes succeeded is kept', async () => {
  const secret = source.add();
  source.changesSince = () => Promise.reject(new StoreError('unavailable', 'disk gone'));
  await using cache = await started();
  expect((await cache.lookup(secret)).kind).toBe('active');
  expect(cache.lookup(secret)).toBeInstanceOf(Promise);
});

test('a change in this process takes effect on the next request, also when a read was under way', async () => {
  const secret = source.add();
  await using cache = await started();
  const gate = Promise.withResolvers<void>();
  source.gate = gate.promise;
  const before = cache.lookup(secret);
  await eventually(() => source.reads === 1);
  source.gate = null;
  source.change(secret, { status: 'suspended' });
  cache.forget(source.keyOf(secret).id);
  const after = cache.lookup(secret);
  gate.resolve();
  expect((await after).kind).toBe('suspended');
  await before;
  expect((await cache.lookup(secret)).kind).toBe('suspended');
});

test('a change that is seen while a read is under way is not hidden by it', async () => {
  const secret = source.add();
  await using cache = await started();
  const gate = Promise.withResolvers<void>();
  source.gate = gate.promise;
  const before = cache.lookup(secret);
  await eventually(() => source.reads === 1);
  source.gate = null;
  source.change(secret, { status: 'revoked' });
  await source.polled();
  gate.resolve();
  await before;
  expect((await cache.lookup(secret)).kind).toBe('revoked');
});

test('the store is asked by hash, never by the secret', async () => {
  const secret = source.add();
  await using cache = await started();
  await cache.lookup(secret);
  expect(source.asked).toEqual([hashKey(secret, PEPPER)]);
});
