/**
 * Seeded fuzz of the JSON scanner against JSON.parse: whether a text is JSON at all, and what it tells of its members, whole
 * and in pieces. FUZZ_SEED and FUZZ_CASES repeat or extend a run; a failure prints what repeats it.
 */
import { describe, expect, test } from 'bun:test';
import { isUtf8 } from 'node:buffer';
import { scanned } from '../formats/json-oracle.ts';
import { scan } from '../formats/recorded-scan.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_601);
const CASES = Number(process.env.FUZZ_CASES ?? 40_000);
const encoder = new TextEncoder();

const NUMBERS = ['0', '-0', '7', '10', '-12', '3.5', '-0.25', '1e5', '1E+2', '2e-3', '0.0e0', '1e999', '-1e-999',
  '123456789012345678901234567890', '9007199254740993', '0.1000']; // biome-ignore format: a table
const NO_NUMBERS = ['01', '-', '+1', '.5', '1.', '1e', '1e+', '--1', '0x10', 'NaN', 'Infinity', '-Infinity', '1_0', '00']; // biome-ignore format: a table
const STRINGS = ['', 'a', 'in', 'list', 'no', 'model', 'Hello, world', 'héllo 🌍', '€ \u2028\u2029', '\\n\\t\\r\\b\\f\\/', '\\"', '\\\\',
  '\\\\\\"', '\\u0041\\u00e9', '\\ud83d\\ude00', '\\ud800', '\\udc00\\ud83d', '\\u0000', 'x'.repeat(70), `${'y'.repeat(300)}\\"z`,
  `${'ü'.repeat(90)}`, '漢字'.repeat(40), '\\u00fc'.repeat(30), '[{"no":1}]'.replaceAll('"', '\\"'), '\u007f']; // biome-ignore format: a table
const NO_STRINGS = ['\\x', '\\u12', '\\u12g4', '\\', '\n', '\t', '\u0000', '\u001f', '\\U0041', '"', '\\\u00e9', `${'x'.repeat(50)}\n${'y'.repeat(50)}`, `${'漢'.repeat(30)}\u001f`]; // biome-ignore format: a table
const BLANKS = ['', '', '', '', ' ', '\n', '\r\n', '\t', '  \n  '];
const LITERALS = ['true', 'false', 'null'];
const NO_LITERALS = ['tru', 'True', 'nul', 'falsee', 'undefined', 'nulll', 't', 'TRUE'];

/** One in so many tokens is wrong. */
function value(random: Random, depth: number, wrongOneIn: number): string {
  const wrong = random(wrongOneIn) === 0;
  const kind = random(depth > 5 ? 5 : 8);
  const blank = () => pick(random, BLANKS);
  if (kind < 2) return `"${pick(random, wrong ? NO_STRINGS : STRINGS)}"`;
  if (kind < 4) return pick(random, wrong ? NO_NUMBERS : NUMBERS);
  if (kind === 4) return pick(random, wrong ? NO_LITERALS : LITERALS);
  const count = random(5);
  const comma = () => `${blank()}${random(wrongOneIn) === 0 ? pick(random, ['', ',,', ';']) : ','}${blank()}`;
  let text = '';
  if (kind === 5) {
    for (let i = 0; i < count; i++) text += (i > 0 ? comma() : '') + value(random, depth + 1, wrongOneIn);
    return `[${blank()}${text}${wrong ? pick(random, [',', '}', '']) : ''}${blank()}]`;
  }
  for (let i = 0; i < count; i++) {
    const colon = random(wrongOneIn) === 0 ? pick(random, ['', '::', ',']) : ':';
    const name = pick(random, random(2) === 0 ? ['in', 'list', 'no', 'a'] : STRINGS);
    text += `${i > 0 ? comma() : ''}"${name}"${blank()}${colon}${blank()}${value(random, depth + 1, wrongOneIn)}`;
  }
  return `{${blank()}${text}${wrong ? pick(random, [',', ']', '']) : ''}${blank()}}`;
}

function document(random: Random): Uint8Array {
  const kind = random(20);
  if (kind === 0) return nested(random);
  const text = `${pick(random, BLANKS)}${value(random, 0, pick(random, [3, 30, 1_000_000]))}${pick(random, BLANKS)}`;
  const marked = random(15) === 0 ? `\uFEFF${random(5) === 0 ? '\uFEFF' : ''}${text}` : text;
  if (kind === 1)
    return encoder.encode(`${marked}${pick(random, ['x', ',', '{}', '1', '"', '\u0000', ' ', '\uFEFF'])}`);
  const bytes = encoder.encode(marked);
  if (kind === 2) return bytes.subarray(0, random(bytes.length + 1));
  if (kind < 6) return mutated(random, bytes);
  return bytes;
}

function nested(random: Random): Uint8Array {
  const depth = pick(random, [511, 512, 513, 600, 5000]);
  const open = pick(random, ['[', '{"in":', '[{"a":', '{"list":[']);
  const pairs = Math.max(1, Math.floor(depth / open.replace(/[^[{]/g, '').length));
  const close = open.replace(/[^[{]/g, '').replaceAll('[', ']').replaceAll('{', '}').split('').reverse().join('');
  return encoder.encode(`${open.repeat(pairs)}1${close.repeat(random(6) === 0 ? pairs - 1 : pairs)}`);
}

function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const result = Array.from(bytes);
  for (let count = 1 + random(3); count > 0; count--) {
    const at = random(result.length + 1);
    const byte = random(3) === 0 ? random(256) : pick(random, Array.from(encoder.encode('"\\{}[]:,\n tfn0-+.eu')));
    const kind = random(3);
    if (kind === 0) result.splice(at, 1);
    else if (kind === 1) result.splice(at, 0, byte);
    else if (at < result.length) result[at] = byte;
  }
  return Uint8Array.from(result);
}

function pieces(random: Random, bytes: Uint8Array): Uint8Array[] {
  const longest = pick(random, [1, 1, 3, 10, 100, 1000]);
  const result: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = from + 1 + random(longest);
    result.push(bytes.subarray(from, to));
    from = to;
  }
  return result;
}

/** The scanner leaves UTF-8 to its caller. */
function found(bytes: Uint8Array, split: readonly Uint8Array[]) {
  return isUtf8(bytes) ? scan(split) : null;
}

describe(`JSON scanner fuzz, FUZZ_SEED=${SEED} FUZZ_CASES=${CASES}`, () => {
  test('takes what JSON.parse takes, and tells the same for every split', () => {
    let taken = 0;
    for (let index = 0; index < CASES; index++) {
      const seed = (SEED + index) >>> 0;
      const random = randomFrom(seed);
      const bytes = document(random);
      const expected = scanned(bytes);
      if (expected !== null) taken++;
      for (const split of [[bytes], pieces(random, bytes)]) {
        const told = found(bytes, split);
        if (Bun.deepEquals(told, expected)) continue;
        console.error(
          `FUZZ_SEED=${seed} FUZZ_CASES=1 repeats it: ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`,
        );
        expect(told).toEqual(expected);
      }
    }
    // Neither all nor none of them, or the test would say little.
    if (CASES >= 1000) expect(taken / CASES).toBeWithin(0.3, 0.8);
  }, 600_000);

  test('random bytes are taken when JSON.parse takes them', () => {
    const marks = encoder.encode('"\\{}[]:, tru0-1.e5');
    for (let index = 0; index < CASES; index++) {
      const seed = (SEED + 1_000_000_007 + index) >>> 0;
      const random = randomFrom(seed);
      const bytes = Uint8Array.from({ length: random(12) }, () => pick(random, [...marks]));
      const expected = scanned(bytes);
      const told = found(bytes, pieces(random, bytes));
      if (Bun.deepEquals(told, expected)) continue;
      console.error(`FUZZ_SEED=${seed - 1_000_000_007} FUZZ_CASES=1 repeats it: ${Buffer.from(bytes).toString()}`);
      expect(told).toEqual(expected);
    }
  }, 600_000);
});
