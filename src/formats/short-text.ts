/**
 * A short byte string that arrives in pieces: an event's name, a JSON name, a number.
 * Guarantees: never more than its capacity, whatever is appended; a text that did not fit equals nothing.
 */

import { isDigit } from './json-grammar.ts';

// The longest text that matters is "cache_creation_input_tokens" (27); the rest is room for odd but valid numbers.
const CAPACITY = 48;

export class ShortText {
  readonly #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = CAPACITY) {
    this.#bytes = new Uint8Array(capacity);
  }

  get empty(): boolean {
    return this.#length === 0;
  }

  get overflowed(): boolean {
    return this.#length > this.#bytes.length;
  }

  /** Its bytes up to `length`; only while it has not overflowed. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
  }

  append(bytes: Uint8Array, from: number, to: number): void {
    const own = this.#bytes;
    if (this.#length + (to - from) > own.length) {
      this.#length = own.length + 1; // overflowed: stays so until cleared
      return;
    }
    for (let at = from; at < to; at++) own[this.#length++] = bytes[at] as number;
  }

  equals(text: Uint8Array): boolean {
    return this.#length === text.length && this.startsWith(text);
  }

  startsWith(text: Uint8Array): boolean {
    if (this.overflowed || this.#length < text.length) return false;
    for (let at = 0; at < text.length; at++) if (this.#bytes[at] !== text[at]) return false;
    return true;
  }

  /** One digit or more, and nothing else. */
  get isDigits(): boolean {
    if (this.empty || this.overflowed) return false;
    for (let at = 0; at < this.#length; at++) if (!isDigit(this.#bytes[at] as number)) return false;
    return true;
  }

  /** The text read as a JSON number; NaN when it overflowed. */
  toNumber(): number {
    if (this.overflowed) return Number.NaN;
    let number = '';
    for (let at = 0; at < this.#length; at++) number += String.fromCharCode(this.#bytes[at] as number);
    return Number(number);
  }
}
