/**
 * What the JSON scanner must tell of a document, written the slow and obvious way: JSON.parse says whether it is one, then it is
 * read recursively. Shares no code with src/.
 */

/** As the scanner tells them; `name` null for the root and for elements. */
export type Told =
  | { readonly name: string | null; readonly kind: string; readonly from: number; readonly to: number }
  | { readonly left: true; readonly to: number };

/** Members of this name, and arrays of that one, are entered; so is the root. */
export const ENTERED = ['in', 'list'];
/** Members of this name are not wanted. */
export const UNWANTED = 'no';

const DEPTH_MAX = 512;
const NAME_BYTES_MAX = 192;

/** Null when it is no document, or nested too deep. Offsets are in bytes. */
export function scanned(bytes: Uint8Array): Told[] | null {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    JSON.parse(text);
  } catch {
    return null;
  }
  // One character for each byte; the byte order mark is passed.
  const start = bytes[0] === 0xef ? 3 : 0;
  const latin1 = Buffer.from(bytes).toString('latin1');
  if (depthOf(latin1) > DEPTH_MAX) return null;
  const told: Told[] = [];
  const to = read(latin1, start, null, true, told);
  // What ends a number is the next byte: at the root there may be none.
  return /^[-\d]/.test(latin1.slice(start).trim()) && to === latin1.length ? [] : told;
}

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [mark] of text.matchAll(/"(?:[^"\\]|\\[\s\S])*"|[[\]{}]/g)) {
    if (mark === '[' || mark === '{') deepest = Math.max(deepest, ++depth);
    else if (mark === ']' || mark === '}') depth--;
  }
  return deepest;
}

/** @returns behind the value */
function read(text: string, from: number, name: string | null, wanted: boolean, told: Told[]): number {
  const at = skip(text, from);
  const first = text[at] as string;
  const isContainer = first === '{' || first === '[';
  const enters = wanted && isContainer && (name === null || ENTERED.includes(name));
  const to = isContainer ? readMembers(text, at, enters, told) : endOfToken(text, at);
  if (enters) told.push({ left: true, to });
  else if (wanted) told.push({ name, kind: /[-\d]/.test(first) ? '0' : first, from: at, to });
  return to;
}

function readMembers(text: string, open: number, tells: boolean, told: Told[]): number {
  const isObject = text[open] === '{';
  let at = skip(text, open + 1);
  while (text[at] !== '}' && text[at] !== ']') {
    let name: string | null = null;
    if (isObject) {
      const end = endOfToken(text, at);
      name = text.slice(at + 1, end - 1);
      at = skip(text, end) + 1;
    }
    const nothing: Told[] = [];
    at = skip(text, read(text, at, name, tells && isWanted(name), tells ? told : nothing));
    if (text[at] === ',') at = skip(text, at + 1);
  }
  return at + 1;
}

function isWanted(name: string | null): boolean {
  return name === null || (name !== UNWANTED && name.length <= NAME_BYTES_MAX);
}

function endOfToken(text: string, at: number): number {
  const token = /"(?:[^"\\]|\\[\s\S])*"|[-+.\w]+/y;
  token.lastIndex = at;
  token.test(text);
  return token.lastIndex;
}

function skip(text: string, at: number): number {
  const blank = /[ \t\r\n]*/y;
  blank.lastIndex = at;
  blank.test(text);
  return blank.lastIndex;
}
