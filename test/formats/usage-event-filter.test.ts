import { describe, expect, test } from 'bun:test';
import { UsageEventFilter } from '../../src/formats/usage-event-filter.ts';
import { RECORDED_STREAMS } from '../support/streams.ts';

const CONTENT = 'data: {"choices":[{"delta":{"content":"\\"usage\\":{}"}}],"usage":null}\n\n';
const USAGE = 'data: {"id":"x","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n';
const DONE = 'data: [DONE]\n\n';

function filtered(stream: Uint8Array | string, split: number): string {
  const bytes = Buffer.from(stream);
  const filter = new UsageEventFilter();
  const out: Uint8Array[] = [];
  const keep = (part: Uint8Array | null) => {
    if (part) out.push(part.slice());
  };
  for (let at = 0; at < bytes.length; at += split) keep(filter.push(bytes.subarray(at, at + split)));
  keep(filter.end());
  return Buffer.concat(out).toString();
}

const SPLITS = [1, 2, 3, 7, 64, 1000, 1_000_000];

describe('the usage event that the client did not ask for', () => {
  test.each(SPLITS)('is taken out, and nothing else, split every %d bytes', (split) => {
    expect(filtered(CONTENT + CONTENT + USAGE + DONE, split)).toBe(CONTENT + CONTENT + DONE);
  });

  test.each(['\r\n', '\r'])('is found with line ends %j', (lineEnd) => {
    const as = (text: string) => text.replaceAll('\n', lineEnd);
    for (const split of SPLITS) expect(filtered(as(CONTENT + USAGE + DONE), split)).toBe(as(CONTENT + DONE));
  });

  test('is found when its data is on several lines, behind comments and other fields', () => {
    const usage = ': note\nid: 7\ndata: {"choices": [],\n: ping\ndata: "usage": {"total_tokens": 3}}\n\n';
    // A comment before it is not of it.
    for (const split of SPLITS) expect(filtered(CONTENT + usage + DONE, split)).toBe(`${CONTENT}: note\n${DONE}`);
  });

  test('is found at the very end, without a blank line behind it', () => {
    for (const split of SPLITS) expect(filtered(CONTENT + USAGE.trimEnd(), split)).toBe(CONTENT);
  });

  test.each([
    ['{"usage":{},"choices":null}'],
    ['{"choices":[ ],"usage":{"a":{"b":[1]}},"citations":[],"prompt_filter_results":null,"x":{}}'],
    [
      '{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","service_tier":"default","system_fingerprint":"f","choices":[],"usage":{"total_tokens":3},"obfuscation":"h9RiQLL"}',
    ],
    ['{"usage":null,"choices":[],"usage":{"total_tokens":3}}'],
    ['{"us\\u0061ge":{"total_tokens":3}, "usage":{}}'.replace('"us\\u0061ge":{"total_tokens":3}, ', '')],
  ])('is taken out whatever its choices are: %s', (data) => {
    for (const split of SPLITS) expect(filtered(`${CONTENT}data: ${data}\n\n${DONE}`, split)).toBe(CONTENT + DONE);
  });

  test.each([
    ['{"choices":[],"usage":{"total_tokens":3},"prompt_filter_results":[{"prompt_index":0}]}'],
    ['{"choices":[],"citations":["https://a.example"],"usage":{"total_tokens":3}}'],
    ['{"choices":[],"usage":{"total_tokens":3},"x_groq":{"id":"r"}}'],
    ['{"choices":[],"usage":{"total_tokens":3},"error":{"message":"m"}}'],
    ['{"choices":[],"usage":{"total_tokens":3},"text":"t"}'],
    ['{"choices":[],"usage":{"total_tokens":3},"usage":null}'],
    ['{"choices":[],"usage":[{"total_tokens":3}]}'],
    ['{"choices":{},"usage":{"total_tokens":3},"n":0}'],
    ['{"choices":[{}],"usage":{"total_tokens":3}}'],
    ['{"choices":[[]],"usage":{"total_tokens":3}}'],
    ['{"choices":"","usage":{"total_tokens":3}}'],
    ['[{"choices":[],"usage":{"total_tokens":3}}]'],
    ['{"choices":[],"usage":{"total_tokens":3}}}'],
    ['{"choices":[],"usage":{"total_tokens":3}'],
    ['{"us\\u0061ge":{"total_tokens":3}}'],
    ['{"delta":{"usage":{"total_tokens":3}}}'],
  ])('stays when it carries other data, or is something else: %s', (data) => {
    const stream = `${CONTENT}data: ${data}\n\n${DONE}`;
    for (const split of SPLITS) expect(filtered(stream, split)).toBe(stream);
  });

  test.each([
    ['usage beside choices', 'data: {"choices":[{"delta":{}}],"usage":{"total_tokens":3}}\n\n'],
    [
      'no choices and no usage (content filter results)',
      'data: {"choices":[],"prompt_filter_results":[{"usage":1}],"usage":null}\n\n',
    ],
    ['no JSON', 'data: "usage" {\n\n'],
    ['comments', ': "usage"\n\n'],
  ])('is not confused with an event that has %s', (_, event) => {
    for (const split of SPLITS) expect(filtered(CONTENT + event + DONE, split)).toBe(CONTENT + event + DONE);
  });

  test('a comment passes as it comes, in front of the event too', () => {
    const filter = new UsageEventFilter();
    for (const byte of Buffer.from(`: ping\r\n\r\n:\n: again`))
      expect(filter.push(Uint8Array.of(byte))?.length).toBe(1);
    expect(filter.drop()).toBeFalse();
    expect(Buffer.from(filter.push(Buffer.from(`\n${USAGE}${DONE}`))!).toString()).toBe(`\n${DONE}`);
    expect(filter.drop()).toBeTrue();
  });

  test('another event passes as soon as something in it says so', () => {
    for (const [start, telling] of [
      ['data: {"id":"x","object":"chat.completion.chunk","choices":[', '{'],
      ['data: {"choices":[],"citations":[', '"'],
      ['data: {"usage":{"total_tokens":3},"choices":[],"error":', '{"message":'],
      ['data: {"usage":{"total_tokens":3},"choices":[],"text":', '"'],
      ['data: ', '['],
      ['id: 7\ndata: ', '"'],
    ] as const) {
      const filter = new UsageEventFilter();
      expect(filter.push(Buffer.from(CONTENT + start))?.length).toBe(CONTENT.length);
      expect(Buffer.from(filter.push(Buffer.from(telling)) ?? []).toString()).toBe(start + telling);
      for (const byte of Buffer.from('"text":"t"')) expect(filter.push(Uint8Array.of(byte))?.length).toBe(1);
      expect(filter.drop()).toBeFalse();
    }
  });

  test('with CR alone for line ends nothing of a whole event is held back', () => {
    const filter = new UsageEventFilter();
    const content = CONTENT.replaceAll('\n', '\r');
    expect(filter.push(Buffer.from(content))?.length).toBe(content.length);
    expect(filter.push(Buffer.from(USAGE.replaceAll('\n', '\r')))).toBeNull();
    expect(filter.push(Buffer.from(content))?.length).toBe(content.length);
    expect(filter.drop()).toBeTrue();
  });

  test('is gone with the LF of its last line end, which may come with the next read', () => {
    const filter = new UsageEventFilter();
    expect(filter.push(Buffer.from(USAGE.replaceAll('\n', '\r\n').slice(0, -1)))).toBeNull();
    expect(Buffer.from(filter.push(Buffer.from(`\n${DONE}`))!).toString()).toBe(DONE);
    expect(filter.removedBytes).toBe(USAGE.length + 2);
  });

  test('whole events without usage pass as the read they came in, not a copy', () => {
    const filter = new UsageEventFilter();
    const read = Buffer.from(CONTENT + CONTENT);
    expect(filter.push(read)).toBe(read);
  });

  test('an event too long to be held is passed on before it ends', () => {
    const filter = new UsageEventFilter();
    const long = Buffer.from(`data: {"choices":[],"usage":{"pad":"${'x'.repeat(40_000)}`);
    expect(filter.push(long)?.length).toBe(long.length);
    expect(Buffer.from(filter.push(Buffer.from(`"}}\n\n${USAGE}${DONE}`))!).toString()).toBe(`"}}\n\n${DONE}`);
  });

  test.skipIf(RECORDED_STREAMS.length === 0)('recorded chat streams lose at most that one event', () => {
    for (const stream of RECORDED_STREAMS.filter(({ file }) => file.startsWith('chat-'))) {
      const text = Buffer.from(stream.content).toString();
      const events = text
        .split('\n\n')
        .filter((event) => !(event.includes('"choices":[],') && /"usage":\{/.test(event)));
      for (const split of [13, 4096]) expect(filtered(stream.content, split)).toBe(events.join('\n\n'));
    }
  });
});
