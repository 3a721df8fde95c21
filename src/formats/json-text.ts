/** JSON's names and strings as they are written: compared and decoded where they stand, without copying the document. */
import { BACKSLASH, isHex } from './json-grammar.ts';

/** Behind a name's last character; and for a byte that is no character of ours. */
const OTHER = 0x7f;

/**
 * Looks names up in a fixed set, by their first character; escapes count as what they stand for.
 * Without regard to case means as parsers do that disregard it: `ſ` (U+017F) is an s, the Kelvin sign (U+212A) a k.
 */
export class NameTable<Name extends string> {
  readonly #names: readonly Name[];
  /** By the code of its first character, of each name its index and its bytes. */
  readonly #byFirst: { readonly index: number; readonly bytes: Uint8Array }[][] = Array.from({ length: 128 }, () => []);

  /** @param names in lower-case ASCII letters and underscores */
  constructor(names: readonly Name[]) {
    this.#names = names;
    for (const [index, name] of names.entries())
      this.#byFirst[name.charCodeAt(0)]!.push({ index, bytes: Buffer.from(name) });
  }

  /** The name that it is in some case, or undefined. */
  find(bytes: Uint8Array, from: number, to: number): Name | undefined {
    const found = this.lookUp(bytes, from, to);
    return found === NOT_FOUND ? undefined : this.#names[found >> 1];
  }

  /** Twice the index of the name that it is, and 1 more when it is that in another case; or NOT_FOUND. */
  lookUp(bytes: Uint8Array, from: number, to: number): number {
    if (from === to) return NOT_FOUND;
    const candidates = this.#byFirst[lowerCase(characterAt(bytes, from, to) & 0xff)]!;
    for (let i = 0; i < candidates.length; i++) {
      const { index, bytes: name } = candidates[i]!;
      if (isWritten(bytes, from, to, name)) return index << 1;
      if (matches(bytes, from, to, name, true)) return (index << 1) | (matches(bytes, from, to, name, false) ? 0 : 1);
    }
    return NOT_FOUND;
  }
}

export const NOT_FOUND = -1;

/** Whether the name is exactly this one, letters in the same case; escapes count as what they stand for. */
export function isName(bytes: Uint8Array, from: number, to: number, name: string): boolean {
  return matches(bytes, from, to, Buffer.from(name), false);
}

/** Whether the name is written so, byte by byte: spelled with escapes it is none. */
export function isWritten(bytes: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name[i]) return false;
  return true;
}

function matches(bytes: Uint8Array, from: number, to: number, name: Uint8Array, anyCase: boolean): boolean {
  let at = from;
  for (let i = 0; i < name.length; i++) {
    if (at >= to) return false;
    const found = characterAt(bytes, at, to);
    const code = found & 0xff;
    if ((anyCase ? lowerCase(code) : code) !== name[i]) return false;
    // The two that are letters only without regard to case come as lower-case ones, two or three bytes or an escape long.
    if (!anyCase && found & FOLDED) return false;
    at += (found >> 8) & 0xff;
  }
  return at === to;
}

/** Of what `characterAt` returns: no ASCII letter, but one that equals it without regard to case. */
const FOLDED = 1 << 16;

/** The character at `at` in the low byte (OTHER for all but ASCII), the bytes it takes in the next, and FOLDED. */
function characterAt(bytes: Uint8Array, at: number, to: number): number {
  const byte = bytes[at] as number;
  if (byte === BACKSLASH)
    return at + 6 <= to && bytes[at + 1] === 0x75 ? folded(hexAt(bytes, at + 2), 6) : OTHER | (2 << 8);
  if (byte < 0x80) return byte | (1 << 8);
  if (byte === 0xc5 && bytes[at + 1] === 0xbf) return folded(0x17f, 2);
  if (byte === 0xe2 && bytes[at + 1] === 0x84 && bytes[at + 2] === 0xaa) return folded(0x212a, 3);
  return OTHER | (1 << 8);
}

function folded(code: number, length: number): number {
  if (code < 0x80) return code | (length << 8);
  if (code === 0x17f) return 0x73 | (length << 8) | FOLDED;
  if (code === 0x212a) return 0x6b | (length << 8) | FOLDED;
  return OTHER | (length << 8);
}

function hexAt(bytes: Uint8Array, at: number): number {
  let code = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = bytes[i] as number;
    if (!isHex(byte)) return 0xffff;
    code = (code << 4) | (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x61 + 10);
  }
  return code;
}

function lowerCase(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
}

/**
 * The text of a JSON string that is known to be valid; of a long one the beginning, at least a sixth of `bytesMax` characters.
 * @param from at its opening quote @param to behind its closing one
 */
export function decodeString(bytes: Uint8Array, from: number, to: number, bytesMax: number): string {
  const end = to - from - 2 <= bytesMax ? to - 1 : endOfCharacters(bytes, from + 1, from + 1 + bytesMax);
  const text = utf8Slice.call(bytes, from + 1, end);
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/** From `limit` on the first position that is neither inside an escape nor inside a character. */
function endOfCharacters(bytes: Uint8Array, from: number, limit: number): number {
  let at = from;
  while (at < limit) {
    if (bytes[at] === BACKSLASH) at += bytes[at + 1] === 0x75 ? 6 : 2;
    else at++;
  }
  while (((bytes[at] as number) & 0xc0) === 0x80) at++;
  return at;
}

/** Of Buffer, for any Uint8Array; not in its types. Unlike TextDecoder it keeps a byte order mark, which is part of a string. */
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, from: number, to: number): string;
};
