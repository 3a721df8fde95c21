/**
 * What the gateway looks at in a request's body, found in one scan: where at the top level the values of a few fields stand,
 * and whether one of them occurs twice or in another case, which two parsers could read differently. Nothing else of a body is
 * read, and nothing of it is kept but positions.
 */
import { JSON_OBJECT } from './json-grammar.ts';
import type { JsonScanner } from './json-scanner.ts';
import type { JsonSink } from './json-sink.ts';
import { NameTable, NOT_FOUND } from './json-text.ts';

/** A field that is needed later is a name here. */
const FIELDS = ['model', 'stream', 'stream_options', 'models', 'fallbacks', 'background'] as const;
/** The members of `stream_options`; their places follow those of FIELDS. */
const STREAM_OPTIONS = ['include_usage'] as const;

export type FieldName = (typeof FIELDS)[number] | (typeof STREAM_OPTIONS)[number];

const NAMES: readonly FieldName[] = [...FIELDS, ...STREAM_OPTIONS];
const FIELD_TABLE = new NameTable(FIELDS);
const STREAM_OPTIONS_TABLE = new NameTable(STREAM_OPTIONS);
const PLACES = Object.fromEntries(NAMES.map((name, place) => [name, place])) as Record<FieldName, number>;

/** A value in the body; `kind` is one of JSON_OBJECT, JSON_STRING … */
interface Span {
  readonly kind: number;
  readonly from: number;
  readonly to: number;
}

/** All that the top level has of one name. */
export interface FoundField {
  /** How often it occurs, in any case. */
  readonly occurrences: number;
  /** One of them is spelled in another case. */
  readonly inOtherCase: boolean;
  /** The last that is spelled exactly so, which is the one JSON.parse takes. */
  readonly value: Span | null;
}

type MutableField = { -readonly [Key in keyof FoundField]: FoundField[Key] };

export class RequestFields implements JsonSink {
  /** The root is an object. */
  isObject = false;
  /** Where its members begin. */
  membersFrom = 0;
  /** The last `stream_options` is an object without members. */
  streamOptionsEmpty = true;
  /** By their places in NAMES. */
  readonly #found: (MutableField | undefined)[] = new Array(NAMES.length).fill(undefined);
  readonly #scanner: JsonScanner;
  /** The field of the wanted value at hand. */
  #field: MutableField | undefined;
  #streamOptionsFrom = 0;
  #inStreamOptions = false;

  /** @param scanner of which it is the sink */
  constructor(scanner: JsonScanner) {
    this.#scanner = scanner;
  }

  get(name: FieldName): FoundField | undefined {
    return this.#found[PLACES[name]];
  }

  name(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#inStreamOptions) this.streamOptionsEmpty = false;
    const found = (this.#inStreamOptions ? STREAM_OPTIONS_TABLE : FIELD_TABLE).lookUp(bytes, from, to);
    if (found === NOT_FOUND) return false;
    const place = this.#inStreamOptions ? FIELDS.length + (found >> 1) : found >> 1;
    const field = this.#found[place] ?? { occurrences: 0, inOtherCase: false, value: null };
    this.#found[place] = field;
    field.occurrences++;
    if ((found & 1) === 1) {
      field.inOtherCase = true;
      return false;
    }
    if (place === PLACES.stream_options) {
      // Of equal names the last one counts, so what is in it starts afresh.
      this.#found[PLACES.include_usage] = undefined;
      this.streamOptionsEmpty = true;
    }
    this.#field = field;
    return true;
  }

  enter(kind: number): boolean {
    const { valueFrom } = this.#scanner;
    if (!this.isObject) {
      this.isObject = kind === JSON_OBJECT;
      this.membersFrom = valueFrom + 1;
      return this.isObject;
    }
    if (this.#field !== this.#found[PLACES.stream_options] || kind !== JSON_OBJECT) return false;
    this.#inStreamOptions = true;
    this.#streamOptionsFrom = valueFrom;
    return true;
  }

  leave(): void {
    if (!this.#inStreamOptions) return;
    this.#inStreamOptions = false;
    const value = { kind: JSON_OBJECT, from: this.#streamOptionsFrom, to: this.#scanner.valueTo };
    this.#found[PLACES.stream_options]!.value = value;
  }

  value(kind: number): void {
    if (!this.isObject) return;
    const { valueFrom: from, valueTo: to } = this.#scanner;
    this.#field!.value = { kind, from, to };
  }
}
