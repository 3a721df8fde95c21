/**
 * The rules of src/upstream/http1.ts a second time, written for the eye: regular expressions over the whole text, no
 * state, no increments, no care for speed. Only what it calls complete may be called complete.
 */
type OracleAnswer =
  | { readonly kind: 'complete'; readonly status: number; readonly body: string; readonly surplus: boolean }
  | { readonly kind: 'incomplete' | 'refused' };

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const TEXT = '[\\t\\x20-\\x7e\\x80-\\xff]*';
const FIELD = `${TOKEN}:${TEXT}\\r\\n`;
const HEAD = new RegExp(`^HTTP/1\\.([01]) ([1-5]\\d\\d)(?: ${TEXT})?\\r\\n((?:${FIELD}){0,200})\\r\\n`);
const CHUNK_LINE = new RegExp(`^(0*)([0-9a-fA-F]{1,8})([ \\t]*(?:;${TEXT})?)\\r\\n`);
const TRAILERS = new RegExp(`^(?:${FIELD})*\\r\\n`);

/** @param text what came in answer to one GET, in Latin-1; @param closed whether the connection ended behind it */
export function oracle(text: string, closed: boolean): OracleAnswer {
  for (let interim = 0; interim <= 16; interim++) {
    const end = text.indexOf('\r\n\r\n');
    if (end === -1) return { kind: 'incomplete' };
    const head = HEAD.exec(text);
    if (!head || head[0].length !== end + 4 || end > 65_536) return { kind: 'refused' };
    const [whole, minor, status, fields] = head as unknown as [string, string, string, string];
    const framing = framingOf(fields, minor);
    if (framing === 'refused' || status === '101') return { kind: 'refused' };
    text = text.slice(whole.length);
    if (status.startsWith('1')) continue;
    const bodiless = status === '204' || status === '304';
    return bodyOf(Number(status), bodiless ? 0 : framing, text, closed);
  }
  return { kind: 'refused' };
}

/** Not `trim()`, which takes a no-break space for a blank. */
const trimmed = (text: string) => text.replace(/^[ \t]+|[ \t]+$/g, '');

type Framing = number | 'chunked' | 'close' | 'refused';

function framingOf(fields: string, minor: string): Framing {
  const valuesOf = (name: string) =>
    [...fields.matchAll(new RegExp(`^${name}:(.*)\\r$`, 'gim'))].map((match) => trimmed(match[1]!));
  const encodings = valuesOf('transfer-encoding');
  const lengths = valuesOf('content-length').flatMap((value) => value.split(',').map(trimmed));
  if (encodings.length > 0) {
    const right = minor === '1' && /^[ \t,]*chunked$/i.test(encodings.join());
    return right && lengths.length === 0 ? 'chunked' : 'refused';
  }
  if (lengths.length === 0) return 'close';
  return new Set(lengths).size === 1 && /^0*\d{1,15}$/.test(lengths[0]!) ? Number(lengths[0]) : 'refused';
}

function bodyOf(status: number, framing: Framing, rest: string, closed: boolean): OracleAnswer {
  if (framing === 'close')
    return closed ? { kind: 'complete', status, body: rest, surplus: false } : { kind: 'incomplete' };
  if (framing === 'chunked') return chunksOf(status, rest);
  const length = framing as number;
  if (rest.length < length) return { kind: 'incomplete' };
  return { kind: 'complete', status, body: rest.slice(0, length), surplus: rest.length > length };
}

/** A broken chunk and a missing one are told apart by the reader's own tests: here both are "not complete". */
function chunksOf(status: number, rest: string): OracleAnswer {
  let body = '';
  let excess = 0;
  for (;;) {
    const line = CHUNK_LINE.exec(rest);
    if (!line || line[1]!.length + line[2]!.length > 4_096 || line[3]!.length > 4_096) return { kind: 'incomplete' };
    const size = Number.parseInt(line[2]!, 16);
    const lineBytes = line[0].length - 2;
    if (lineBytes > 16) excess = Math.max(0, excess + lineBytes - 16 - 2 * size);
    if (excess > 16_384) return { kind: 'incomplete' };
    rest = rest.slice(line[0].length);
    if (size === 0) break;
    if (rest.slice(size, size + 2) !== '\r\n') return { kind: 'incomplete' };
    body += rest.slice(0, size);
    rest = rest.slice(size + 2);
  }
  const trailers = TRAILERS.exec(rest);
  if (!trailers || trailers[0].length > 16_384) return { kind: 'incomplete' };
  return { kind: 'complete', status, body, surplus: rest.length > trailers[0].length };
}
