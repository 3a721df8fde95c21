/**
 * Scans one JSON document (RFC 8259) as its bytes come, in pieces of any size, and holds none of them: memory is constant.
 *
 * Guarantees: `complete` exactly when JSON.parse would take the text and nothing in it is nested deeper than JSON_DEPTH_MAX;
 * the same calls of the sink, at the same offsets, for every split; never throws by itself. A byte from 0x80 on may stand in
 * strings only; whether they are UTF-8 is for the caller to check, who can do it natively.
 *
 * The sink is told of the members of one object at a time, the watched one, and of the elements of a watched array. All else
 * costs no call, so a document of a million members costs what its bytes cost: 0.2 to 2.9 ms for each MB without the last tier
 * of the JIT, JSON.parse 0.2 to 23 ms.
 *
 * A lenient scan is for answers, which nobody parses again after us. In a string any byte may stand and a backslash takes any
 * byte with it; a run of numbers in an array is passed by a search, whatever its order of digits, signs and commas.
 */
import {
  BACKSLASH,
  BYTE_ORDER_MARK,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON as COLON_MARK,
  COMMA,
  ENDS_NUMBERS,
  ENDS_PLAIN,
  ENDS_PLAIN_LENIENT,
  isDigit,
  isHexEscape,
  isShortEscape,
  JSON_ARRAY,
  JSON_NUMBER,
  JSON_OBJECT,
  JSON_STRING,
  lenientPlainEnd,
  QUOTE,
} from './json-grammar.ts';
import { type JsonSink, NAME_BYTES_MAX } from './json-sink.ts';
import { EscapeToken, LiteralToken, NumberToken, REFUSED, wholeIntegerEnd, wholeLiteralEnd } from './json-tokens.ts';
import { ShortText } from './short-text.ts';
import { WordSearch } from './word-search.ts';

/** Open containers, the root among them. */
export const JSON_DEPTH_MAX = 512;

// What the next byte has to be. The order matters: strings may begin in the first four, names in two of them.
const VALUE = 0;
const VALUE_OR_CLOSE = 1;
const NAME = 2;
const NAME_OR_CLOSE = 3;
const COLON = 4;
const COMMA_OR_CLOSE = 5;
const COMPLETE = 6;
const INVALID = 7;
// From here on a token that did not end within its piece, or has a loop of its own.
const IN_STRING = 8;
const IN_NUMBER = 9;
const IN_LITERAL = 10;
const IN_NUMBERS = 11;

/** How many bytes are examined one by one before a native search begins. */
const NEAR_BYTES = 24;

const NOTHING_WANTED = -1;

export class JsonScanner {
  /** The offset of the wanted value's first byte, counted from the first byte pushed. */
  valueFrom = 0;
  /** The offset behind its last byte. */
  valueTo = 0;
  /** It failed because it is nested too deep. */
  tooDeep = false;
  /** A wanted string (as it is written, without quotes), number or literal, if it is short. */
  readonly text = new ShortText();
  #sink: JsonSink;
  readonly #lenient: boolean;
  /** For each open container whether it is an object; the first is the one around the root, which is none. */
  readonly #objects = new Uint8Array(JSON_DEPTH_MAX + 1);
  #state = VALUE;
  /** How much of a byte order mark was seen; its length when none can come any more. */
  #markAt = 0;
  #depth = 0;
  /** The depth of the watched container; 0 is what is around the root. */
  #watched = 0;
  /** The same while the value at hand is wanted, else -1. */
  #wantedDepth = 0;
  #isName = false;
  readonly #escape: EscapeToken;
  readonly #number = new NumberToken();
  readonly #literal = new LiteralToken();
  /** Bytes pushed before this piece, less where in it the piece begins. */
  #offset = 0;
  /** The beginning of a watched name that did not end with its piece. */
  readonly #name = new ShortText(NAME_BYTES_MAX);
  readonly #search = new WordSearch();

  constructor(sink: JsonSink, lenient = false) {
    this.#sink = sink;
    this.#lenient = lenient;
    this.#escape = new EscapeToken(lenient);
  }

  /** A whole document has passed, and at most white space behind it. */
  get complete(): boolean {
    return this.#state === COMPLETE || (this.#state === IN_NUMBER && this.#depth === 0 && this.#number.canEnd);
  }

  /** What follows does not matter any more. */
  get failed(): boolean {
    return this.#state === INVALID;
  }

  /** The last piece ended inside a wanted string. */
  get inWantedString(): boolean {
    return this.#state === IN_STRING && !this.#isName && this.#depth === this.#wantedDepth;
  }

  /** As if new, for another document, of which another sink may be told. */
  reset(sink = this.#sink): void {
    this.#sink = sink;
    this.#state = VALUE;
    this.#markAt = 0;
    this.#depth = 0;
    this.#watched = 0;
    this.#wantedDepth = 0;
    this.tooDeep = false;
    this.#escape.end();
    this.#offset = 0;
  }

  push(bytes: Uint8Array, from: number, to: number): void {
    this.#offset -= from;
    let at = from;
    if (this.#markAt < BYTE_ORDER_MARK.length) at = this.#passMark(bytes, at, to);
    while (at < to) {
      if (this.#state === IN_STRING) at = this.#passString(bytes, at, at, to);
      else if (this.#state < INVALID) at = this.#passStructure(bytes, at, to);
      else if (this.#state === IN_NUMBER) at = this.#passNumber(bytes, at, to);
      else if (this.#state === IN_LITERAL) at = this.#passLiteral(bytes, at, to);
      else if (this.#state === IN_NUMBERS) at = this.#passNumbers(bytes, at, to);
      else break;
    }
    this.#offset += to;
    this.#search.end();
  }

  #passMark(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to && bytes[at] === BYTE_ORDER_MARK[this.#markAt]) {
      at++;
      if (++this.#markAt === BYTE_ORDER_MARK.length) return at;
    }
    if (at < to) {
      if (this.#markAt > 0) return this.#fail(to);
      this.#markAt = BYTE_ORDER_MARK.length;
    }
    return at;
  }

  /** Up to the next token that is long or split, or to the end. Short tokens are read here: most documents are made of them. */
  #passStructure(bytes: Uint8Array, from: number, to: number): number {
    const ends = this.#lenient ? ENDS_PLAIN_LENIENT : ENDS_PLAIN;
    const objects = this.#objects;
    let state = this.#state;
    let depth = this.#depth;
    let inObject = objects[depth] === 1;
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number;
      if (byte <= 0x20) {
        if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) continue;
        return this.#fail(to);
      }
      if (byte === QUOTE) {
        if (state > NAME_OR_CLOSE) return this.#fail(to);
        const isName = state >= NAME;
        const start = at + 1;
        const near = Math.min(start + NEAR_BYTES, to);
        let end = start;
        while (end < near && ends[bytes[end] as number] === 0) end++;
        if (end < near && bytes[end] === QUOTE) {
          if (isName) {
            state = COLON;
            if (depth === this.#watched) this.#tellName(bytes, start, end);
          } else {
            state = depth === 0 ? COMPLETE : COMMA_OR_CLOSE;
            if (depth === this.#wantedDepth) this.#tellScalar(JSON_STRING, bytes, at, end + 1);
          }
          at = end;
          continue;
        }
        this.#depth = depth;
        this.#startString(isName, at);
        return this.#passString(bytes, start, end, to);
      }
      if (state === COMMA_OR_CLOSE) {
        if (byte === COMMA) {
          state = inObject ? NAME : VALUE;
          if (depth === this.#watched) this.#wantedDepth = inObject ? NOTHING_WANTED : depth;
          continue;
        }
        if (byte !== (inObject ? CLOSE_BRACE : CLOSE_BRACKET)) return this.#fail(to);
      } else if (state === COLON) {
        if (byte !== COLON_MARK) return this.#fail(to);
        state = VALUE;
        continue;
      } else if (state === NAME_OR_CLOSE) {
        if (byte !== CLOSE_BRACE) return this.#fail(to);
      } else if (state > VALUE_OR_CLOSE) {
        return this.#fail(to); // a name is due, or nothing may follow
      } else if (byte === JSON_OBJECT || byte === JSON_ARRAY) {
        if (depth === JSON_DEPTH_MAX) {
          this.tooDeep = true;
          return this.#fail(to);
        }
        inObject = byte === JSON_OBJECT;
        objects[depth + 1] = inObject ? 1 : 0;
        if (depth === this.#wantedDepth) this.#enter(byte, at);
        depth++;
        state = inObject ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
        continue;
      } else if (byte !== CLOSE_BRACKET || state !== VALUE_OR_CLOSE) {
        const isWanted = depth === this.#wantedDepth;
        if (!isWanted && !this.#lenient) {
          const end = byte <= 0x39 ? wholeIntegerEnd(bytes, at, to) : wholeLiteralEnd(bytes, at, to);
          if (end > at) {
            state = depth === 0 ? COMPLETE : COMMA_OR_CLOSE;
            at = end - 1;
            continue;
          }
        }
        this.#depth = depth;
        const end = this.#passToken(bytes, at, to, inObject, isWanted);
        state = this.#state;
        if (state !== COMMA_OR_CLOSE && state !== VALUE_OR_CLOSE) return end;
        at = end - 1;
        continue;
      }
      // What is open closes.
      const kind = inObject ? JSON_OBJECT : JSON_ARRAY;
      depth--;
      inObject = objects[depth] === 1;
      state = depth === 0 ? COMPLETE : COMMA_OR_CLOSE;
      if (depth <= this.#watched) this.#close(kind, depth, at + 1);
    }
    this.#state = state;
    this.#depth = depth;
    return to;
  }

  /** A number or a literal, or what is neither. */
  #passToken(bytes: Uint8Array, at: number, to: number, inObject: boolean, isWanted: boolean): number {
    const byte = bytes[at] as number;
    if (isWanted) this.#startWanted(at);
    if (byte === 0x2d || isDigit(byte)) {
      if (this.#lenient && !isWanted && !inObject && this.#depth > 0) return this.#passNumbers(bytes, at, to);
      this.#number.begin();
      return this.#passNumber(bytes, at, to);
    }
    if (!this.#literal.begin(byte)) return this.#fail(to);
    return this.#passLiteral(bytes, at, to);
  }

  #startString(isName: boolean, at: number): void {
    this.#state = IN_STRING;
    this.#isName = isName;
    this.#name.clear();
    if (!isName && this.#depth === this.#wantedDepth) this.#startWanted(at);
  }

  /** Up to behind the closing quote, or to the end. @param plainTo up to here it is known to be plain */
  #passString(bytes: Uint8Array, from: number, plainTo: number, to: number): number {
    const ends = this.#lenient ? ENDS_PLAIN_LENIENT : ENDS_PLAIN;
    let at = plainTo;
    while (at < to) {
      if (this.#escape.isOpen) {
        if (!this.#escape.pass(bytes[at++] as number)) return this.#fail(to);
        continue;
      }
      const near = Math.min(at + NEAR_BYTES, to);
      while (at < near && ends[bytes[at] as number] === 0) at++;
      if (at === near && at < to) {
        at = this.#lenient ? lenientPlainEnd(bytes, at, to) : this.#search.plainEnd(bytes, at, to);
      }
      if (at === to) break;
      const byte = bytes[at++];
      if (byte === BACKSLASH) {
        if (at < to && (this.#lenient || isShortEscape(bytes[at] as number))) at++;
        else if (at + 4 < to && isHexEscape(bytes, at)) at += 5;
        else this.#escape.begin();
      } else if (byte === QUOTE) {
        this.#endString(bytes, from, at);
        return at;
      } else {
        return this.#fail(to);
      }
    }
    this.#state = IN_STRING;
    if (this.#isName && this.#depth === this.#watched) this.#name.append(bytes, from, to);
    else if (this.#depth === this.#wantedDepth) this.text.append(bytes, from, to);
    return to;
  }

  /** @param from where the string, or the rest of it, begins in this piece @param to behind the closing quote */
  #endString(bytes: Uint8Array, from: number, to: number): void {
    if (this.#isName) {
      this.#state = COLON;
      if (this.#depth === this.#watched) this.#endName(bytes, from, to - 1);
      return;
    }
    if (this.#depth === this.#wantedDepth) {
      this.text.append(bytes, from, to - 1);
      this.#endWanted(JSON_STRING, to);
    }
    this.#state = this.#depth === 0 ? COMPLETE : COMMA_OR_CLOSE;
  }

  #endName(bytes: Uint8Array, from: number, to: number): void {
    const name = this.#name;
    if (name.empty) {
      this.#tellName(bytes, from, to);
      return;
    }
    name.append(bytes, from, to);
    this.#tellName(name.bytes, 0, name.length);
  }

  #tellName(bytes: Uint8Array, from: number, to: number): void {
    const isWanted = to - from <= NAME_BYTES_MAX && this.#sink.name(bytes, from, to);
    this.#wantedDepth = isWanted ? this.#watched : NOTHING_WANTED;
  }

  #passNumber(bytes: Uint8Array, from: number, to: number): number {
    const at = this.#number.pass(bytes, from, to);
    if (at === REFUSED) return this.#fail(to);
    const isWanted = this.#depth === this.#wantedDepth;
    if (isWanted) this.text.append(bytes, from, at);
    this.#state = at === to ? IN_NUMBER : this.#depth === 0 ? COMPLETE : COMMA_OR_CLOSE;
    if (isWanted && at < to) this.#endWanted(JSON_NUMBER, at);
    return at;
  }

  #passLiteral(bytes: Uint8Array, from: number, to: number): number {
    const at = this.#literal.pass(bytes, from, to);
    if (at === REFUSED) return this.#fail(to);
    this.#state = !this.#literal.whole ? IN_LITERAL : this.#depth === 0 ? COMPLETE : COMMA_OR_CLOSE;
    if (this.#literal.whole && this.#depth === this.#wantedDepth) this.#endWanted(this.#literal.kind, at);
    return at;
  }

  /** Embeddings: up to what is no part of a number and does not stand between two, or to the end. Lenient scans only. */
  #passNumbers(bytes: Uint8Array, from: number, to: number): number {
    const near = Math.min(from + NEAR_BYTES, to);
    let at = from;
    while (at < near && ENDS_NUMBERS[bytes[at] as number] === 0) at++;
    if (at === near && at < to) at = this.#search.numbersEnd(bytes, at, to);
    this.#state = at === to ? IN_NUMBERS : VALUE_OR_CLOSE;
    return at;
  }

  #enter(kind: number, at: number): void {
    this.#startWanted(at);
    if (!this.#sink.enter(kind)) return;
    this.#watched++;
    this.#wantedDepth = kind === JSON_ARRAY ? this.#watched : NOTHING_WANTED;
  }

  /** @param depth of what is around it, at most that of the watched */
  #close(kind: number, depth: number, to: number): void {
    if (depth < this.#watched) {
      this.#watched = depth;
      this.#wantedDepth = NOTHING_WANTED;
      this.valueTo = this.#offset + to;
      this.#sink.leave();
    } else if (depth === this.#wantedDepth) {
      this.#endWanted(kind, to);
    }
  }

  #tellScalar(kind: number, bytes: Uint8Array, from: number, to: number): void {
    this.#startWanted(from);
    this.text.append(bytes, from + 1, to - 1);
    this.#endWanted(kind, to);
  }

  #startWanted(at: number): void {
    this.valueFrom = this.#offset + at;
    this.text.clear();
  }

  #endWanted(kind: number, to: number): void {
    this.valueTo = this.#offset + to;
    this.#wantedDepth = NOTHING_WANTED;
    this.#sink.value(kind);
  }

  #fail(to: number): number {
    this.#state = INVALID;
    return to;
  }
}
