/** CSV according to RFC 4180: quoted cells may contain commas, line breaks and doubled quotes. */

interface CsvRow {
  /** The line on which the row begins, counted from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

export class CsvError extends Error {
  constructor(
    readonly line: number,
    message: string,
  ) {
    super(message);
  }
}

/** Lines end with CR LF, as the RFC requires. */
export function csvText(rows: readonly (readonly (string | number)[])[]): string {
  return rows.map((row) => `${row.map((cell) => quoted(String(cell))).join(',')}\r\n`).join('');
}

/**
 * Prefixes an apostrophe to text that a spreadsheet would run as a formula. Names of keys are free text, and the person who
 * opens the file did not choose them.
 */
export function spreadsheetSafe(text: string): string {
  return /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/.test(text) ? `'${text}` : text;
}

/** Skips empty lines and a byte order mark. @throws CsvError */
export function parseCsv(text: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let line = 1;
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  while (at < text.length) {
    const start = line;
    const cells: string[] = [];
    for (;;) {
      const cell = text[at] === '"' ? quotedCell(text, at, line) : plainCell(text, at);
      cells.push(cell.text);
      line += cell.lineBreaks;
      at = cell.end;
      if (text[at] !== ',') break;
      at++;
    }
    if (text.startsWith('\r\n', at)) at += 2;
    else if (at < text.length) at++;
    line++;
    if (cells.length > 1 || cells[0] !== '') rows.push({ line: start, cells });
  }
  return rows;
}

interface Cell {
  readonly text: string;
  readonly end: number;
  readonly lineBreaks: number;
}

function plainCell(text: string, start: number): Cell {
  let end = start;
  while (end < text.length && text[end] !== ',' && text[end] !== '\n' && text[end] !== '\r') end++;
  return { text: text.slice(start, end), end, lineBreaks: 0 };
}

function quotedCell(text: string, start: number, line: number): Cell {
  let content = '';
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote === -1) throw new CsvError(line, 'a quote is opened and never closed');
    content += text.slice(at, quote);
    if (text[quote + 1] !== '"') {
      const end = quote + 1;
      if (end < text.length && !',\r\n'.includes(text[end]!)) throw new CsvError(line, 'text behind a closing quote');
      return { text: content, end, lineBreaks: content.split('\n').length - 1 };
    }
    content += '"';
    at = quote + 2;
  }
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}
