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
    const usage = ': note\nid: 7\ndata: {"choices": [],\ndata: "usage": {"total_tokens": 3}}\n\n';
    for (const split of SPLITS) expect(filtered(CONTENT + usage + DONE, split)).toBe(CONTENT + DONE);
  });

  test('is found at the very end, without a blank line behind it', () => {
    for (const split of SPLITS) expect(filtered(CONTENT + USAGE.trimEnd(), split)).toBe(CONTENT);
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
