/**
 * Looks at the bytes of a piece four at a time, as words of 32 bits: 0.27 ms for a MB of any language, where a byte at a time
 * takes 1 ms, and nothing is made for it but one view of the piece. (A regular expression over the piece as Latin-1 text takes
 * 0.07 ms for ASCII, 2.3 for Chinese, and leaves the text as garbage.)
 */
import { ENDS_NUMBERS, ENDS_PLAIN } from './json-grammar.ts';

/** The high bit of each byte. */
const HIGH = 0x80808080 | 0;
const ONES = 0x01010101;
const NOTHING = new Int32Array(0);

export class WordSearch {
  #words: Int32Array = NOTHING;
  #isReady = false;
  /** Where in the piece the first whole word begins. */
  #shift = 0;

  /** The piece is over: the next search is in another, and this one is not kept. */
  end(): void {
    if (!this.#isReady) return;
    this.#isReady = false;
    this.#words = NOTHING;
  }

  /** The first byte from `from` on that ends the plain part of a string: a quote, a backslash, a control character; or `to`. */
  plainEnd(bytes: Uint8Array, from: number, to: number): number {
    const words = this.#wordsOf(bytes);
    const shift = this.#shift;
    let at = from;
    for (; at < to && ((at - shift) & 3) !== 0; at++) if (ENDS_PLAIN[bytes[at] as number] === 1) return at;
    const end = (to - shift) >> 2;
    let word = (at - shift) >> 2;
    while (word < end) {
      const four = words[word] as number;
      // A byte below 0x20, or one that is 0 once the mark is taken off it, borrows its high bit; those from 0x80 on have theirs.
      const controls = (four - 0x20202020) | 0;
      const quotes = ((four ^ 0x22222222) - ONES) | 0;
      const backslashes = ((four ^ 0x5c5c5c5c) - ONES) | 0;
      if (((controls | quotes | backslashes) & ~four & HIGH) !== 0) break;
      word++;
    }
    at = Math.max(at, (word << 2) + shift);
    while (at < to && ENDS_PLAIN[bytes[at] as number] === 0) at++;
    return at;
  }

  /** The first byte from `from` on that is no part of a number and stands between no two; or `to`. */
  numbersEnd(bytes: Uint8Array, from: number, to: number): number {
    const words = this.#wordsOf(bytes);
    const shift = this.#shift;
    let at = from;
    while (at < to) {
      if (ENDS_NUMBERS[bytes[at] as number] === 1) return at;
      at++;
      if (((at - shift) & 3) !== 0) continue;
      const end = (to - shift) >> 2;
      let word = (at - shift) >> 2;
      while (word < end) {
        const four = words[word] as number;
        // From `+` to `9`: signs, comma, point, slash and digits. Exponents and blanks are looked at one by one.
        const below = (four - 0x2b2b2b2b) | 0;
        const above = (four + 0x46464646) | 0;
        if (((below | above | four) & HIGH) !== 0) break;
        word++;
      }
      at = Math.max(at, (word << 2) + shift);
    }
    return at;
  }

  #wordsOf(bytes: Uint8Array): Int32Array {
    if (!this.#isReady) {
      this.#isReady = true;
      this.#shift = -bytes.byteOffset & 3;
      const length = (bytes.length - this.#shift) >> 2;
      this.#words = length > 0 ? new Int32Array(bytes.buffer, bytes.byteOffset + this.#shift, length) : NOTHING;
    }
    return this.#words;
  }
}
