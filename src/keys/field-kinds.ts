/**
 * The kinds of key fields. A kind converts a value between four forms: in memory, in JSON, in a database column, and as
 * text in a flag or a CSV cell.
 *
 * `parse` is the only validation: the admin API, the commands and the import all use it, so they accept the same values.
 * It applies the JSON Schema, then what a schema cannot express (a length in characters, real calendar days).
 */
import { type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { isoOrNull, parseIsoTime } from './iso-time.ts';

export type Cell = string | number | boolean | null;

export interface FieldKind<T> {
  /** Completes "expected …" in a message about a JSON value. */
  readonly takes: string;
  /** Completes "takes …" in a message about a flag or a CSV cell. */
  readonly takesAsText: string;
  /** JSON Schema of the JSON form. */
  readonly schema: TSchema;
  /** What the API reference shows, where that differs: JSON Schema counts characters, TypeBox counts UTF-16 units. */
  readonly shownSchema?: TSchema;
  /** The value, or undefined when the JSON is not valid for this kind. */
  parse(json: unknown): T | undefined;
  toJson(value: T): unknown;
  toColumn(value: T): Cell;
  fromColumn(cell: unknown): T;
  /** The JSON form of a flag's or cell's text; it is not validated yet. */
  fromText(text: string): unknown;
}

/** Whole numbers up to this limit are exact in JSON, in doubles and in both databases. */
const LIMIT_MAX = 999_999_999_999_999;
const LIST_ITEMS_MAX = 1_000;
const ITEM_CHARACTERS_MAX = 255;
const TAGS_MAX = 8;
const TAG_CHARACTERS_MAX = 64;
/** JSON Schema counts characters, but TypeBox counts UTF-16 units: a character has one or two of them. */
const UNITS_OF_CHARACTER_MAX = 2;
/** What the API reference says of `isStorable`; a lone surrogate cannot be written in UTF-8. */
const STORABLE = { pattern: '^[^\\x00]*$' };

export function textKind(charactersMax: number): FieldKind<string> {
  const takes = `a text of 1 to ${charactersMax} characters`;
  return {
    takes,
    takesAsText: `1 to ${charactersMax} characters`,
    schema: Type.String({ minLength: 1, maxLength: UNITS_OF_CHARACTER_MAX * charactersMax }),
    shownSchema: Type.String({ minLength: 1, maxLength: charactersMax, ...STORABLE }),
    parse: (json) =>
      typeof json === 'string' && json !== '' && hasAtMost(json, charactersMax) && isStorable(json) ? json : undefined,
    toJson: itself,
    toColumn: itself,
    fromColumn: String,
    fromText: itself,
  };
}

/** 0 is refused because it is ambiguous: it could mean "no limit" or "no requests at all". */
export const limitKind: FieldKind<number | null> = checked({
  takes: `a whole number from 1 to ${LIMIT_MAX}, or null for no limit`,
  takesAsText: 'a whole number from 1 on, or none',
  // Elysia's own t.Integer also accepts text.
  schema: nullable(Type.Number({ multipleOf: 1, minimum: 1, maximum: LIMIT_MAX })),
  toColumn: itself,
  fromColumn: numberOrNull,
  fromText: (text) => (isNone(text) ? null : /^\d{1,15}$/.test(text) ? Number(text) : text),
});

/** An array of unique names; null means all. An empty array is refused: it could mean all or none. */
export function namesKind<N extends string = string>(
  what: string,
  all: string,
  allowed?: readonly N[],
): FieldKind<readonly N[] | null> {
  const literal = allowed && Type.Union(allowed.map((name) => Type.Literal(name)));
  const listOf = (item: TSchema) => nullable(Type.Array(item, { minItems: 1, maxItems: LIST_ITEMS_MAX }));
  const count = allowed ? '' : `1 to ${LIST_ITEMS_MAX} `;
  const kind = checked<readonly N[] | null>({
    takes: `an array of ${count}${what}, or null for ${all}`,
    takesAsText: `${allowed ? allowed.join(', ') : what} with commas between them (or a JSON array), or none`,
    schema: listOf(literal ?? itemSchema(UNITS_OF_CHARACTER_MAX * ITEM_CHARACTERS_MAX)),
    ...(!literal && { shownSchema: listOf(itemSchema(ITEM_CHARACTERS_MAX, STORABLE)) }),
    toColumn: jsonOrNull,
    fromColumn: parsedOrNull,
    fromText: listFromText,
  });
  return {
    ...kind,
    parse: (json) => {
      const names = kind.parse(json);
      return names?.every((name) => hasAtMost(name, ITEM_CHARACTERS_MAX) && isStorable(name))
        ? [...new Set(names)]
        : names === null
          ? null
          : undefined;
    },
  };
}

export const switchKind: FieldKind<boolean | null> = checked({
  takes: 'true, false or null',
  takesAsText: 'true, false or none',
  schema: nullable(Type.Boolean()),
  toColumn: itself,
  // SQLite stores 0 or 1.
  fromColumn: (cell) => (cell === null ? null : Boolean(cell)),
  fromText: (text) =>
    isNone(text) ? null : /^(true|t|1)$/i.test(text) ? true : /^(false|f|0)$/i.test(text) ? false : text,
});

export function choiceKind<C extends string>(choices: readonly C[]): FieldKind<C | null> {
  return checked<C | null>({
    takes: `${choices.map((choice) => `"${choice}"`).join(', ')} or null`,
    takesAsText: `${choices.join(', ')} or none`,
    schema: nullable(Type.Union(choices.map((choice) => Type.Literal(choice)))),
    toColumn: itself,
    fromColumn: (cell) => cell as C | null,
    fromText: (text) => (isNone(text) ? null : text),
  });
}

type Tags = Readonly<Record<string, string>>;

const tagsTaken = `an object of at most ${TAGS_MAX} names ([a-z0-9_-]{1,32}) with texts of at most ${TAG_CHARACTERS_MAX} characters`;
const checkedTags = checked<Tags>({
  takes: tagsTaken,
  takesAsText: `at most ${TAGS_MAX} NAME=TEXT with commas between them (or a JSON object), or none`,
  schema: tagsSchema(UNITS_OF_CHARACTER_MAX * TAG_CHARACTERS_MAX),
  shownSchema: tagsSchema(TAG_CHARACTERS_MAX, STORABLE),
  toColumn: JSON.stringify,
  fromColumn: (cell) => JSON.parse(String(cell)) as Tags,
  fromText: tagsFromText,
});

export const tagsKind: FieldKind<Tags> = {
  ...checkedTags,
  parse: (json) => {
    const tags = checkedTags.parse(json);
    const isTaken = (text: string) => hasAtMost(text, TAG_CHARACTERS_MAX) && isStorable(text);
    return tags && Object.values(tags).every(isTaken) ? tags : undefined;
  },
};

const TIME = 'an ISO 8601 time with its zone, e.g. 2030-01-31T12:00:00Z, or null';

/** Milliseconds since 1970. A time in the past is valid: it makes a key expire at once. */
export const timeKind: FieldKind<number | null> = {
  takes: TIME,
  takesAsText: 'an ISO 8601 time with its zone, e.g. 2030-01-31T12:00:00Z, or none',
  schema: nullable(Type.String()),
  shownSchema: nullable(Type.String({ format: 'date-time' })),
  parse: (json) => (json === null ? null : typeof json === 'string' ? (parseIsoTime(json) ?? undefined) : undefined),
  toJson: isoOrNull,
  toColumn: itself,
  fromColumn: numberOrNull,
  fromText: (text) => (isNone(text) ? null : text),
};

type Checked<T> = Omit<FieldKind<T>, 'parse' | 'toJson'>;

/** A kind whose value equals its JSON form and is fully described by its schema. */
function checked<T>(kind: Checked<T>): FieldKind<T> {
  const parse = (json: unknown) => (Value.Check(kind.schema, json) ? (json as T) : undefined);
  return { ...kind, parse, toJson: itself };
}

function nullable(schema: TSchema): TSchema {
  return Type.Union([schema, Type.Null()]);
}

function tagsSchema(maxLength: number, more: object = {}): TSchema {
  return Type.Record(Type.String({ pattern: '^[a-z0-9_-]{1,32}$' }), Type.String({ maxLength, ...more }), {
    maxProperties: TAGS_MAX,
    additionalProperties: false,
  });
}

function itemSchema(maxLength: number, more: object = {}): TSchema {
  return Type.String({ minLength: 1, maxLength, ...more });
}

/** Reads a JSON array or comma-separated names. */
function listFromText(text: string): unknown {
  if (isNone(text)) return null;
  // The text form of a Postgres array is not supported.
  if (text.startsWith('{')) return undefined;
  return text.startsWith('[') ? parsedOrUndefined(text) : text.split(',').map((name) => name.trim());
}

/** Reads a JSON object or comma-separated NAME=TEXT pairs. */
function tagsFromText(text: string): unknown {
  if (isNone(text)) return {};
  if (text.startsWith('{')) return parsedOrUndefined(text);
  const pairs = text.split(',').map((pair) => pair.split(/=(.*)/s, 2));
  const named = pairs.every((pair) => pair.length === 2);
  return named ? Object.fromEntries(pairs.map(([name, value]) => [name!.trim(), value])) : undefined;
}

function isNone(text: string): boolean {
  return text === 'none' || text === 'null';
}

function parsedOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function hasAtMost(text: string, characters: number): boolean {
  return text.length <= characters || [...text].length <= characters;
}

/** A lone surrogate has no UTF-8 form and Postgres text cannot hold NUL: neither would be read back unchanged. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

function itself<T>(value: T): T {
  return value;
}

function jsonOrNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

function parsedOrNull<T>(cell: unknown): T | null {
  return cell === null ? null : (JSON.parse(String(cell)) as T);
}

/** SQLite returns numbers; Postgres may return text. */
function numberOrNull(cell: unknown): number | null {
  return cell === null ? null : Number(cell);
}
