/**
 * A short byte string that arrives in pieces: an event's name, a JSON key, a number literal.
 * Guarantees: never more than `CAPACITY` bytes whatever is appended; a text that did not fit equals nothing.
 */

// The longest text that matters is "cache_creation_input_tokens" (27); the rest is room for odd but valid number literals.
const CAPACITY = 48;

export class ShortText {
  readonly #bytes = new Uint8Array(CAPACITY);
  #length = 0;

  get empty(): boolean {
    return this.#length === 0;
  }

  clear(): void {
    this.#length = 0;
  }

  append(bytes: Uint8Array, from: number, to: number): void {
    if (this.#length + (to - from) > CAPACITY) {
      this.#length = CAPACITY + 1; // overflowed: stays so until cleared
      return;
    }
    for (let at = from; at < to; at++) this.#bytes[this.#length++] = bytes[at] as number;
  }

  equals(text: Uint8Array): boolean {
    return this.#length === text.length && this.startsWith(text);
  }

  startsWith(text: Uint8Array): boolean {
    if (this.#length > CAPACITY || this.#length < text.length) return false;
    for (let at = 0; at < text.length; at++) if (this.#bytes[at] !== text[at]) return false;
    return true;
  }

  /** The text read as a JSON number literal; NaN when it overflowed. */
  toNumber(): number {
    if (this.#length > CAPACITY) return Number.NaN;
    let literal = '';
    for (let at = 0; at < this.#length; at++) literal += String.fromCharCode(this.#bytes[at] as number);
    return Number(literal);
  }
}
