/** Lookups of keys that nobody knows yet, beside those who guess. */
import { expect, test } from 'bun:test';
import { KeyLookups } from '../../src/keys/key-lookups.ts';
import type { FoundKey } from '../../src/keys/key-source.ts';

const FOUND = { key: { id: 'k' }, secretExpiresAt: null } as unknown as FoundKey;

/** Answers each query when it is told to. */
class HeldSource {
  readonly queries: (readonly string[])[] = [];
  readonly #answers: PromiseWithResolvers<ReadonlyMap<string, FoundKey>>[] = [];

  findByHashes(hashes: readonly string[]): Promise<ReadonlyMap<string, FoundKey>> {
    this.queries.push(hashes);
    const answer = Promise.withResolvers<ReadonlyMap<string, FoundKey>>();
    this.#answers.push(answer);
    return answer.promise;
  }

  answer(): void {
    const hashes = this.queries.at(-1)!;
    this.#answers.shift()!.resolve(new Map(hashes.includes('valid') ? [['valid', FOUND]] : []));
  }

  fail(error: Error): void {
    this.#answers.shift()!.reject(error);
  }
}

const guesses = (count: number, name = 'guess') => Array.from({ length: count }, (_, i) => `${name}-${i}`);
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('one query at a time, for some hashes, in the order in which they came', async () => {
  const source = new HeldSource();
  const lookups = new KeyLookups(source, { batchMax: 10, intervalMs: 0 });
  const answers = [...guesses(25), 'valid'].map((hash) => lookups.find(hash));
  for (const expected of [10, 10, 6]) {
    await settled();
    await Bun.sleep(1);
    expect(source.queries.at(-1)).toHaveLength(expected);
    expect(source.queries.flat()).toEqual([...guesses(25), 'valid'].slice(0, source.queries.flat().length));
    source.answer();
  }
  expect(await answers.at(-1)).toBe(FOUND);
  for (const answer of answers.slice(0, -1)) expect(await answer).toBeNull();
  expect(source.queries).toHaveLength(3);
});

test('a first lookup does not wait, and further queries begin an interval apart', async () => {
  const begun: number[] = [];
  const lookups = new KeyLookups(
    {
      findByHashes: async () => {
        begun.push(performance.now());
        return new Map();
      },
    },
    { batchMax: 1, intervalMs: 20 },
  );
  const askedAtMs = performance.now();
  await Promise.all(guesses(4).map((hash) => lookups.find(hash)));
  expect(begun[0]! - askedAtMs).toBeLessThan(15);
  // A timer may be a fraction of a millisecond early.
  for (let i = 1; i < begun.length; i++) expect(begun[i]! - begun[i - 1]!).toBeGreaterThan(18);
});

test('a valid key that nobody knows yet gets in within some milliseconds beside 10,000 guesses a second', async () => {
  let asked = 0;
  const lookups = new KeyLookups({
    findByHashes: async (hashes) => {
      asked += hashes.length;
      return new Map(hashes.includes('valid') ? [['valid', FOUND]] : []);
    },
  });
  let guessed = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < 50; i++) void lookups.find(`guess-${guessed++}`);
  }, 5);
  const waits: number[] = [];
  for (let i = 0; i < 20; i++) {
    await Bun.sleep(5);
    const askedAtMs = performance.now();
    expect(await lookups.find('valid')).toBe(FOUND);
    waits.push(performance.now() - askedAtMs);
  }
  clearInterval(timer);
  expect(waits.toSorted((a, b) => a - b)[10]!).toBeLessThan(50);
  expect(asked).toBeGreaterThan(500);
});

test('no more wait than there is room for; the others are told at once that it is not known', async () => {
  const source = new HeldSource();
  const lookups = new KeyLookups(source, { batchMax: 10, queueMax: 30, intervalMs: 0 });
  const first = guesses(10, 'first').map((hash) => lookups.find(hash));
  await settled();
  const waiting = guesses(30).map((hash) => lookups.find(hash));
  expect(await lookups.find('one too many')).toBe('unavailable');
  // One that waits already takes no more room.
  const again = lookups.find('guess-7');
  for (let i = 0; i < 4; i++) {
    source.answer();
    await settled();
    await Bun.sleep(1);
  }
  for (const answer of [...first, ...waiting, again]) expect(await answer).toBeNull();
});

test('after a failure nobody is let in for a moment, then the source is asked again', async () => {
  const failures: unknown[] = [];
  const source = new HeldSource();
  const lookups = new KeyLookups(source, { retryMs: 20, intervalMs: 0, onFailure: (error) => failures.push(error) });
  const first = lookups.find('a');
  await settled();
  const second = lookups.find('b');
  source.fail(new Error('gone'));
  expect([await first, await second, await lookups.find('c')]).toEqual(['unavailable', 'unavailable', 'unavailable']);
  expect(source.queries).toHaveLength(1);
  expect(failures).toHaveLength(1);
  await Bun.sleep(25);
  const later = lookups.find('valid');
  await settled();
  source.answer();
  expect(await later).toBe(FOUND);
});

test('a query that takes too long is given up by who waits, and no other is sent until it ends', async () => {
  const source = new HeldSource();
  const lookups = new KeyLookups(source, { waitMs: 20, intervalMs: 0 });
  expect(await lookups.find('slow')).toBe('unavailable');
  expect(await lookups.find('b')).toBe('unavailable');
  expect(source.queries).toHaveLength(1);
  source.answer();
  await settled();
  const later = lookups.find('valid');
  await settled();
  source.answer();
  expect(await later).toBe(FOUND);
});
