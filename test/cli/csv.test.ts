import { expect, test } from 'bun:test';
import { type CsvError, csvText, parseCsv, spreadsheetSafe } from '../../src/cli/csv.ts';
import { pick, randomFrom } from '../support/random.ts';

const cellsOf = (text: string) => parseCsv(text).map((row) => row.cells);

test('cells, quotes, line ends and empty lines', () => {
  expect(cellsOf('a,b\r\nc,d\n')).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  expect(cellsOf('\uFEFFa,\n\n,b')).toEqual([
    ['a', ''],
    ['', 'b'],
  ]);
  expect(cellsOf('"a,""b""\r\nc",d')).toEqual([['a,"b"\r\nc', 'd']]);
  expect(cellsOf('""\n"",')).toEqual([['', '']]);
  expect(cellsOf('a"b,c')).toEqual([['a"b', 'c']]);
  expect(cellsOf('')).toEqual([]);
});

test('a row knows the line it begins in', () => {
  expect(parseCsv('a\n"b\nb\nb",x\n\r\nc,"\r\n"\nd').map((row) => row.line)).toEqual([1, 2, 6, 8]);
});

test('what is no CSV is refused with its line', () => {
  const lineOf = (text: string) => {
    try {
      parseCsv(text);
    } catch (error) {
      return (error as CsvError).line;
    }
    return 0;
  };
  expect(lineOf('a\nb\n"c\n')).toBe(3);
  expect(lineOf('a\n"b"x')).toBe(2);
});

test('what is written is read back, whatever the cells hold', () => {
  const seed = Date.now() & 0xffffff;
  const random = randomFrom(seed);
  for (let i = 0; i < 2_000; i++) {
    const rows = Array.from({ length: 1 + random(4) }, () =>
      Array.from({ length: 2 + random(3) }, () =>
        Array.from({ length: random(6) }, () => pick(random, ['"', ',', '\r\n', '\n', '\r', ' ', 'a', 'é', "'"])).join(
          '',
        ),
      ),
    );
    expect({ seed, rows: cellsOf(csvText(rows)) }).toEqual({ seed, rows });
  }
});

test('what a spreadsheet would run has an apostrophe before it', () => {
  const fullWidth = ['\uFF1D1', '\uFF0B1', '\uFF0D1', '\uFF20x'];
  for (const text of ['=1+1', '+1', '-1', '@x', '\t=1', '\r=1', '\n=1', ...fullWidth])
    expect(spreadsheetSafe(text)).toBe(`'${text}`);
  for (const text of ['alice', '', ' =1', 'a=1', '1']) expect(spreadsheetSafe(text)).toBe(text);
});
