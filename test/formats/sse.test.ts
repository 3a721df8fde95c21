import { describe, expect, test } from 'bun:test';
import { SseScanner } from '../../src/formats/sse.ts';

const encoder = new TextEncoder();

/** The events of a text, in pieces of `size` bytes. */
function scan(text: string, size = text.length * 4 + 1) {
  const bytes = encoder.encode(text);
  const events: string[] = [];
  let data = '';
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const scanner = new SseScanner({
    data(piece, from, to) {
      data += decoder.decode(piece.subarray(from, to), { stream: true });
    },
    end() {
      events.push(`${['ping', 'a b', ''].find((name) => scanner.name.equals(encoder.encode(name))) ?? '?'}|${data}`);
      data = '';
    },
  });
  for (let at = 0; at < bytes.length; at += size) scanner.push(bytes.subarray(at, at + size), 0, false);
  return { events, open: data, atBoundary: scanner.atBoundary };
}

/** The grammar, as cases: text → events as `name|data`. */
const CASES: [name: string, text: string, events: string[]][] = [
  [
    'LF, CRLF and CR all end lines',
    'data: 1\n\ndata: 2\r\n\r\ndata: 3\r\rdata: 4\n\r\ndata: 5\r\n\ndata: 6\r\n\r',
    ['|1', '|2', '|3', '|4', '|5', '|6'],
  ],
  ['CRLF is one line end', 'data: 1\r\ndata: 2\r\n\r\n', ['|1\n2']],
  [
    'one space behind the colon is dropped, no more',
    'data:1\n\ndata: 2\n\ndata:  3\n\ndata:\t4\n\n',
    ['|1', '|2', '| 3', '|\t4'],
  ],
  ['data lines are joined by LF', 'data: 1\ndata:\ndata\ndata: 2\n\n', ['|1\n\n\n2']],
  ['empty data is data', 'data\n\ndata:\n\n', ['|', '|']],
  ['an event without data is dropped, and its name with it', 'event: ping\n\ndata: 1\n\n', ['|1']],
  [
    'the event field names the event; the last one wins',
    'event: no\nevent: ping\ndata: 1\n\nevent:a b\ndata: 2\n\n',
    ['ping|1', 'a b|2'],
  ],
  [
    'an event field without value or colon takes the name back',
    'event: ping\nevent\ndata: 1\n\nevent: ping\nevent:\ndata: 2\n\n',
    ['|1', '|2'],
  ],
  ['a name beyond the buffer is no known name', `event: ${'ping'.repeat(1000)}\ndata: 1\n\n`, ['?|1']],
  [
    'comments and unknown fields are passed by',
    ': hi\n:data: 0\nid: 7\nretry: 1\ndatax: 0\ndat: 0\ndata : 0\n data: 0\nDATA: 0\ndata: 1\n\n',
    ['|1'],
  ],
  ['a BOM at the start is passed by', '\uFEFFdata: 1\n\n', ['|1']],
  ['a second BOM, or one further on, is not', '\uFEFF\uFEFFdata: 1\n\n\uFEFFdata: 2\n\ndata: 3\n\n', ['|3']],
  ['colons, quotes and multi-byte characters are data', 'data: a:b: "é🌍"\n\n', ['|a:b: "é🌍"']],
  ['an event without its blank line is not given', 'data: 1\n\ndata: 2\n', ['|1']],
  ['a NUL is a byte like any other', 'data: \0\n\nevent\0: ping\ndata: 1\n\n', ['|\0', '|1']],
];

describe('the event scanner', () => {
  for (const [name, text, events] of CASES) {
    test(`${name}, in reads of any size`, () => {
      for (const size of [1, 2, 3, 5, 7, 64, 100_000]) expect(scan(text, size).events).toEqual(events);
    });
  }

  test('gives the same for a stream cut in two anywhere, also inside CRLF and inside a BOM', () => {
    const bytes = encoder.encode('\uFEFF: c\r\nevent: ping\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata: 2\r\rdata\n\n');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const events: string[] = [];
      let data = '';
      const scanner = new SseScanner({
        data(piece, from, to) {
          data += Buffer.from(piece.subarray(from, to)).toString();
        },
        end() {
          events.push(data);
          data = '';
        },
      });
      scanner.push(bytes.subarray(0, cut), 0, false);
      scanner.push(bytes.subarray(cut), 0, false);
      expect(events).toEqual(['{"a":\n1}', '2', '']);
    }
  });

  test('hands on data as it comes, not when its line ends', () => {
    expect(scan('data: half of a li').open).toBe('half of a li');
  });

  test('stops behind the first blank line when asked', () => {
    const scanner = new SseScanner({ data() {}, end() {} });
    const bytes = encoder.encode('data: 1\r\n\r\ndata: 2\n\n');
    expect(scanner.push(bytes, 0, true)).toBe(11);
    expect(scanner.push(bytes, 11, true)).toBe(bytes.length);
  });

  const BOUNDARIES: [text: string, atBoundary: boolean][] = [
    ['', true],
    ['\uFEFF', true],
    ['data: 1\n\n', true],
    ['data: 1\r\n\r', true],
    ['data: 1\n\n: comment\n', true],
    ['data: 1\n\n\n', true],
    ['data: 1\n\n: comm', false],
    ['d', false],
    ['data: 1', false],
    ['data: 1\n', false],
    ['data: 1\r\n', false],
    ['event: ping\n', false],
    ['id: 1\n', false],
    ['data: 1\n: comment\n', false],
  ];
  for (const [text, atBoundary] of BOUNDARIES) {
    test(`${JSON.stringify(text)} ${atBoundary ? 'ends' : 'does not end'} at an event boundary`, () => {
      for (const size of [1, 100]) expect(scan(text, size).atBoundary).toBe(atBoundary);
    });
  }

  test('part of a BOM is no boundary, and what turns out to be none is a line of no interest', () => {
    const scanner = new SseScanner({
      data() {
        throw new Error('no data expected');
      },
      end() {},
    });
    scanner.push(Uint8Array.of(0xef, 0xbb), 0, false);
    expect(scanner.atBoundary).toBe(false);
    scanner.push(encoder.encode('data: 1\n\n'), 0, false);
    expect(scanner.atBoundary).toBe(true);
  });
});
