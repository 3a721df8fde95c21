/**
 * What the gateway looks at in a request's body, found in one scan: where at the top level the values of a few fields stand,
 * and whether one of them occurs twice or in another case, which two parsers could read differently. Nothing else of a body is
 * read, and nothing of it is kept but positions.
 */
import { JSON_OBJECT } from './json-grammar.ts';
import { JsonScanner } from './json-scanner.ts';
import type { JsonSink } from './json-sink.ts';
import { isName, NameTable } from './json-text.ts';

/** A field that is needed later is a name here. */
const FIELDS = ['model', 'stream', 'stream_options', 'models', 'fallbacks', 'background'] as const;
/** The members of `stream_options`. */
const STREAM_OPTIONS = ['include_usage'] as const;

export type FieldName = (typeof FIELDS)[number] | (typeof STREAM_OPTIONS)[number];

const FIELD_TABLE = new NameTable(FIELDS);
const STREAM_OPTIONS_TABLE = new NameTable(STREAM_OPTIONS);

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
  readonly scanner = new JsonScanner(this);
  /** The root is an object. */
  isObject = false;
  /** Where its members begin. */
  membersFrom = 0;
  /** The last `stream_options` is an object without members. */
  streamOptionsEmpty = true;
  readonly #found: Partial<Record<FieldName, MutableField | undefined>> = {};
  /** The wanted value at hand is of this field. */
  #name: FieldName = 'model';
  #streamOptionsFrom = 0;
  #inStreamOptions = false;

  get(name: FieldName): FoundField | undefined {
    return this.#found[name];
  }

  name(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#inStreamOptions) this.streamOptionsEmpty = false;
    const name = (this.#inStreamOptions ? STREAM_OPTIONS_TABLE : FIELD_TABLE).find(bytes, from, to);
    if (name === undefined) return false;
    const field = this.#found[name] ?? { occurrences: 0, inOtherCase: false, value: null };
    this.#found[name] = field;
    field.occurrences++;
    if (!isName(bytes, from, to, name)) {
      field.inOtherCase = true;
      return false;
    }
    if (name === 'stream_options') {
      // Of equal names the last one counts, so what is in it starts afresh.
      this.#found.include_usage = undefined;
      this.streamOptionsEmpty = true;
    }
    this.#name = name;
    return true;
  }

  enter(kind: number): boolean {
    const { valueFrom } = this.scanner;
    if (!this.isObject) {
      this.isObject = kind === JSON_OBJECT;
      this.membersFrom = valueFrom + 1;
      return this.isObject;
    }
    if (this.#name !== 'stream_options' || kind !== JSON_OBJECT) return false;
    this.#inStreamOptions = true;
    this.#streamOptionsFrom = valueFrom;
    return true;
  }

  leave(): void {
    if (!this.#inStreamOptions) return;
    this.#inStreamOptions = false;
    const value = { kind: JSON_OBJECT, from: this.#streamOptionsFrom, to: this.scanner.valueTo };
    this.#found.stream_options!.value = value;
  }

  value(kind: number): void {
    if (!this.isObject) return;
    const { valueFrom: from, valueTo: to } = this.scanner;
    this.#found[this.#name]!.value = { kind, from, to };
  }
}
