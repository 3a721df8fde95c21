/** Every key field keeps its value on each way: JSON, column, text. */
import { describe, expect, test } from 'bun:test';
import { Value } from '@sinclair/typebox/value';
import { ENDPOINT_GROUPS, FIELD_LIST, type FieldProperty, KEY_FIELDS } from '../../src/keys/fields.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';

const CASES = 2_000;
const TEXTS = [
  'a',
  'gpt-4o',
  'é',
  '\u{1F511}',
  "o'clock",
  'a"b',
  '',
  ' ',
  '\n',
  '=',
  ',',
  '[',
  '{',
  'none',
  'null',
  '\0',
  '\ud800',
];

function randomJson(random: Random): unknown {
  const text = () => Array.from({ length: random(4) }, () => pick(random, TEXTS)).join('');
  return pick<() => unknown>(random, [
    () => null,
    () => random(2) === 0,
    () => random(1_000),
    () => -random(3),
    () => random(1_000) / 7,
    () => 10 ** random(20),
    text,
    () => text().repeat(random(300)),
    () => new Date(random(2 ** 31) * 1_000).toISOString(),
    () => Array.from({ length: random(5) }, text),
    () => Array.from({ length: random(5) }, () => pick(random, ENDPOINT_GROUPS)),
    () =>
      Object.fromEntries(
        Array.from({ length: random(10) }, (_, i) => [`${pick(random, ['a', 'b-', 'C'])}${i}`, text()]),
      ),
    () => pick(random, ['drain', 'cancel']),
  ])();
}

test('what a field accepts fits its schema, and comes back from JSON and from a column as it was', () => {
  const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  for (let i = 0; i < CASES; i++) {
    const json = randomJson(random);
    for (const [property, field] of FIELD_LIST) {
      const value = field.parse(json);
      if (value === undefined) continue;
      const said = { seed, property, json };
      expect({ ...said, fits: Value.Check(field.schema, json) }).toEqual({ ...said, fits: true });
      expect({ ...said, value: field.parse(JSON.parse(JSON.stringify(field.toJson(value)))) }).toEqual({
        ...said,
        value,
      });
      expect({ ...said, value: field.fromColumn(field.toColumn(value)) }).toEqual({ ...said, value });
    }
  }
});

test('every default is a value of its field', () => {
  for (const [property, field] of FIELD_LIST) {
    if (field.default === undefined) expect(property).toBe('name');
    else expect([property, field.parse(field.toJson(field.default))]).toEqual([property, field.default]);
  }
});

describe('as text', () => {
  const valueFor = (property: FieldProperty, text: string) => {
    const field = KEY_FIELDS[property];
    return field.parse(field.fromText(text)) as unknown;
  };

  test.each<[FieldProperty, string, unknown]>([
    ['name', 'none', 'none'],
    ['rpmLimit', '007', 7],
    ['rpmLimit', 'none', null],
    ['allowedModels', ' a , b,a ', ['a', 'b']],
    ['allowedModels', '["a,b"]', ['a,b']],
    ['allowedEndpoints', 'chat,models', ['chat', 'models']],
    ['injectStreamUsage', 'TRUE', true],
    ['injectStreamUsage', '0', false],
    ['injectStreamUsage', 'none', null],
    ['onLeave', 'cancel', 'cancel'],
    ['tags', 'a=1,b=x=y,c=', { a: '1', b: 'x=y', c: '' }],
    ['tags', '{"a":"1,2"}', { a: '1,2' }],
    ['tags', '__proto__=x', Object.fromEntries([['__proto__', 'x']])],
    ['tags', 'none', {}],
    ['expiresAt', '1970-01-02', 86_400_000],
  ])('%s: %s', (property, text, value) => {
    expect(valueFor(property, text)).toEqual(value);
  });

  test.each<[FieldProperty, string]>([
    ['name', ''],
    ['rpmLimit', '0'],
    ['rpmLimit', '1e3'],
    ['allowedModels', 'a,,b'],
    ['allowedModels', '[]'],
    ['allowedModels', '{a}'],
    ['allowedEndpoints', 'completion'],
    ['injectStreamUsage', 'yes'],
    ['onLeave', 'Drain'],
    ['tags', 'a'],
    ['tags', 'a=1,b'],
    ['tags', '["a"]'],
    ['expiresAt', '2030-02-30'],
    ['expiresAt', '9999-12-31T23:59:59-00:01'],
  ])('%s refuses %j', (property, text) => {
    expect(valueFor(property, text)).toBeUndefined();
  });
});
