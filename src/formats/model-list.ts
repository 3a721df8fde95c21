/**
 * Takes out of a list of models (`{"data":[{"id":…},…]}`) those that a key may not use, and entries that are no models. What is
 * left stands in the order and in the bytes it came in; between two entries is a comma. Works in steps and in constant memory
 * beside the list and its copy.
 */
import { JSON_ARRAY, JSON_OBJECT, JSON_STRING } from './json-grammar.ts';
import { JsonScanner } from './json-scanner.ts';
import type { JsonSink } from './json-sink.ts';
import { decodeString, isName } from './json-text.ts';

const STEP_BYTES = 64 * 1024;
/** No allowed model has so long a name. */
const ID_BYTES_MAX = 4096;
const COMMA = 0x2c;

// What is being read, each in the one before.
const OUTSIDE = 0;
const IN_ROOT = 1;
const IN_DATA = 2;
const IN_ENTRY = 3;

export class ModelList implements JsonSink {
  readonly #scanner = new JsonScanner(this);
  readonly #bytes: Uint8Array;
  readonly #allowed: ReadonlySet<string>;
  readonly #out: Uint8Array;
  #outBytes = 0;
  /** How much of the list has been read, and how much of it is in `#out` or is left out. */
  #at = 0;
  #copied = 0;
  #level = OUTSIDE;
  #entryFrom = 0;
  /** The entry at hand has an id; each of its ids, should there be several, is allowed. */
  #hasId = false;
  #idIsAllowed = true;
  #keptInData = 0;
  #hasData = false;
  /** `data` is no array: nobody can say what models these are. */
  #isOdd = false;

  constructor(bytes: Uint8Array, allowed: readonly string[]) {
    this.#bytes = bytes;
    this.#allowed = new Set(allowed);
    this.#out = new Uint8Array(bytes.length);
  }

  /** @returns whether it is done */
  step(): boolean {
    const to = Math.min(this.#at + STEP_BYTES, this.#bytes.length);
    this.#scanner.push(this.#bytes, this.#at, to);
    this.#at = to;
    return to === this.#bytes.length || this.#scanner.failed;
  }

  /** The list without the others, once it is done; null when it is no list of models. */
  filtered(): Uint8Array | null {
    if (!this.#scanner.complete || !this.#hasData || this.#isOdd) return null;
    this.#copy(this.#copied, this.#bytes.length);
    return this.#out.subarray(0, this.#outBytes);
  }

  name(bytes: Uint8Array, from: number, to: number): boolean {
    return isName(bytes, from, to, this.#level === IN_ROOT ? 'data' : 'id');
  }

  enter(kind: number): boolean {
    if (this.#level === OUTSIDE && kind === JSON_OBJECT) {
      this.#level = IN_ROOT;
    } else if (this.#level === IN_ROOT && kind === JSON_ARRAY) {
      this.#level = IN_DATA;
      this.#hasData = true;
      this.#keptInData = 0;
      this.#copy(this.#copied, this.#scanner.valueFrom + 1);
    } else if (this.#level === IN_DATA && kind === JSON_OBJECT) {
      this.#level = IN_ENTRY;
      this.#entryFrom = this.#scanner.valueFrom;
      this.#hasId = false;
      this.#idIsAllowed = true;
    } else {
      return false;
    }
    return true;
  }

  leave(): void {
    const { valueTo } = this.#scanner;
    if (this.#level === IN_ENTRY && this.#hasId && this.#idIsAllowed) {
      if (this.#keptInData++ > 0) this.#out[this.#outBytes++] = COMMA;
      this.#copy(this.#entryFrom, valueTo);
    } else if (this.#level === IN_DATA) {
      this.#copied = valueTo - 1;
    }
    this.#level--;
  }

  value(kind: number): void {
    if (this.#level === IN_ENTRY) {
      this.#hasId = true;
      if (kind !== JSON_STRING || !this.#isAllowedId()) this.#idIsAllowed = false;
    } else if (this.#level === IN_ROOT) {
      this.#isOdd = true;
    }
  }

  #isAllowedId(): boolean {
    const { valueFrom, valueTo } = this.#scanner;
    return this.#allowed.has(decodeString(this.#bytes, valueFrom, valueTo, ID_BYTES_MAX));
  }

  #copy(from: number, to: number): void {
    this.#out.set(this.#bytes.subarray(from, to), this.#outBytes);
    this.#outBytes += to - from;
    this.#copied = to;
  }
}
