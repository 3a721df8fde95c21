import { describe, expect, test } from 'bun:test';
import { withUsageRequested } from '../../src/formats/usage-request.ts';
import { type BodyFields, readFields } from '../../src/http/body-fields.ts';

function edited(text: string): string | null {
  const bytes = Buffer.from(text);
  const body = withUsageRequested(bytes, (readFields(bytes) as BodyFields).found);
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
    ['{"stream_options":{"include\\u005fusage":false}}', '{"stream_options":{"include\\u005fusage":true}}'],
    [
      '{"stream_options":{"a":{"include_usage":true}}}',
      '{"stream_options":{"include_usage":true,"a":{"include_usage":true}}}',
    ],
    [
      '{"stream_options":{"include_usage":true,"include_usage":false}}',
      '{"stream_options":{"include_usage":true,"include_usage":true}}',
    ],
    [
      '{"stream_options":{"include_usage":true},"stream_options":{}}',
      '{"stream_options":{"include_usage":true},"stream_options":{"include_usage":true}}',
    ],
    ['\ufeff{"stream":true}', '\ufeff{"stream_options":{"include_usage":true},"stream":true}'],
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
    expect(JSON.parse(after.replace('\ufeff', '')).stream_options.include_usage).toBe(true);
  });

  test.each([
    '{"stream_options":{"include_usage":true}}',
    '{"stream_options":{"include_usage": true ,"x":0}}',
    '{"stream_options":"yes"}',
    '{"stream_options":[]}',
    '{"stream_options":7}',
    '{"stream_options":{"include_usage":"false"}}',
    '{"stream_options":{"include_usage":0}}',
    '{"stream_options":{"include_usage":[]}}',
    '{"stream_options":{"include_usage":{"x":false},"y":1}}',
  ])('%s stays as it is', (body) => expect(edited(body)).toBeNull());
});
