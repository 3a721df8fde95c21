import { expect, test } from 'bun:test';
import { HeaderBlock } from '../../src/upstream/header-block.ts';

test('a block is its fields, each ended by CRLF', () => {
  expect(new HeaderBlock([]).text).toBe('');
  expect(
    new HeaderBlock([
      ['authorization', 'Bearer fx'],
      ['x-empty', ''],
    ]).text,
  ).toBe('authorization: Bearer fx\r\nx-empty: \r\n');
});

test.each([
  ['a', 'b\r\nc: d'],
  ['a', 'b\n'],
  ['a', '\0'],
  ['a', '\u010a'],
  ['a b', 'c'],
  ['a:', 'c'],
  ['', 'c'],
])('a field that cannot be sent is refused when the block is made: %j: %j', (name, value) => {
  expect(() => new HeaderBlock([[name, value]])).toThrow('invalid header field');
});
