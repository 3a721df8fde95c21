/** The strict reader, one line per rule. `§` alone is RFC 9112; the others are named. */
import { describe, expect, test } from 'bun:test';
import { HEAD_BYTES_MAX } from '../../src/upstream/http1.ts';
import { Http1Error } from '../../src/upstream/http1-head.ts';
import { SHARED_BYTES } from '../../src/upstream/payload.ts';
import { ReaderLog, readWire, TellingReader } from './read-responses.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const everyByte = (wire: string) => Array.from({ length: wire.length - 1 }, (_, i) => i + 1);

/** Whole, byte by byte, and cut in two at every position (of short ones): the same. */
function expectSameHoweverCut(wire: string): ReaderLog {
  const whole = readWire(wire);
  expect(readWire(wire, everyByte(wire)).summary).toBe(whole.summary);
  const step = Math.max(1, Math.floor(wire.length / 200));
  for (let at = 1; at < wire.length; at += step) expect(readWire(wire, [at]).summary).toBe(whole.summary);
  return whole;
}

describe('a valid response is read', () => {
  test.each<[section: string, what: string, wire: string, body: string, reusable: boolean]>([
    ['§6.2', 'a length', `${OK}content-length: 5\r\n\r\nhello`, 'hello', true],
    ['§6.2', 'a length of 0', `${OK}content-length: 0\r\n\r\n`, '', true],
    ['§6.2', 'a length with leading zeros', `${OK}content-length: 0005\r\n\r\nhello`, 'hello', true],
    ['§6.3', 'the same length on two lines', `${OK}content-length: 5\r\nContent-Length: 5\r\n\r\nhello`, 'hello', true],
    ['§6.3', 'the same length twice on one line', `${OK}content-length: 5,\t5\r\n\r\nhello`, 'hello', true],
    ['§7.1', 'chunks', `${CHUNKED}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`, 'hello world', true],
    ['§7.1', 'no chunk but the last', `${CHUNKED}0\r\n\r\n`, '', true],
    ['§7.1', 'a last chunk of several zeros', `${CHUNKED}1\r\nx\r\n0000\r\n\r\n`, 'x', true],
    ['§7.1', 'sizes with leading zeros', `${CHUNKED}0005\r\nhello\r\n0\r\n\r\n`, 'hello', true],
    [
      '§7.1',
      'sizes in either case',
      `${CHUNKED}A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n`,
      '01234567890123456789a',
      true,
    ],
    ['RFC 9110 §5.6.3', 'a padded size', `${CHUNKED}5  \t\r\nhello\r\n0 \r\n\r\n`, 'hello', true],
    [
      'RFC 9110 §5.6.3',
      'blanks around an extension',
      `${CHUNKED}5 \t; a = b \r\nhello\r\n0 ;last\r\n\r\n`,
      'hello',
      true,
    ],
    [
      'RFC 9110 §5.6.1',
      'an empty element before chunked',
      `${OK}transfer-encoding: ,chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
      'hello',
      true,
    ],
    [
      'RFC 9110 §8.6',
      'a length with many leading zeros',
      `${OK}content-length: ${'0'.repeat(40)}5\r\n\r\nhello`,
      'hello',
      true,
    ],
    [
      '§7.1.1',
      'long extensions on chunks as long',
      `${CHUNKED}${`1f4;${'e'.repeat(1_000)}\r\n${'x'.repeat(500)}\r\n`.repeat(40)}0\r\n\r\n`,
      'x'.repeat(20_000),
      true,
    ],
    [
      '§7.1.1',
      'a short extension on every byte',
      `${CHUNKED}${'1;n=12345\r\nx\r\n'.repeat(5_000)}0\r\n\r\n`,
      'x'.repeat(5_000),
      true,
    ],
    ['§7.1.1', 'chunk extensions', `${CHUNKED}5;a;b=c; d="e;\xe9"\r\nhello\r\n0;last\r\n\r\n`, 'hello', true],
    ['§7.1.2', 'trailers', `${CHUNKED}1\r\nx\r\n0\r\nX-Sum: 1\r\nx-empty:\r\nx-obs: \xff\t\r\n\r\n`, 'x', true],
    ['§7', 'the coding in upper case', `${OK}Transfer-Encoding:CHUNKED\r\n\r\n1\r\nx\r\n0\r\n\r\n`, 'x', true],
    ['§9.3', 'connection: close', `${OK}content-length: 1\r\nconnection: Close\r\n\r\nx`, 'x', false],
    ['§9.3', 'close among other options', `${OK}content-length: 1\r\nconnection: x, close\r\n\r\nx`, 'x', false],
    ['§9.3', 'HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx', 'x', false],
    [
      '§9.3',
      'HTTP/1.0 that is kept',
      'HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 1\r\n\r\nx',
      'x',
      true,
    ],
    [
      '§9.3',
      'close wins',
      'HTTP/1.0 200 OK\r\nconnection: keep-alive, close\r\ncontent-length: 1\r\n\r\nx',
      'x',
      false,
    ],
    ['§4', 'no reason phrase', 'HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx', 'x', true],
    ['§4', 'an empty reason phrase', 'HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\nx', 'x', true],
    ['§4', 'obs-text in the reason phrase', 'HTTP/1.1 200 \xe9\xff\r\ncontent-length: 1\r\n\r\nx', 'x', true],
    ['§5', 'blanks around a value', `${OK}content-length: \t 1 \t \r\n\r\nx`, 'x', true],
    ['RFC 9110 §5.5', 'obs-text in a value', `${OK}x-a: caf\xe9 \x80\xff\r\ncontent-length: 1\r\n\r\nx`, 'x', true],
    [
      'RFC 9110 §5.6.2',
      'every letter of a token',
      `${OK}!#$%&'*+-.^_\`|~09AZaz: 1\r\ncontent-length: 1\r\n\r\nx`,
      'x',
      true,
    ],
    [
      'RFC 9110 §15.2',
      'interim heads are skipped',
      `HTTP/1.1 100\r\n\r\nHTTP/1.1 103 x\r\nlink: a\r\n\r\n${OK}content-length: 1\r\n\r\nx`,
      'x',
      true,
    ],
    [
      'RFC 9110 §15.2',
      'sixteen interim heads',
      `${'HTTP/1.1 102 On it\r\n\r\n'.repeat(16)}${OK}content-length: 1\r\n\r\nx`,
      'x',
      true,
    ],
    ['§6.3', 'a 204 ends with its head', 'HTTP/1.1 204 No Content\r\n\r\n', '', true],
    ['§6.3', 'a 204 whatever it announces', 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', '', false],
    ['§6.3', 'a 304 that announces nothing', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 0\r\n\r\n', '', true],
    [
      '§6.3',
      'a 304 with the length of what it stands for',
      'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n',
      '',
      false,
    ],
  ])('%s %s', (_section, _what, wire, body, reusable) => {
    const log = expectSameHoweverCut(wire);
    expect([log.error, log.responses.length, log.last!.complete, log.body.toString('latin1')]).toEqual([
      undefined,
      1,
      true,
      body,
    ]);
    expect([log.reusableAtEnd, log.reader.reusable]).toEqual([reusable, reusable]);
    expect([log.reader.closedInOrder(), log.responses.length]).toEqual([true, 1]);
  });

  test.each([
    ['HTTP/1.1', OK],
    ['HTTP/1.0', 'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n'],
  ])('§6.3 a body without a length (%s) ends with its connection, which is not used again', (_, start) => {
    const log = expectSameHoweverCut(`${start}\r\nhello\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`);
    expect([log.last!.complete, log.body.toString()]).toEqual([false, 'hello\r\n\r\nHTTP/1.1 200 OK\r\n\r\n']);
    expect([log.reader.closedInOrder(), log.last!.complete, log.reader.reusable]).toEqual([true, true, false]);
  });

  test('RFC 9110 §9.3.2 the answer to a HEAD has no body, whatever its framing says', () => {
    for (const framing of ['content-length: 5', 'transfer-encoding: chunked', 'x-a: b']) {
      const log = new ReaderLog();
      for (let i = 0; i < 2; i++) {
        log.reader.expect(true);
        log.push(Buffer.from(`${OK}${framing}\r\n\r\n`));
        expect([log.error, log.responses.length, log.last!.complete, log.reader.reusable]).toEqual([
          undefined,
          i + 1,
          true,
          true,
        ]);
      }
      log.reader.expect(false);
      log.push(Buffer.from(`${OK}content-length: 1\r\n\r\nx`));
      expect([log.body.toString(), log.last!.complete]).toEqual(['x', true]);
    }
  });

  test('§5 fields are found by lower-case name, their lines joined', () => {
    const { headers } = readWire(`${OK}X-A: 1\r\nx-a:2\r\nx-b: \r\n\r\n`).last!.head;
    expect([headers.get('x-a'), headers.get('x-b'), headers.get('x-c')]).toEqual(['1, 2', '', null]);
  });

  test('§3 (of a message) several responses on one connection, whatever the one before was', () => {
    const log = new ReaderLog();
    const extension = `;${'e'.repeat(3_000)}`;
    const trailers = `x-t: ${'t'.repeat(12_000)}\r\n`;
    for (let i = 0; i < 5; i++) {
      log.reader.expect();
      log.push(
        Buffer.from(
          `${'HTTP/1.1 100\r\n\r\n'.repeat(10)}${CHUNKED}1${extension}\r\n${i}\r\n0${extension}\r\n${trailers}\r\n`,
        ),
      );
      expect([log.error, log.body.toString(), log.reader.reusable]).toEqual([undefined, `${i}`, true]);
    }
  });
});

describe('an invalid head is refused', () => {
  const tooMany = 'x-a: b\r\n'.repeat(201);
  test.each<[section: string, what: string, wire: string]>([
    ['§6.3', 'both transfer-encoding and length', `${OK}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n`],
    ['§6.3', 'both, the other way round', `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`],
    ['§6.1', 'both in a 204', 'HTTP/1.1 204 x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['§6.3', 'two lengths that differ', `${OK}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`],
    ['§6.3', 'two lengths that are written differently', `${OK}content-length: 5\r\ncontent-length: 05\r\n\r\nhello`],
    ['§6.3', 'a list of lengths that differ', `${OK}content-length: 5, 6\r\n\r\nhello!`],
    ['§6.3', 'a list with a gap', `${OK}content-length: 5,\r\n\r\nhello`],
    ['§6.2', 'a negative length', `${OK}content-length: -5\r\n\r\n`],
    ['§6.2', 'a length with a sign', `${OK}content-length: +5\r\n\r\nhello`],
    ['§6.2', 'a length in hexadecimal', `${OK}content-length: 0x5\r\n\r\nhello`],
    ['§6.2', 'a length with a point', `${OK}content-length: 5.0\r\n\r\nhello`],
    ['§6.2', 'a length with a blank inside', `${OK}content-length: 5 0\r\n\r\nhello`],
    ['§6.2', 'an empty length', `${OK}content-length:\r\n\r\n`],
    ['§6.2', 'a length that overflows', `${OK}content-length: 18446744073709551621\r\n\r\nhello`],
    ['§6.2', 'a length that is no safe integer', `${OK}content-length: 9007199254740993\r\n\r\nhello`],
    ['§6.2', 'an invalid length in a 304', 'HTTP/1.1 304 x\r\ncontent-length: -1\r\n\r\n'],
    ['§5.1', 'a space before the colon', `${OK}content-length : 5\r\n\r\nhello`],
    ['§5.1', 'a tab before the colon', `${OK}content-length\t: 5\r\n\r\nhello`],
    ['§5.2', 'a folded line (obs-fold)', `${OK}x-a: 1\r\n 2\r\ncontent-length: 5\r\n\r\nhello`],
    ['§5.2', 'a folded line, by tab', `${OK}x-a: 1\r\n\tb: 2\r\ncontent-length: 5\r\n\r\nhello`],
    ['§2.2', 'a space before the first field', `${OK} x-a: 1\r\n\r\n`],
    ['§5', 'no colon', `${OK}x-a\r\n\r\n`],
    ['§5', 'no name', `${OK}: 5\r\n\r\n`],
    ['RFC 9110 §5.1', 'a name that is no token', `${OK}x(a): 5\r\n\r\n`],
    ['RFC 9110 §5.1', 'obs-text in a name', `${OK}x\xe9: 5\r\n\r\n`],
    ['RFC 9110 §5.5', 'NUL in a value', `${OK}x-a: a\0b\r\n\r\n`],
    ['RFC 9110 §5.5', 'NUL in a name', `${OK}x\0a: b\r\n\r\n`],
    ['RFC 9110 §5.5', 'another control in a value', `${OK}x-a: a\x08b\r\n\r\n`],
    ['RFC 9110 §5.5', 'DEL in a value', `${OK}x-a: a\x7fb\r\n\r\n`],
    ['§2.2', 'a bare CR in a value', `${OK}x-a: a\rb: c\r\n\r\n`],
    ['§2.2', 'a bare CR before CRLF', `${OK}x-a: a\r\r\n\r\n`],
    ['§2.2', 'a bare LF in a value', `${OK}x-a: a\nb: c\r\n\r\n`],
    ['§2.2', 'lines that end in LF', 'HTTP/1.1 200 OK\ncontent-length: 5\n\nhello'],
    ['§2.2', 'a head that ends in LF LF', `${OK}content-length: 5\n\nhello`],
    ['§2.2', 'a bare CR in the status line', 'HTTP/1.1 200 O\rK\r\n\r\n'],
    ['§4', 'NUL in the status line', 'HTTP/1.1 200 O\0K\r\n\r\n'],
    ['§6.1', 'an unknown transfer-encoding', `${OK}transfer-encoding: gzip\r\n\r\n`],
    ['§6.1', 'an empty element behind chunked', `${OK}transfer-encoding: chunked,\r\n\r\n0\r\n\r\n`],
    ['§6.1', 'chunked twice', `${OK}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
    ['§6.1', 'another coding before chunked', `${OK}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['§6.1', 'chunked twice', `${OK}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['§6.1', 'chunked but not last', `${OK}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['§6.1', 'chunked with a parameter', `${OK}transfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n`],
    ['§6.1', 'an empty transfer-encoding', `${OK}transfer-encoding:\r\n\r\n`],
    ['§6.1', 'transfer-encoding in HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['RFC 9110 §15.2.2', 'a switch of protocols', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n'],
    ['RFC 9110 §15.2', 'more than sixteen interim heads', `${'HTTP/1.1 100 x\r\n\r\n'.repeat(17)}${OK}\r\n`],
    ['RFC 9110 §15', 'a status of two digits', 'HTTP/1.1 99 x\r\n\r\n'],
    ['RFC 9110 §15', 'a status of four digits', 'HTTP/1.1 2000 x\r\n\r\n'],
    ['RFC 9110 §15', 'a status below 100', 'HTTP/1.1 099 x\r\n\r\n'],
    ['RFC 9110 §15', 'a status above 599', 'HTTP/1.1 600 x\r\n\r\n'],
    ['§4', 'no status', 'HTTP/1.1 \r\n\r\n'],
    ['§4', 'two spaces before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['§4', 'a space before the protocol', ' HTTP/1.1 200 OK\r\n\r\n'],
    ['§2.2', 'an empty line before the status line', `\r\n${OK}\r\n`],
    ['§2.3', 'HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n'],
    ['§2.3', 'HTTP/2 by name', 'HTTP/2 200 OK\r\n\r\n'],
    ['§2.3', 'HTTP in lower case', 'http/1.1 200 OK\r\n\r\n'],
    ['§2.3', 'ICY', 'ICY 200 OK\r\n\r\n'],
    ['§2.3', 'the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['§2.3', 'a SETTINGS frame of HTTP/2', '\0\0\x12\x04\0\0\0\0\0'],
    ['§2.1', 'TLS', '\x15\x03\x01\0\x02\x02\x28'],
    ['§2.1', 'SMTP', '220 mail.example ESMTP\r\n'],
    ['§2.1', 'a request', 'GET / HTTP/1.1\r\n\r\n'],
    ['§2.1', 'body without a head', '{"error":"x"}'],
    ['§5', 'more than 200 fields', `${OK}${tooMany}\r\n`],
  ])('%s %s', (_section, _what, wire) => {
    const log = expectSameHoweverCut(wire);
    expect(log.error).toBeInstanceOf(Http1Error);
    expect([log.responses.length, log.reader.reusable]).toEqual([0, false]);
  });

  test('§5 200 fields are read', () => {
    expect(readWire(`${OK}${'x-a: b\r\n'.repeat(199)}content-length: 0\r\n\r\n`).last!.complete).toBe(true);
  });

  test('§2.2 lines that end in LF are refused when the first has come, without waiting for a head that never ends', () => {
    for (const at of [16, 20]) expect(readWire('HTTP/1.1 200 OK\ncontent', [at]).error?.message).toBe('LF without CR');
    expect(readWire('GARB').error?.message).toBe('not HTTP/1.x');
  });

  test.each([-1, 0, 1, 2, 3, 4, 5])('§5 a head of 64 KiB %d: the limit is the same however it comes', (over) => {
    const value = 'v'.repeat(HEAD_BYTES_MAX + over - `${OK}x: \r\ncontent-length: 0`.length);
    const wire = `${OK}x: ${value}\r\ncontent-length: 0\r\n\r\n`;
    const cuts = [
      [],
      [1],
      [wire.length - 1],
      [wire.length - 2],
      [wire.length - 3],
      [wire.length - 4],
      [wire.length - 5],
    ];
    for (const at of cuts)
      expect([at, readWire(wire, at).error?.message]).toEqual([at, over > 0 ? 'head too large' : undefined]);
  });

  test('§5 a head without end is refused at 64 KiB, in small reads and in large ones', () => {
    for (const size of [100, 65_536, 1_000_000]) {
      const log = new ReaderLog();
      log.reader.expect();
      log.push(Buffer.from(OK));
      const line = Buffer.from(`x: ${'v'.repeat(size)}\r\n`);
      let pushed = 0;
      for (; !log.error && pushed < 2 * HEAD_BYTES_MAX; pushed += line.length) log.push(line);
      expect(log.error?.message).toBe('head too large');
    }
  });

  test('§2.2 a head of 64 KiB that comes byte by byte costs no more than its bytes', () => {
    const lines = Buffer.from(`${OK}${'a\r\n'.repeat(20_000)}`);
    const log = new ReaderLog();
    log.reader.expect();
    log.push(...Array.from(lines, (byte) => Buffer.of(byte)));
    expect([log.error, log.responses.length]).toEqual([undefined, 0]);
  });
});

describe('an invalid body is refused, and what was right before is handed on', () => {
  const GOOD = '5\r\nhello\r\n';
  test.each<[section: string, what: string, wire: string, body: string]>([
    ['§7.1', 'a size that is no number', `${GOOD}x\r\n`, 'hello'],
    ['§7.1', 'a size with a prefix', `${GOOD}0x5\r\nhello\r\n`, 'hello'],
    ['§7.1', 'a size with a sign', `${GOOD}-5\r\nhello\r\n`, 'hello'],
    ['§7.1', 'a size with a plus', `${GOOD}+5\r\nhello\r\n`, 'hello'],
    ['§7.1', 'a size with an underscore', `${GOOD}1_0\r\n`, 'hello'],
    ['§7.1', 'no size', `${GOOD}\r\nhello\r\n`, 'hello'],
    ['§7.1', 'an extension without a size', `${GOOD};a\r\nhello\r\n`, 'hello'],
    ['§7.1', 'a space before the size', `${GOOD} 5\r\nhello\r\n`, 'hello'],
    ['§7.1.1', 'a digit behind a padded size', `${GOOD}5 5\r\nhello\r\n`, 'hello'],
    ['§7.1.1', 'a blank before a size', `${GOOD} 5\r\nhello\r\n`, 'hello'],
    ['§7.1.1', 'padding without end', `${GOOD}5${' '.repeat(70_000)}`, 'hello'],
    ['§7.1', 'a size of more than 2 GiB', `${GOOD}80000001\r\n`, 'hello'],
    ['§7.1', 'a size that overflows 32 bits', `${GOOD}100000005\r\nhello\r\n`, 'hello'],
    ['§7.1', 'a size that overflows 64 bits', `${GOOD}10000000000000005\r\nhello\r\n`, 'hello'],
    ['§7.1', 'a size without end', `${GOOD}${'f'.repeat(70_000)}`, 'hello'],
    ['§7.1', 'leading zeros without end', `${GOOD}${'0'.repeat(70_000)}`, 'hello'],
    [
      '§7.1.1',
      'a long extension on every byte',
      `${GOOD}${`1;${'e'.repeat(1_000)}\r\nx\r\n`.repeat(30)}`,
      `hello${'x'.repeat(16)}`,
    ],
    [
      '§7.1',
      'many zeros before every byte',
      `${GOOD}${`${'0'.repeat(1_000)}1\r\nx\r\n`.repeat(30)}`,
      `hello${'x'.repeat(16)}`,
    ],
    ['§7.1.1', 'an extension without end', `${GOOD}5;${'e'.repeat(70_000)}`, 'hello'],
    ['§7.1.2', 'a trailer without end', `${GOOD}0\r\nx: ${'t'.repeat(70_000)}`, 'hello'],
    ['§7.1.2', 'trailers without end', `${GOOD}0\r\n${'x: t\r\n'.repeat(10_000)}`, 'hello'],
    ['§2.2', 'a bare LF behind a size', `${GOOD}5\nhello\r\n`, 'hello'],
    ['§2.2', 'a bare CR behind a size', `${GOOD}5\rhello\r\n`, 'hello'],
    ['§2.2', 'a bare LF in an extension', `${GOOD}5;a\nhello\r\n`, 'hello'],
    ['§2.2', 'a bare CR in an extension', `${GOOD}5;a\rb\r\nhello\r\n`, 'hello'],
    ['§7.1.1', 'NUL in an extension', `${GOOD}5;a\0\r\nhello\r\n`, 'hello'],
    ['§7.1', 'a bare LF behind the data', `${GOOD}5\r\nworld\n5\r\n`, 'helloworld'],
    ['§7.1', 'a bare CR behind the data', `${GOOD}5\r\nworld\r5\r\n`, 'helloworld'],
    ['§7.1', 'no CRLF behind the data', `${GOOD}5\r\nworld5\r\n`, 'helloworld'],
    ['§7.1', 'more data than the size says', `${GOOD}5\r\nworlds\r\n`, 'helloworld'],
    ['§7.1', 'less data than the size says', `${GOOD}7\r\nworld\r\n5\r\n`, 'helloworld\r\n'],
    ['§7.1', 'a bare LF at the very end', `${GOOD}0\r\n\n`, 'hello'],
    ['§7.1', 'a bare CR at the very end', `${GOOD}0\r\n\rx`, 'hello'],
    ['§7.1.2', 'a bare LF behind a trailer', `${GOOD}0\r\nx: y\n\r\n`, 'hello'],
    ['§7.1.2', 'a bare CR in a trailer', `${GOOD}0\r\nx: y\rz\r\n\r\n`, 'hello'],
    ['§7.1.2', 'NUL in a trailer', `${GOOD}0\r\nx: \0\r\n\r\n`, 'hello'],
    ['§7.1.2', 'a trailer without a colon', `${GOOD}0\r\nxyz\r\n\r\n`, 'hello'],
    ['§7.1.2', 'a trailer without a name', `${GOOD}0\r\n: y\r\n\r\n`, 'hello'],
    ['§5.1', 'a space before the colon of a trailer', `${GOOD}0\r\nx : y\r\n\r\n`, 'hello'],
    ['§5.2', 'a folded trailer', `${GOOD}0\r\nx: y\r\n z\r\n\r\n`, 'hello'],
    ['§5.2', 'a trailer folded by tab', `${GOOD}0\r\nx: y\r\n\tz: 1\r\n\r\n`, 'hello'],
    [
      '§7.1',
      'the head of another response in place of the last CRLF',
      `${GOOD}0\r\n${OK}content-length: 3\r\n\r\nabc`,
      'hello',
    ],
  ])('%s %s', (_section, _what, chunks, body) => {
    const log = expectSameHoweverCut(CHUNKED + chunks);
    expect(log.error).toBeInstanceOf(Http1Error);
    expect([log.last!.complete, log.reader.reusable, log.body.toString()]).toEqual([false, false, body]);
    expect(log.reader.closedInOrder()).toBe(false);
  });

  test('§7.1 sizes up to 2 GiB are waited for', () => {
    for (const size of ['80000000', '7fffffff', '00000000000080000000']) {
      const log = readWire(`${CHUNKED}${size}\r\nab`);
      expect([log.error, log.body.toString(), log.last!.complete]).toEqual([undefined, 'ab', false]);
    }
  });

  test('§8 a connection that ends within a response leaves it incomplete', () => {
    const starts = [
      '',
      'HTTP',
      OK,
      `${OK}content-length: 5\r\n\r\nhell`,
      CHUNKED,
      `${CHUNKED}5\r\nhello`,
      `${CHUNKED}0\r\n`,
    ];
    for (const wire of [...starts, `${CHUNKED}5\r\nhello\r\n0\r\n\r`, 'HTTP/1.1 100\r\n\r\n']) {
      const log = readWire(wire);
      expect([wire, log.reader.closedInOrder(), log.last?.complete ?? false, log.reader.reusable]).toEqual([
        wire,
        false,
        false,
        false,
      ]);
    }
  });
});

describe('bytes that belong to no request', () => {
  test('§9.2 early bytes on an idle connection are refused, and it is not used again', () => {
    for (const early of ['\r\n', 'x', `${OK}content-length: 3\r\n\r\nabc`, 'HTTP/1.1 408 Request Timeout\r\n\r\n']) {
      const log = readWire(`${OK}content-length: 1\r\n\r\nx`);
      expect(log.reader.reusable).toBe(true);
      log.push(Buffer.from(early));
      expect([log.error?.message, log.reader.reusable, log.responses.length]).toEqual([
        'bytes that belong to no request',
        false,
        1,
      ]);
    }
  });

  test('§9.2 before the first request, too', () => {
    const log = new ReaderLog().push(Buffer.from(`${OK}\r\n`));
    expect([log.error?.message, log.responses.length]).toEqual(['bytes that belong to no request', 0]);
  });

  const SURPLUS = `${OK}content-length: 8\r\n\r\nsmuggled`;
  test.each([
    ['a length', `${OK}content-length: 2\r\n\r\nok`],
    ['a length of 0', `${OK}content-length: 0\r\n\r\n`],
    ['chunks', `${CHUNKED}2\r\nok\r\n0\r\n\r\n`],
    ['a 204', 'HTTP/1.1 204 x\r\ncontent-length: 8\r\n\r\n'],
  ])(
    '§6.3 behind %s in the same read: the response is whole, the connection is done before anybody can send on it',
    (_, wire) => {
      for (const surplus of ['\n', SURPLUS]) {
        const log = readWire(wire + surplus);
        expect([log.responses.length, log.last!.complete, log.reusableAtEnd]).toEqual([1, true, false]);
        expect([log.error?.message, log.reader.reusable]).toEqual(['bytes that belong to no request', false]);
      }
    },
  );

  test('§9.3 a response with surplus leaks nothing into a request that is sent from within its end, as the reader says not to', () => {
    const log = new ReaderLog(({ reader }) => {
      if (reader.reusable) reader.expect();
    });
    log.reader.expect();
    log.push(Buffer.from(`${OK}content-length: 2\r\n\r\nok${SURPLUS}`));
    expect(log.responses.map(({ parts }) => Buffer.concat(parts).toString())).toEqual(['ok']);
  });
});

describe('what is handed on', () => {
  function partsOf(reads: readonly Uint8Array[]): string[] {
    const parts: string[] = [];
    const reader = new TellingReader({ data: (bytes) => parts.push(Buffer.from(bytes).toString()) });
    reader.expect();
    for (const read of reads) reader.push(read);
    return parts;
  }

  test('the chunks of one read are one piece', () => {
    const read = Buffer.from('5\r\nhello\r\n1;a=b\r\n \r\n005\r\nworld\r\n3\r\n!');
    const parts = partsOf([Buffer.from(CHUNKED), read, Buffer.from('!!\r\n2\r\nxy\r\n0\r\n\r\n')]);
    expect(parts).toEqual(['hello world!', '!!xy']);
  });

  test('so are those of a read that is larger than what small ones are put together in', () => {
    const chunk = (byte: string, bytes: number) => `${bytes.toString(16)}\r\n${byte.repeat(bytes)}\r\n`;
    for (const bytes of [SHARED_BYTES - 20, SHARED_BYTES - 1, SHARED_BYTES, 100_000]) {
      const parts = partsOf([Buffer.from(CHUNKED), Buffer.from(chunk('a', 10) + chunk('b', bytes) + chunk('c', 3))]);
      expect(parts).toEqual([`${'a'.repeat(10)}${'b'.repeat(bytes)}ccc`]);
    }
  });

  test('a head and its first chunks in one read are one piece, too', () => {
    expect(partsOf([Buffer.from(`${CHUNKED}1\r\na\r\n2\r\nbc\r\n0\r\n\r\n`)])).toEqual(['abc']);
  });

  test('a read that holds framing only leads to nothing', () => {
    const pieces = ['1', '\r', '\n', 'a', '\r\n', '0\r\n', '\r\n'];
    expect(partsOf(pieces.map((piece, i) => Buffer.from((i ? '' : CHUNKED) + piece)))).toEqual(['a']);
  });

  test('a read within a chunk, and one within a body of known length, is handed on whole', () => {
    const middle = Buffer.from('0123456789');
    for (const head of [`${CHUNKED}64\r\n`, `${OK}content-length: 100\r\n\r\n`, `${OK}\r\n`]) {
      expect(partsOf([Buffer.from(`${head}abc`), middle])).toEqual(['abc', '0123456789']);
    }
  });

  test('a usual read costs no object: equal payloads are handed on in one and the same', () => {
    const parts: Uint8Array[] = [];
    const reader = new TellingReader({ data: (bytes) => parts.push(bytes) });
    reader.expect();
    for (const piece of [CHUNKED, '2\r\n10\r\n1\r\n-\r\n', '3\r\n11-\r\n']) reader.push(Buffer.from(piece));
    expect([parts.length, parts[0] === parts[1]]).toEqual([2, true]);
    expect(Buffer.from(parts[1]!).toString()).toBe('11-');
  });

  test('nothing more of a read is told once the reader was stopped, by head, data or end', () => {
    const wire = `${CHUNKED}1\r\na\r\n0\r\n\r\n`;
    for (const [at, expected] of [
      ['head', ['head']],
      ['data', ['head', 'data']],
      ['end', ['head', 'data', 'end']],
    ] as const) {
      const told: string[] = [];
      const tell = (what: string) => () => {
        told.push(what);
        if (what === at) reader.stop();
      };
      const reader = new TellingReader({ head: tell('head'), data: tell('data'), end: tell('end') });
      reader.expect();
      reader.push(Buffer.from(wire + wire));
      reader.push(Buffer.from(wire));
      expect(told).toEqual([...expected]);
    }
  });

  test('a Uint8Array that is no Buffer, and starts in the middle of its memory, is read the same way', () => {
    const wire = Buffer.from(`--${CHUNKED}1\r\na\r\n2\r\nbc\r\n0\r\n\r\n`);
    expect(partsOf([new Uint8Array(wire.buffer, wire.byteOffset + 2, wire.length - 2)])).toEqual(['abc']);
  });

  test('what a receiver throws comes out as it is', () => {
    const bug = new TypeError('a bug of ours');
    const reader = new TellingReader({
      data: () => {
        throw bug;
      },
    });
    reader.expect();
    expect(() => reader.push(Buffer.from(`${CHUNKED}1\r\na\r\n`))).toThrow(bug);
  });
});
