/** Responses that are right, in every way there is to write them, and ways to spoil them. Everything follows from the seed. */
import { pick, type Random } from '../support/random.ts';

export interface RightResponse {
  /** In Latin-1. */
  readonly wire: string;
  readonly status: number;
  readonly body: string;
  /** Ends with its connection. */
  readonly closes: boolean;
  readonly reusable: boolean;
}

const BODIES = ['', 'x', '\r\n', '0\r\n\r\n', '\r\n0\r\n\r\n', 'hello', 'data: {"a":1}\n\n', '\xe9\xff\0\x80', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc',
  '5\r\nhello\r\n0\r\n\r\n', 'a'.repeat(15), 'b'.repeat(16), 'c'.repeat(17), 'd'.repeat(300)]; // biome-ignore format: a table
const REASONS = ['', ' ', ' OK', ' All: is \xe9 well', ' \t'];
const FIELDS = ['x-a: b', 'X-Long: '.padEnd(200, 'v'), 'x-empty:', 'x-blank: \t ', 'x-obs: \x80\xff', 'date: Tue, 01 Jan 2030 00:00:00 GMT',
  'x-content-length: 7', 'x-transfer-encoding: chunked', 'x: content-length: 9', '~!: 1', 'Set-Cookie: a=b', 'trailer: x-t']; // biome-ignore format: a table
const EXTENSIONS = [
  '',
  '',
  '',
  ';a',
  ';a=b',
  '; a="b c"',
  ';',
  ';\xe9',
  ';5',
  ' ',
  '\t  ',
  ' ;a',
  '\t; a = b',
  `;${'e'.repeat(100)}`,
];
const TRAILERS = ['', '', 'x-t: 1\r\n', 'X-T:\r\nx-u: \xff\r\n', 'content-length: 9\r\n', '~: \t\r\n'];
const INTERIM = [
  '',
  '',
  '',
  '',
  'HTTP/1.1 100\r\n\r\n',
  'HTTP/1.1 103 Early\r\nlink: </a>\r\n\r\n',
  'HTTP/1.1 102 x\r\n\r\nHTTP/1.1 100 y\r\n\r\n',
];
const BODILESS = new Set([204, 304]);

export function rightResponse(random: Random): RightResponse {
  const status = pick(random, [200, 200, 200, 201, 206, 301, 304, 204, 400, 429, 500, 503, 599]);
  const framing = pick(random, ['chunked', 'chunked', 'chunked', 'length', 'length', 'close'] as const);
  const http10 = framing !== 'chunked' && random(6) === 0;
  const connection = pick(
    random,
    http10 ? ['', 'close', 'keep-alive'] : ['', '', '', 'close', 'keep-alive', 'x, Close'],
  );
  const body = BODILESS.has(status) ? '' : bodyFor(random);
  const fields = Array.from({ length: random(5) }, () => pick(random, FIELDS));
  if (connection) fields.push(`${pick(random, ['connection', 'Connection'])}: ${connection}`);
  if (framing === 'chunked')
    fields.push(
      pick(random, [
        'transfer-encoding: chunked',
        'Transfer-Encoding:Chunked',
        'TE',
        'TRANSFER-ENCODING: \tCHUNKED ',
      ]).replace(/^TE$/, 'transfer-encoding: , ,chunked'),
    );
  if (framing === 'length') fields.push(...lengthFields(random, body.length));
  shuffle(random, fields);
  const start = `HTTP/1.${http10 ? 0 : 1} ${status}${pick(random, REASONS)}`;
  const head = `${pick(random, INTERIM)}${[start, ...fields].join('\r\n')}\r\n\r\n`;
  const closes = framing === 'close' && !BODILESS.has(status);
  const wanted = http10 ? connection === 'keep-alive' : !/close/i.test(connection);
  const content = framing === 'chunked' && !BODILESS.has(status) ? chunked(random, body) : body;
  return {
    wire: head + content,
    status,
    body,
    closes,
    reusable: wanted && !closes && !announcesMissingBody(status, fields),
  };
}

/** Of a response without a body: it may come all the same. */
function announcesMissingBody(status: number, fields: readonly string[]): boolean {
  const announces = (field: string) => /^transfer-encoding:/i.test(field) || /^content-length:.*[1-9]/i.test(field);
  return BODILESS.has(status) && fields.some(announces);
}

/** One to four mistakes; now and then none at all. */
export function spoil(random: Random, wire: string, other: () => string): string {
  for (let count = 1 + random(4); count > 0; count--) wire = spoilOnce(random, wire, other);
  return wire;
}

/** Up to `most` places, ascending; now and then each byte by itself. */
export function cutsOf(random: Random, length: number, most = 8): number[] {
  if (random(64) === 0) return Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
  return Array.from({ length: random(most + 1) }, () => random(length + 1)).sort((a, b) => a - b);
}

function bodyFor(random: Random): string {
  let body = '';
  for (let count = random(4); count > 0; count--) body += pick(random, BODIES);
  return body;
}

function lengthFields(random: Random, length: number): string[] {
  const value = `${'0'.repeat(random(8) === 0 ? 1 + random(20) : 0)}${length}`;
  if (random(10) === 0) return [`content-length: ${value}`, `Content-Length:${value}`];
  if (random(10) === 0) return [`content-length: ${value} ,\t${value}`];
  return [pick(random, [`content-length: ${value}`, `Content-Length:${value}`, `CONTENT-LENGTH: \t${value} \t`])];
}

function chunked(random: Random, body: string): string {
  let wire = '';
  for (let at = 0; at < body.length; ) {
    const size = 1 + random(Math.min(body.length - at, pick(random, [1, 8, 400])));
    const digits = random(2) ? size.toString(16) : size.toString(16).toUpperCase();
    wire += `${'0'.repeat(random(6) === 0 ? random(9) : 0)}${digits}${pick(random, EXTENSIONS)}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  return `${wire}${pick(random, ['0', '0', '0', '00', '000000000000'])}${pick(random, EXTENSIONS)}\r\n${pick(random, TRAILERS)}\r\n`;
}

function shuffle(random: Random, items: string[]): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
}

const BAD_BYTES = [
  '\0',
  '\r',
  '\n',
  ' ',
  '\t',
  ':',
  ';',
  ',',
  '-',
  '+',
  '0',
  '1',
  '5',
  'a',
  'f',
  'x',
  '\x7f',
  '\x80',
  '\xff',
  '"',
];
const BAD_PIECES = ['\r\n', '\n\n', '\r\n\r\n', '\r\r\n', 'content-length: 5\r\n', 'content-length: 5, 6\r\n', 'Content-Length: -1\r\n', 'content-length: +5\r\n',
  'content-length: 0x5\r\n', 'content-length: 99999999999999999999\r\n', 'content-length : 5\r\n', 'transfer-encoding: chunked\r\n', 'transfer-encoding: gzip\r\n',
  'transfer-encoding: gzip, chunked\r\n', 'Transfer-Encoding: \x0bchunked\r\n', ' folded\r\n', '\tfolded: x\r\n', 'connection: close\r\n', 'connection: keep-alive\r\n',
  'x: \0\r\n', 'no colon\r\n', ': no name\r\n', '0\r\n\r\n', '0\r\n', '5\r\nhello\r\n', '0x5\r\n', '-1\r\n', 'ffffffff\r\n', 'fffffffffffffffff\r\n', '80000000\r\n', '5 \r\n', '5;\n',
  'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc', 'HTTP/1.1 100\r\n\r\n', 'HTTP/1.1 101 x\r\n\r\n', 'HTTP/1.0 ', 'HTTP/1.1 ', 'HTTP/2 ', ' 204', ' 304', ' 700', '0'.repeat(40), ';e'.repeat(40),
  'f'.repeat(5_000), '0'.repeat(5_000), `;${'e'.repeat(5_000)}`, `x: ${'v'.repeat(17_000)}\r\n`, 'y: z\r\n'.repeat(220), `z: ${'v'.repeat(66_000)}\r\n`]; // biome-ignore format: a table
/** The places where framing is decided. */
const SEAMS = ['\r\n', '\r\n\r\n', ':', 'HTTP/1.1', 'content-length', 'chunked', '0', ';', ' '];

function spoilOnce(random: Random, wire: string, other: () => string): string {
  const at = random(2) ? seam(random, wire) : random(wire.length + 1);
  const to = Math.min(wire.length, at + 1 + random(random(4) ? 3 : 40));
  switch (random(12)) {
    case 0:
    case 1:
      return wire.slice(0, at) + pick(random, BAD_BYTES) + wire.slice(at + 1);
    case 2:
      return wire.slice(0, at) + pick(random, BAD_BYTES) + wire.slice(at);
    case 3:
    case 4:
      return wire.slice(0, at) + wire.slice(to);
    case 5:
      return wire.slice(0, to) + wire.slice(at);
    case 6:
      return wire.slice(0, at) + String.fromCharCode(random(256)) + wire.slice(at + 1);
    case 7:
    case 8:
      return (
        wire.slice(0, at) + BAD_PIECES[random(random(30) ? BAD_PIECES.length - 6 : BAD_PIECES.length)] + wire.slice(at)
      );
    case 9:
      return wire.slice(0, at);
    case 10:
      return wire.slice(0, at) + other().slice(random(40));
    default:
      return wire + pick(random, [other(), '\r\n', 'x', '0\r\n\r\n', pick(random, BAD_PIECES)]);
  }
}

function seam(random: Random, wire: string): number {
  const piece = pick(random, SEAMS);
  const found = wire.indexOf(piece, random(wire.length + 1));
  return found === -1 ? random(wire.length + 1) : found + random(piece.length + 1);
}
