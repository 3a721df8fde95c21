/** The tokens of JSON that have a grammar of their own, numbers, literals and escapes, as their bytes come. */
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  isDigit,
  isHex,
  isShortEscape,
  JSON_FALSE,
  JSON_NULL,
  JSON_TRUE,
} from './json-grammar.ts';

/** In place of a position: the bytes are no such token. */
export const REFUSED = -1;

// How much of a number was read; ENDED and NO_NUMBER are answers to the next byte.
const NOTHING = 0;
const MINUS = 1;
const ZERO = 2;
const INTEGER = 3;
const POINT = 4;
const FRACTION = 5;
const EXPONENT = 6;
const EXPONENT_SIGN = 7;
const EXPONENT_DIGITS = 8;
const ENDED = 9;
const NO_NUMBER = 10;

export class NumberToken {
  #state = NOTHING;

  /** What was read is a number, if nothing more follows. */
  get canEnd(): boolean {
    return canEnd(this.#state);
  }

  begin(): void {
    this.#state = NOTHING;
  }

  /** The first byte behind the number; `to` while it may go on; REFUSED. */
  pass(bytes: Uint8Array, from: number, to: number): number {
    let state = this.#state;
    for (let at = from; at < to; at++) {
      let byte = bytes[at] as number;
      if (state === INTEGER || state === FRACTION) {
        while (isDigit(byte) && ++at < to) byte = bytes[at] as number; // most bytes of most numbers
        if (at === to) break;
      }
      const next = afterNumberByte(state, byte);
      if (next === ENDED) return at;
      if (next === NO_NUMBER) return REFUSED;
      state = next;
    }
    this.#state = state;
    return to;
  }
}

const encoder = new TextEncoder();
const TRUE = encoder.encode('true');
const FALSE = encoder.encode('false');
const NULL = encoder.encode('null');

export class LiteralToken {
  #text = NULL;
  #at = 0;

  get whole(): boolean {
    return this.#at === this.#text.length;
  }

  get kind(): number {
    return this.#text[0] as number;
  }

  /** @returns false when none begins with this byte */
  begin(byte: number): boolean {
    if (byte === JSON_TRUE) this.#text = TRUE;
    else if (byte === JSON_FALSE) this.#text = FALSE;
    else if (byte === JSON_NULL) this.#text = NULL;
    else return false;
    this.#at = 0;
    return true;
  }

  /** Behind its last byte, or `to`; REFUSED. */
  pass(bytes: Uint8Array, from: number, to: number): number {
    const text = this.#text;
    const start = from - this.#at;
    const end = Math.min(to, start + text.length);
    for (let at = from; at < end; at++) if (bytes[at] !== text[at - start]) return REFUSED;
    this.#at = end - start;
    return end;
  }
}

function canEnd(number: number): boolean {
  return number === ZERO || number === INTEGER || number === FRACTION || number === EXPONENT_DIGITS;
}

/** What a number has become with this byte. */
function afterNumberByte(number: number, byte: number): number {
  if (isDigit(byte)) {
    if (number === NOTHING || number === MINUS) return byte === 0x30 ? ZERO : INTEGER;
    if (number === ZERO) return NO_NUMBER;
    if (number === POINT) return FRACTION;
    return number === EXPONENT || number === EXPONENT_SIGN ? EXPONENT_DIGITS : number;
  }
  if (number === NOTHING) return byte === 0x2d ? MINUS : NO_NUMBER;
  if (byte === 0x2e) return number === ZERO || number === INTEGER ? POINT : NO_NUMBER;
  if (byte === 0x65 || byte === 0x45) {
    return number === ZERO || number === INTEGER || number === FRACTION ? EXPONENT : NO_NUMBER;
  }
  if (byte === 0x2b || byte === 0x2d) return number === EXPONENT ? EXPONENT_SIGN : NO_NUMBER;
  return canEnd(number) ? ENDED : NO_NUMBER;
}

// Where in an escape the next byte stands; from HEX on the four digits of a \u.
const NO_ESCAPE = 0;
const BEGUN = 1;
const HEX = 2;
const LAST_HEX = 5;

/** What a backslash begins in a string. A lenient one is over with the next byte, whatever that is. */
export class EscapeToken {
  readonly #lenient: boolean;
  #state = NO_ESCAPE;

  constructor(lenient: boolean) {
    this.#lenient = lenient;
  }

  get isOpen(): boolean {
    return this.#state !== NO_ESCAPE;
  }

  begin(): void {
    this.#state = BEGUN;
  }

  end(): void {
    this.#state = NO_ESCAPE;
  }

  /** @returns false for what is no escape */
  pass(byte: number): boolean {
    if (this.#state === BEGUN) {
      const isHexEscape = byte === 0x75 && !this.#lenient;
      this.#state = isHexEscape ? HEX : NO_ESCAPE;
      return isHexEscape || this.#lenient || isShortEscape(byte);
    }
    this.#state = this.#state === LAST_HEX ? NO_ESCAPE : this.#state + 1;
    return isHex(byte);
  }
}

// The short ways around the classes above, for tokens that are all there, which most are. Two functions, because the compiler
// puts small ones where they are called.

/** Behind an integer that stands before a comma or a close; `at` when it is not all there, or something else. */
export function wholeIntegerEnd(bytes: Uint8Array, at: number, to: number): number {
  const first = bytes[at] as number;
  if (first < 0x31 || first > 0x39) return at;
  let end = at + 1;
  while (end < to && isDigit(bytes[end] as number)) end++;
  const next = end < to ? bytes[end] : 0;
  return next === COMMA || next === CLOSE_BRACKET || next === CLOSE_BRACE ? end : at;
}

/** Behind a literal; `at` when it is not all there, or something else. */
export function wholeLiteralEnd(bytes: Uint8Array, at: number, to: number): number {
  const literal = bytes[at] === JSON_TRUE ? TRUE : bytes[at] === JSON_FALSE ? FALSE : NULL;
  const end = at + literal.length;
  if (end > to) return at;
  for (let behind = at; behind < end; behind++) if (bytes[behind] !== literal[behind - at]) return at;
  return end;
}
