/** The scan of a form: the same for every split of its bytes, and strict where two parsers could differ. */
import { describe, expect, test } from 'bun:test';
import { FIELD_BYTES_MAX, FormError, MultipartScanner } from '../../src/formats/multipart.ts';
import { boundaryOf } from '../../src/formats/multipart-head.ts';

const BOUNDARY = 'b0-undary';
const FILE = 'content-disposition: form-data; name="file"; filename="a.bin"\r\ncontent-type: audio/mpeg';
const MODEL = 'Content-Disposition: form-data; name="model"';

function form(...parts: readonly (readonly [head: string, value: string])[]): string {
  const texts = parts.map(([head, value]) => `--${BOUNDARY}\r\n${head}\r\n\r\n${value}\r\n`);
  return `${texts.join('')}--${BOUNDARY}--\r\n`;
}

interface Scanned {
  /** What passed before the end, and all in the end. */
  readonly early: string;
  readonly all: string;
  readonly found: readonly string[];
}

function scan(text: string, strict: boolean, size = text.length): Scanned {
  const found: string[] = [];
  const scanner = new MultipartScanner(
    BOUNDARY,
    {
      part: ({ name, isFile }) => {
        found.push(`${name}${isFile ? ' (file)' : ''}`);
        return name === 'model';
      },
      value: (_, value) => found.push(`= ${value === null ? null : Buffer.from(value).toString('latin1')}`),
    },
    strict,
  );
  const bytes = Buffer.from(text, 'latin1');
  const passed: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    passed.push(Buffer.from(scanner.push(new Uint8Array(bytes.subarray(at, at + size)))));
  }
  const early = Buffer.concat(passed).toString('latin1');
  return { early, all: early + Buffer.from(scanner.end()).toString('latin1'), found };
}

const ODD_VALUE = `\r\n--b0\r--${BOUNDARY.slice(0, -1)}\r\n-\r\n--\0\xff\r`;

describe('every split of the same bytes', () => {
  for (const [name, text, found] of [
    ['the model first', form([MODEL, 'gpt'], [FILE, 'abc']), ['model', '= gpt', 'file (file)']],
    ['the model last', form([FILE, ODD_VALUE], [MODEL, 'gpt']), ['file (file)', 'model', '= gpt']],
    ['no model, an empty file', form([FILE, '']), ['file (file)']],
    ['a long model', form([MODEL, 'x'.repeat(FIELD_BYTES_MAX + 1)]), ['model', '= null']],
  ] as const) {
    test(`${name}: all passes, its end only when the body has ended`, () => {
      for (const strict of [true, false]) {
        const sizes = text.length > 1000 ? [1, 100, text.length] : Array.from({ length: text.length }, (_, i) => i + 1);
        for (const size of sizes) {
          const scanned = scan(text, strict, size);
          expect(scanned.all).toBe(text);
          expect(scanned.found).toEqual(found);
          if (strict) expect(scanned.early).toBe(text.slice(0, text.lastIndexOf(`\r\n--${BOUNDARY}--`)));
        }
      }
    });
  }
});

describe('what two parsers could read differently', () => {
  const body = form([MODEL, 'gpt']);
  for (const [name, text] of [
    ['something in front of the form', `x\r\n${body}`],
    ['an empty line in front of it', `\r\n${body}`],
    ['something behind it', `${body}x`],
    ['a second form behind it', body + body],
    ['no end', body.slice(0, -4)],
    ['nothing', ''],
    ['blanks behind a boundary', body.replace(`${BOUNDARY}\r\n`, `${BOUNDARY} \r\n`)],
    ['a longer boundary', form([FILE, `a\r\n--${BOUNDARY}x\r\n`])],
    ['a boundary behind a bare line feed', form([FILE, `a\n--${BOUNDARY}\n${MODEL}\n\nother`])],
    ['a boundary within a line', form([FILE, `a--${BOUNDARY}--`])],
    ['a boundary right behind a head', `--${BOUNDARY}\r\n${MODEL}\r\n\r\n--${BOUNDARY}--\r\n`],
    ['a part without a head', `--${BOUNDARY}\r\n\r\n\r\nx\r\n--${BOUNDARY}--\r\n`],
    ['a folded header', form([`Content-Disposition: form-data;\r\n name="model"`, 'x'])],
    ['a bare line feed in a head', form([`${MODEL}\nX: y`, 'x'])],
    ['a NUL in a head', form([`${MODEL}\r\nX: \0`, 'x'])],
    ['two dispositions', form([`${MODEL}\r\n${FILE}`, 'x'])],
    ['two names', form([`${MODEL}; name="other"`, 'x'])],
    ['a name in an extended form', form([`${MODEL}; name*=utf-8''other`, 'x'])],
    ['an escape in a name', form([`Content-Disposition: form-data; name="mod\\el"`, 'x'])],
    ['a quote in a file name', form([`Content-Disposition: form-data; filename="a\\"; name=\\"b"; name="model"`, 'x'])],
    ['no name', form(['Content-Disposition: form-data', 'x'])],
    ['another disposition', form(['Content-Disposition: attachment; name="model"', 'x'])],
    ['a transfer encoding', form([`${MODEL}\r\nContent-Transfer-Encoding: quoted-printable`, 'gpt=2D4'])],
    ['a form in a part', form([`${FILE.replace('audio/mpeg', 'multipart/mixed; boundary=x')}`, 'x'])],
    ['a length that is another', form([`${MODEL}\r\nContent-Length: 2`, 'gpt'])],
    ['a long head', form([`${MODEL}\r\nX: ${'y'.repeat(20_000)}`, 'x'])],
  ] as const) {
    test(`is refused by a strict scan, and passes a lenient one: ${name}`, () => {
      for (const size of [1, 7, Math.max(1, text.length)]) {
        expect(() => scan(text, true, size)).toThrow(FormError);
        expect(scan(text, false, size).all).toBe(text);
      }
    });
  }

  test('a length that is right is fine', () => {
    expect(scan(form([`${MODEL}\r\nContent-Length: 3`, 'gpt']), true).found).toEqual(['model', '= gpt']);
  });
});

test('the boundary of a content type', () => {
  for (const [contentType, boundary] of [
    ['multipart/form-data; boundary=abc', 'abc'],
    ['Multipart/Form-Data;boundary="a b:c"', 'a b:c'],
    ['multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundaryA1', '----WebKitFormBoundaryA1'],
    ['multipart/form-data', null],
    ['multipart/form-data; boundary=', null],
    ['multipart/form-data; boundary=a; boundary=b', null],
    ['multipart/form-data; boundary=a, multipart/form-data; boundary=b', null],
    ['multipart/form-data; boundary="a\\b"', null],
    [`multipart/form-data; boundary=${'x'.repeat(71)}`, null],
    ['multipart/mixed; boundary=abc', null],
  ] as const) {
    expect([contentType, boundaryOf(contentType)]).toEqual([contentType, boundary]);
  }
});
