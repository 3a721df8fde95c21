import { describe, expect, test } from 'bun:test';
import { withUsageRequested } from '../../src/formats/usage-request.ts';

function edited(text: string): string | null {
  const body = withUsageRequested(Buffer.from(text));
  return body && Buffer.from(body).toString();
}

describe('asking for usage on behalf of a client', () => {
  test.each([
    ['{"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'],
    [
      ' \n{ "a" : 1.0e0 , "b":[{"stream_options":1}]}',
      ' \n{"stream_options":{"include_usage":true}, "a" : 1.0e0 , "b":[{"stream_options":1}]}',
    ],
    ['{"stream":true,"stream_options":null,"z":1}', '{"stream":true,"stream_options":{"include_usage":true},"z":1}'],
    ['{"stream_options":{},"x":1}', '{"stream_options":{"include_usage":true},"x":1}'],
    ['{"stream_options":{ },"x":1}', '{"stream_options":{"include_usage":true },"x":1}'],
    [
      '{"stream_options": {"other": [1,{"include_usage":true}]} }',
      '{"stream_options": {"include_usage":true,"other": [1,{"include_usage":true}]} }',
    ],
    ['{"stream_options":{"include_usage" : false}}', '{"stream_options":{"include_usage" : true}}'],
    ['{"stream_options":{"include_usage":null }}', '{"stream_options":{"include_usage":true }}'],
    ['{"s\\u0074ream_options":{"include_usage":false}}', '{"s\\u0074ream_options":{"include_usage":true}}'],
    // Of two members with one name parsers take the last.
    [
      '{"stream_options":{"include_usage":true},"stream_options":null}',
      '{"stream_options":{"include_usage":true},"stream_options":{"include_usage":true}}',
    ],
    [
      '{"a":"\\"stream_options\\":{","b":"\\\\"}',
      '{"stream_options":{"include_usage":true},"a":"\\"stream_options\\":{","b":"\\\\"}',
    ],
  ])('%s', (before, after) => {
    expect(edited(before)).toBe(after);
    expect(JSON.parse(after).stream_options.include_usage).toBe(true);
  });

  test.each([
    '{"stream_options":{"include_usage":true}}',
    '{"stream_options":{"include_usage": true ,"x":0}}',
    '{"stream_options":"yes"}',
    '{"stream_options":[]}',
    '{"stream_options":7}',
  ])('%s stays as it is', (body) => expect(edited(body)).toBeNull());
});
