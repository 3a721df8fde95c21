import { expect, test } from 'bun:test';
import { MODEL_CHARACTERS_MAX, shortModelName } from '../../src/gateway/model-name.ts';

test.each([
  ['a usual name', 'gpt-4o', 'gpt-4o'],
  ['an empty one', '', ''],
  ['one of just that length', 'é'.repeat(MODEL_CHARACTERS_MAX), 'é'.repeat(MODEL_CHARACTERS_MAX)],
  ['a longer one', 'é'.repeat(MODEL_CHARACTERS_MAX + 1), 'é'.repeat(MODEL_CHARACTERS_MAX)],
  [
    'one with a character across the cut',
    `${'x'.repeat(MODEL_CHARACTERS_MAX - 1)}👋`,
    `${'x'.repeat(MODEL_CHARACTERS_MAX - 1)}\ufffd`,
  ],
])('%s', (_, model, expected) => {
  expect(shortModelName(model)).toBe(expected);
});
