/**
 * Finds the usage counts of one JSON document while its bytes pass by, in any split, and holds none of them.
 * Guarantees: only an object at exactly `usage` or `<parent>.usage` is read, and the details in it, never a lookalike inside a
 * string, a nested object or an array; as with JSON.parse the last of equal names wins; constant memory; never throws. Counts
 * are worth something only once `complete` is true: a document that was cut, is no object, or breaks the grammar never is.
 * The grammar is that of a lenient JsonScanner. A name or value spelled with escapes matches no name: no provider does that.
 */
import { JSON_NULL, JSON_NUMBER, JSON_OBJECT, JSON_STRING } from './json-grammar.ts';
import { JsonScanner } from './json-scanner.ts';
import type { JsonSink } from './json-sink.ts';
import { isWritten } from './json-text.ts';
import { ShortText } from './short-text.ts';
import { COUNT_NAMES, DETAIL_NAMES, UsageCounts } from './usage-counts.ts';

// Which object is read.
const OUTSIDE = 0;
const IN_ROOT = 1;
const IN_PARENT = 2;
const IN_ROOT_USAGE = 3;
const IN_PARENT_USAGE = 4;

// Which name the value at hand belongs to: the index of a count, or one of these.
const NO_NAME = -1;
const TYPE_NAME = -2;
const PARENT_NAME = -3;
const USAGE_NAME = -4;
const DETAILS_NAME = -5;

const encoder = new TextEncoder();
const TYPE = encoder.encode('type');
const USAGE = encoder.encode('usage');
const COUNTS = COUNT_NAMES.map((name) => encoder.encode(name));
const DETAILS = DETAIL_NAMES.map(([name, member], index) => ({
  name: encoder.encode(name),
  member: encoder.encode(member),
  count: COUNT_NAMES.length + index,
}));

export class UsageDocument implements JsonSink {
  /** `usage` */
  readonly rootUsage = new UsageCounts();
  /** `<parent>.usage` */
  readonly parentUsage = new UsageCounts();
  /** The top-level `type`, empty when it is no string. */
  readonly type = new ShortText();
  readonly #parent: Uint8Array | null;
  readonly #scanner = new JsonScanner(this, true);
  #scope = OUTSIDE;
  #name = NO_NAME;
  /** The details that the name at hand is of, or that are read. */
  #details = DETAILS[0]!;
  #inDetails = false;
  #isObject = false;

  /** @param parent its name in UTF-8, null when there is none */
  constructor(parent: Uint8Array | null) {
    this.#parent = parent;
  }

  get complete(): boolean {
    return this.#isObject && this.#scanner.complete;
  }

  reset(): void {
    this.rootUsage.clear();
    this.parentUsage.clear();
    this.type.clear();
    this.#scanner.reset();
    this.#scope = OUTSIDE;
    this.#inDetails = false;
    this.#isObject = false;
  }

  push(bytes: Uint8Array, from: number, to: number): void {
    this.#scanner.push(bytes, from, to);
  }

  /** A name seen again starts afresh: of equal names the last one wins. */
  name(bytes: Uint8Array, from: number, to: number): boolean {
    this.#name = NO_NAME;
    if (this.#inDetails) {
      if (isWritten(bytes, from, to, this.#details.member)) this.#name = this.#details.count;
    } else if (this.#scope >= IN_ROOT_USAGE) {
      this.#nameInUsage(bytes, from, to);
    } else if (isWritten(bytes, from, to, USAGE)) {
      this.#name = USAGE_NAME;
      (this.#scope === IN_ROOT ? this.rootUsage : this.parentUsage).clear();
    } else if (this.#scope === IN_ROOT && isWritten(bytes, from, to, TYPE)) {
      this.#name = TYPE_NAME;
      this.type.clear();
    } else if (this.#scope === IN_ROOT && this.#parent !== null && isWritten(bytes, from, to, this.#parent)) {
      this.#name = PARENT_NAME;
      this.parentUsage.clear();
    }
    return this.#name !== NO_NAME;
  }

  enter(kind: number): boolean {
    if (kind !== JSON_OBJECT) return false;
    if (this.#scope === OUTSIDE) {
      this.#scope = IN_ROOT;
      this.#isObject = true;
      return true;
    }
    if (this.#name === PARENT_NAME) this.#scope = IN_PARENT;
    else if (this.#name === USAGE_NAME) this.#scope = this.#scope === IN_ROOT ? IN_ROOT_USAGE : IN_PARENT_USAGE;
    else if (this.#name === DETAILS_NAME) this.#inDetails = true;
    else return false;
    return true;
  }

  leave(): void {
    if (this.#inDetails) this.#inDetails = false;
    else if (this.#scope === IN_PARENT_USAGE) this.#scope = IN_PARENT;
    else this.#scope = this.#scope === IN_ROOT ? OUTSIDE : IN_ROOT;
  }

  value(kind: number): void {
    const { text } = this.#scanner;
    if (this.#name === TYPE_NAME) {
      if (kind === JSON_STRING && !text.overflowed) this.type.append(text.bytes, 0, text.length);
    } else if (this.#name >= 0) {
      const counts = this.#counts();
      // Some servers write their counts as text.
      if (kind === JSON_NUMBER || (kind === JSON_STRING && text.isDigits)) counts.set(this.#name, text.toNumber());
      else if (kind === JSON_NULL) counts.setAbsent(this.#name);
      else counts.setUnknown(this.#name);
    }
  }

  #nameInUsage(bytes: Uint8Array, from: number, to: number): void {
    for (let index = 0; index < COUNTS.length; index++) {
      if (isWritten(bytes, from, to, COUNTS[index] as Uint8Array)) {
        this.#name = index;
        return;
      }
    }
    for (const details of DETAILS) {
      if (isWritten(bytes, from, to, details.name)) {
        this.#name = DETAILS_NAME;
        this.#details = details;
        this.#counts().setAbsent(details.count);
        return;
      }
    }
  }

  #counts(): UsageCounts {
    return this.#scope === IN_ROOT_USAGE ? this.rootUsage : this.parentUsage;
  }
}
