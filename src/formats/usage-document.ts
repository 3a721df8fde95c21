/**
 * Finds the usage counts of one JSON document while its bytes pass by, in any split, and holds none of them.
 * Guarantees: only an object at exactly `usage` or `<parent>.usage` is read, never a lookalike inside a string, a nested object
 * or an array; as with JSON.parse the last of equal keys wins; constant memory; never throws. Counts are worth something only
 * once `complete` is true: a document that was cut, is no object, or breaks the grammar never is.
 * It is looser than JSON.parse in one place, to pass long strings natively: inside a string any byte may stand and a backslash
 * takes any byte with it. It is stricter in two: a key or value spelled with escapes matches no name, and nesting beyond
 * `DEPTH_MAX` is refused.
 */
import { ShortText } from './short-text.ts';
import { COUNT_NAMES, UsageCounts } from './usage-counts.ts';

const DEPTH_MAX = 512;

// What the next byte has to be. From STRING on these are tokens, which have loops of their own.
const ROOT = 0;
const KEY_OR_CLOSE = 1;
const KEY = 2;
const NAME_COLON = 3;
const ITEM_OR_CLOSE = 4;
const ITEM = 5;
const COMMA_OR_CLOSE = 6;
const COMPLETE = 7;
const INVALID = 8;
const STRING = 9;
const LITERAL = 10;
const NUMBER = 11;

// Which object the scanner stands in, as far as that matters.
const IN_ROOT = 0;
const IN_PARENT = 1;
const IN_ROOT_USAGE = 2;
const IN_PARENT_USAGE = 3;

// Which key the value at hand belongs to: an index into COUNT_NAMES, or one of these.
const NO_KEY = -1;
const TYPE_KEY = -2;
const PARENT_KEY = -3;
const USAGE_KEY = -4;

// How much of a number was read; ENDED and REFUSED are answers to the next byte.
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
const REFUSED = 10;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

// A native search costs as much as looking at some 40 bytes here. It runs to the next quote, which may lie behind the range,
// so it is only used where the range itself is long.
const NEAR_BYTES = 48;
const FAR_BYTES = 256;

const encoder = new TextEncoder();
const TYPE = encoder.encode('type');
const USAGE = encoder.encode('usage');
const COUNTS = COUNT_NAMES.map((name) => encoder.encode(name));
const TRUE = encoder.encode('true');
const FALSE = encoder.encode('false');
const NULL = encoder.encode('null');

export class UsageDocument {
  /** `usage` */
  readonly rootUsage = new UsageCounts();
  /** `<parent>.usage` */
  readonly parentUsage = new UsageCounts();
  /** The top-level `type`, empty when it is no string. */
  readonly type = new ShortText();
  readonly #parent: Uint8Array | null;
  /** A bit for each open container: 1 is an object. */
  readonly #objects = new Uint32Array(DEPTH_MAX / 32);
  readonly #token = new ShortText();
  #state = ROOT;
  #depth = 0;
  #scope = IN_ROOT;
  #scopeDepth = 1;
  #key = NO_KEY;
  #isKey = false;
  #escaped = false;
  #number = NOTHING;
  #literal = NULL;
  #literalAt = 0;

  /** @param parent its name in UTF-8, null when there is none */
  constructor(parent: Uint8Array | null) {
    this.#parent = parent;
  }

  get complete(): boolean {
    return this.#state === COMPLETE;
  }

  reset(): void {
    this.rootUsage.clear();
    this.parentUsage.clear();
    this.type.clear();
    this.#state = ROOT;
    this.#depth = 0;
    this.#scope = IN_ROOT;
    this.#scopeDepth = 1;
    this.#key = NO_KEY;
    this.#escaped = false;
  }

  push(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (this.#state === STRING) at = this.#passString(bytes, at, to);
      else if (this.#state === NUMBER) at = this.#passNumber(bytes, at, to);
      else if (this.#state === LITERAL) at = this.#passLiteral(bytes, at, to);
      else if (this.#state === INVALID) return;
      else at = this.#passStructure(bytes, at, to);
    }
  }

  /** Up to the next token, or to the end. */
  #passStructure(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number;
      if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
      switch (this.#state) {
        case ROOT:
          if (byte !== 0x7b) return this.#fail(to);
          this.#open(true);
          break;
        case KEY_OR_CLOSE:
        case KEY:
          if (byte === QUOTE) return this.#startKey(at + 1);
          if (byte !== 0x7d || this.#state === KEY) return this.#fail(to);
          this.#close();
          break;
        case NAME_COLON:
          if (byte !== 0x3a) return this.#fail(to);
          this.#state = ITEM;
          break;
        case ITEM_OR_CLOSE:
        case ITEM:
          if (byte === 0x7b) this.#open(true);
          else if (byte === 0x5b) this.#open(false);
          else if (byte === 0x5d && this.#state === ITEM_OR_CLOSE) this.#close();
          else return this.#startToken(byte, at, to);
          break;
        case COMMA_OR_CLOSE:
          if (byte === 0x2c) this.#state = this.#inObject() ? KEY : ITEM;
          else if (byte === (this.#inObject() ? 0x7d : 0x5d)) this.#close();
          else return this.#fail(to);
          break;
        default: // COMPLETE or INVALID: nothing may follow
          return this.#fail(to);
      }
    }
    return to;
  }

  #startKey(at: number): number {
    this.#state = STRING;
    this.#isKey = true;
    this.#key = NO_KEY;
    this.#token.clear();
    return at;
  }

  #startToken(byte: number, at: number, to: number): number {
    if (byte === QUOTE) {
      this.#state = STRING;
      this.#isKey = false;
      return at + 1;
    }
    if (byte === 0x2d || isDigit(byte)) {
      this.#state = NUMBER;
      this.#number = NOTHING;
      this.#token.clear();
      return at;
    }
    if (byte === 0x74) this.#literal = TRUE;
    else if (byte === 0x66) this.#literal = FALSE;
    else if (byte === 0x6e) this.#literal = NULL;
    else return this.#fail(to);
    this.#state = LITERAL;
    this.#literalAt = 1;
    return at + 1;
  }

  /** Up to behind the closing quote, or to the end. */
  #passString(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    if (this.#escaped) {
      this.#escaped = false;
      at++;
    }
    while (at < to) {
      const start = at;
      const near = to - at >= FAR_BYTES ? at + NEAR_BYTES : to;
      let byte = 0;
      while (at < near) {
        byte = bytes[at] as number;
        if (byte === QUOTE || byte === BACKSLASH) break;
        at++;
      }
      if (at === near && near < to) {
        at = quoteOrEnd(bytes, at, to);
        byte = isEscaped(bytes, start, at) ? BACKSLASH : QUOTE;
        // An escaped quote is passed below, from its backslash on.
        if (byte === BACKSLASH) at--;
      }
      if (at === to) break;
      if (byte === QUOTE) {
        this.#keep(bytes, from, at);
        this.#endString();
        return at + 1;
      }
      at += 2;
      if (at > to) this.#escaped = true;
    }
    this.#keep(bytes, from, to);
    return to;
  }

  /** Raw bytes, escapes as they are: see the header. */
  #keep(bytes: Uint8Array, from: number, to: number): void {
    if (this.#isKey) {
      if (this.#depth === this.#scopeDepth) this.#token.append(bytes, from, to);
    } else if (this.#key === TYPE_KEY) {
      this.type.append(bytes, from, to);
    }
  }

  #endString(): void {
    if (!this.#isKey) {
      this.#state = COMMA_OR_CLOSE;
      return;
    }
    this.#state = NAME_COLON;
    if (this.#depth === this.#scopeDepth) this.#matchKey();
  }

  /** A key seen again starts afresh: of equal keys the last one wins. */
  #matchKey(): void {
    const token = this.#token;
    if (this.#scope === IN_ROOT && token.equals(TYPE)) {
      this.#key = TYPE_KEY;
      this.type.clear();
    } else if (this.#scope === IN_ROOT && this.#parent !== null && token.equals(this.#parent)) {
      this.#key = PARENT_KEY;
      this.parentUsage.clear();
    } else if (this.#scope <= IN_PARENT && token.equals(USAGE)) {
      this.#key = USAGE_KEY;
      (this.#scope === IN_ROOT ? this.rootUsage : this.parentUsage).clear();
    } else if (this.#scope >= IN_ROOT_USAGE) {
      this.#key = COUNTS.findIndex((name) => token.equals(name));
      // Whatever follows is no count until it has turned out to be one.
      if (this.#key >= 0) this.#counts().setUnknown(this.#key);
    }
  }

  /** Up to the first byte behind the number, or to the end. */
  #passNumber(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number;
      if (isDigit(byte) && (this.#number === INTEGER || this.#number === FRACTION)) continue; // embeddings: mostly these
      const next = afterNumberByte(this.#number, byte);
      if (next === REFUSED) return this.#fail(to);
      if (next === ENDED) {
        if (this.#key >= 0) {
          this.#token.append(bytes, from, at);
          this.#counts().set(this.#key, this.#token.toNumber());
        }
        this.#state = COMMA_OR_CLOSE;
        return at;
      }
      this.#number = next;
    }
    if (this.#key >= 0) this.#token.append(bytes, from, to);
    return to;
  }

  #passLiteral(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      if (bytes[at] !== this.#literal[this.#literalAt++]) return this.#fail(to);
      if (this.#literalAt === this.#literal.length) {
        if (this.#key >= 0 && this.#literal === NULL) this.#counts().setAbsent(this.#key);
        this.#state = COMMA_OR_CLOSE;
        return at + 1;
      }
    }
    return to;
  }

  #open(isObject: boolean): void {
    if (this.#depth === DEPTH_MAX) {
      this.#state = INVALID;
      return;
    }
    const bit = 1 << (this.#depth & 31);
    const word = this.#depth >> 5;
    this.#objects[word] = isObject ? (this.#objects[word] as number) | bit : (this.#objects[word] as number) & ~bit;
    this.#depth++;
    this.#state = isObject ? KEY_OR_CLOSE : ITEM_OR_CLOSE;
    if (isObject && (this.#key === PARENT_KEY || this.#key === USAGE_KEY)) {
      if (this.#key === PARENT_KEY) this.#scope = IN_PARENT;
      else this.#scope = this.#scope === IN_ROOT ? IN_ROOT_USAGE : IN_PARENT_USAGE;
      this.#scopeDepth = this.#depth;
    }
    this.#key = NO_KEY;
  }

  #close(): void {
    if (this.#depth === this.#scopeDepth) {
      this.#scope = this.#scope === IN_PARENT_USAGE ? IN_PARENT : IN_ROOT;
      this.#scopeDepth--;
    }
    this.#depth--;
    this.#state = this.#depth === 0 ? COMPLETE : COMMA_OR_CLOSE;
  }

  #inObject(): boolean {
    const depth = this.#depth - 1;
    return (((this.#objects[depth >> 5] as number) >>> (depth & 31)) & 1) === 1;
  }

  #counts(): UsageCounts {
    return this.#scope === IN_ROOT_USAGE ? this.rootUsage : this.parentUsage;
  }

  #fail(to: number): number {
    this.#state = INVALID;
    return to;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** What a number has become with this byte, the grammar of RFC 8259. */
function afterNumberByte(number: number, byte: number): number {
  if (isDigit(byte)) {
    if (number === NOTHING || number === MINUS) return byte === 0x30 ? ZERO : INTEGER;
    if (number === ZERO) return REFUSED;
    if (number === POINT) return FRACTION;
    return number === EXPONENT || number === EXPONENT_SIGN ? EXPONENT_DIGITS : number;
  }
  if (number === NOTHING) return byte === 0x2d ? MINUS : REFUSED;
  if (byte === 0x2e) return number === ZERO || number === INTEGER ? POINT : REFUSED;
  if (byte === 0x65 || byte === 0x45) {
    return number === ZERO || number === INTEGER || number === FRACTION ? EXPONENT : REFUSED;
  }
  if (byte === 0x2b || byte === 0x2d) return number === EXPONENT ? EXPONENT_SIGN : REFUSED;
  return number === MINUS || number === POINT || number === EXPONENT || number === EXPONENT_SIGN ? REFUSED : ENDED;
}

function quoteOrEnd(bytes: Uint8Array, from: number, to: number): number {
  const at = bytes.indexOf(QUOTE, from);
  return at < 0 || at > to ? to : at;
}

/** Whether an odd number of backslashes stands right before `at`; `from` is not inside an escape. */
function isEscaped(bytes: Uint8Array, from: number, at: number): boolean {
  let start = at;
  while (start > from && bytes[start - 1] === BACKSLASH) start--;
  return ((at - start) & 1) === 1;
}
