import { expect, test } from 'bun:test';
import { KeyMask } from '../../src/gateway/key-mask.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';

const KEY = 'fx-live-0123456789abcdefABCDEF';
const encoder = new TextEncoder();
const masked = (key: string, text: string) => Buffer.from(new KeyMask(key).masked(encoder.encode(text))).toString();

test.each([
  ['the whole key', `key ${KEY}!`, `key ${'*'.repeat(KEY.length)}!`],
  ['the first 16 characters', `${KEY.slice(0, 16)}…`, `${'*'.repeat(16)}…`],
  ['the last 16', `x${KEY.slice(-16)}`, `x${'*'.repeat(16)}`],
  ['17 from within', `"${KEY.slice(5, 22)}"`, `"${'*'.repeat(17)}"`],
  ['no 15', `${KEY.slice(0, 15)} ${KEY.slice(-15)}`, `${KEY.slice(0, 15)} ${KEY.slice(-15)}`],
  ['the key twice', KEY + KEY, '*'.repeat(2 * KEY.length)],
  ['a start that turns into the key', `fx-live-fx-live-0123456789abc`, `fx-live-${'*'.repeat(21)}`],
  ['nothing in an empty text', '', ''],
])('%s is masked', (_, text, expected) => {
  expect(masked(KEY, text)).toBe(expected);
});

test('a key shorter than 16 characters is masked as a whole only', () => {
  expect(masked('fx-short', 'fx-short fx-shor x-short')).toBe('******** fx-shor x-short');
});

/** The slow and obvious way: each position that is in a run of the key of that length. */
function naively(key: string, text: string): string {
  const length = Math.min(16, key.length);
  const hidden = new Set<number>();
  for (let at = 0; at + length <= text.length; at++) {
    if (key.includes(text.slice(at, at + length))) for (let i = 0; i < length; i++) hidden.add(at + i);
  }
  return [...text].map((character, at) => (hidden.has(at) ? '*' : character)).join('');
}

/** How much of the end of a text may yet become a run that is masked. */
function undecided(key: string, text: string): number {
  const length = Math.min(16, key.length);
  for (let held = Math.min(length - 1, text.length); held > 0; held--) {
    const at = key.indexOf(text.slice(-held));
    for (let from = at; from !== -1; from = key.indexOf(text.slice(-held), from + 1))
      if (from + length <= key.length) return held;
  }
  return 0;
}

function randomText(random: Random, key: string): string {
  let text = '';
  for (let parts = random(6); parts >= 0; parts--) {
    const from = random(key.length);
    text += pick(random, [key, key.slice(from), key.slice(from, from + 1 + random(30)), 'ab', '', '"message":"', 'b']);
  }
  return text;
}

test('any text in any split is masked as the naive way does it, and no more is held back than may be needed', () => {
  for (let seed = 0; seed < 3000; seed++) {
    const random = randomFrom(seed);
    // Of few letters, so that many runs begin alike.
    const key = Array.from({ length: 1 + random(40) }, () => pick(random, ['a', 'b', 'b', 'c'])).join('');
    const text = randomText(random, key);
    const filter = new KeyMask(key).filter();
    let passed = '';
    for (let at = 0; at < text.length; ) {
      const to = Math.min(text.length, at + 1 + random(20));
      passed += Buffer.from(filter.push(encoder.encode(text.slice(at, to))) ?? []).toString();
      at = to;
      const held = at - passed.length;
      if (held > undecided(key, text.slice(0, at))) throw new Error(`seed ${seed}: ${held} bytes are held back`);
    }
    passed += Buffer.from(filter.end() ?? []).toString();
    if (passed !== naively(key, text)) {
      console.error(`seed ${seed}, key ${key}`);
      expect(passed).toBe(naively(key, text));
    }
  }
});

test('what was lent is not changed, and 1 MB is masked within a moment', () => {
  const bytes = encoder.encode(`${KEY}${'{"error":"fx-live-"}'.repeat(50_000)}`);
  const before = bytes.slice();
  const startedAt = performance.now();
  new KeyMask(KEY).masked(bytes);
  expect(performance.now() - startedAt).toBeLessThan(1000);
  expect(Buffer.compare(bytes, before)).toBe(0);
});
