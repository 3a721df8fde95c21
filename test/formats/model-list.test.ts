import { describe, expect, test } from 'bun:test';
import { ModelList } from '../../src/formats/model-list.ts';

function filtered(json: string, ...allowed: string[]): string | null {
  const list = new ModelList(Buffer.from(json), allowed);
  while (!list.step());
  const left = list.filtered();
  return left && Buffer.from(left).toString();
}

describe('a list of models', () => {
  test.each([
    [
      '{"object":"list","data":[{"id":"a"},{"id":"b"},{"id":"c"}],"more":true}',
      '{"object":"list","data":[{"id":"a"},{"id":"c"}],"more":true}',
    ],
    ['{"data":[{"id":"b"}]}', '{"data":[]}'],
    ['{"data":[]}', '{"data":[]}'],
    ['{"data":[{"id":"b"},{"id":"a"}]}', '{"data":[{"id":"a"}]}'],
    // Not written anew: spaces, numbers and escapes inside an entry stay.
    [
      ' {"data" : [ {"n": 1.0e0, "\\u0069d" : "\\u0061"} ,\n{"id":"b"},\n {"id":"c","x":[{"id":"b"}]} ] } ',
      ' {"data" : [{"n": 1.0e0, "\\u0069d" : "\\u0061"},{"id":"c","x":[{"id":"b"}]}] } ',
    ],
    ['{"data":[{"name":"a"},{"id":7},{"id":["a"]},{"id":null},{}]}', '{"data":[]}'],
    // What is no model must not hide those beside it.
    ['{"data":["a",{"id":"b"},5,null,[{"id":"a"}],{"id":"a"}]}', '{"data":[{"id":"a"}]}'],
    ['{"data":[{"ID":"a"},{"id":"A"},{"id":"a "}]}', '{"data":[]}'],
    // Two parsers could read these differently.
    ['{"data":[{"id":"a","id":"b"},{"id":"b","id":"a"},{"id":"a","id":"c"}]}', '{"data":[{"id":"a","id":"c"}]}'],
    [
      '{"data":[{"id":"b"},{"id":"a"}],"data":[{"id":"b"}],"x":{"data":[{"id":"b"}]}}',
      '{"data":[{"id":"a"}],"data":[],"x":{"data":[{"id":"b"}]}}',
    ],
    ['\ufeff{"data":[{"id":"b"}]}', '\ufeff{"data":[]}'],
  ])('%s', (json, left) => expect(filtered(json, 'a', 'c')).toBe(left));

  test.each([
    '',
    'null',
    '[]',
    '7',
    '"data"',
    '{}',
    '{"data":{}}',
    '{"data":"x"}',
    '{"data":[{"id":"a"}]',
    '{"data":[{"id":"a"}]}x',
    '{"data":[{"id":"a"}],"data":null}',
    '[{"id":"a"}]',
    '{"data":['.repeat(600),
  ])('%.50s is none', (json) => expect(filtered(json, 'a')).toBeNull());

  test('with thousands of entries keeps what is allowed, in order', () => {
    const entries = Array.from({ length: 40_000 }, (_, i) => ({
      id: `model-${i}`,
      object: 'model',
      owned_by: 'x'.repeat(i % 50),
    }));
    const allowed = entries.filter((_, i) => i % 97 === 0);
    const left = filtered(JSON.stringify({ data: entries }, null, 1), ...allowed.map(({ id }) => id));
    expect(JSON.parse(left!)).toEqual({ data: allowed });
  });
});
