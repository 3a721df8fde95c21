/**
 * The kinds of key fields: what JSON may hold, what a column holds, and how people write it in a flag or a CSV cell.
 *
 * A value is checked by its schema and by what a schema cannot say (characters instead of UTF-16 units, real calendar
 * days). Both the admin API and the commands check through `parse`, so they take and refuse the same.
 */
import { type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { isoOrNull, parseIsoTime } from './iso-time.ts';

export type Cell = string | number | boolean | null;

export interface FieldKind<T> {
  /** Completes "expected …" of a JSON value. */
  readonly takes: string;
  /** Completes "takes …" of a flag or a cell. */
  readonly takesAsText: string;
  /** JSON Schema of the value, with `takes` as its `error`. */
  readonly schema: TSchema;
  /** undefined: not a value of this kind. */
  parse(json: unknown): T | undefined;
  toJson(value: T): unknown;
  toColumn(value: T): Cell;
  fromColumn(cell: unknown): T;
  /** What a flag or a CSV cell says, in its JSON form: `parse` judges it. */
  fromText(text: string): unknown;
}

/** Whole numbers up to here are exact in JSON, in doubles and in both databases. */
export const LIMIT_MAX = 999_999_999_999_999;
const LIST_ITEMS_MAX = 1_000;
const ITEM_CHARACTERS_MAX = 255;
const TAGS_MAX = 8;
const TAG_CHARACTERS_MAX = 64;

export function textKind(charactersMax: number): FieldKind<string> {
  const takes = `a text of 1 to ${charactersMax} characters`;
  return {
    takes,
    takesAsText: `1 to ${charactersMax} characters`,
    // In UTF-16 units, of which a character has one or two.
    schema: Type.String({ minLength: 1, maxLength: 2 * charactersMax, error: takes }),
    parse: (json) =>
      typeof json === 'string' && json !== '' && hasAtMost(json, charactersMax) && isStorable(json) ? json : undefined,
    toJson: itself,
    toColumn: itself,
    fromColumn: String,
    fromText: itself,
  };
}

/** 0 is refused because some would read it as "no limit" and others as "nothing at all". */
export const limitKind: FieldKind<number | null> = checked({
  takes: `a whole number from 1 to ${LIMIT_MAX}, or null for no limit`,
  takesAsText: 'a whole number from 1 on, or none',
  // Not Elysia's t.Integer, which takes texts as well.
  schema: nullable(Type.Number({ multipleOf: 1, minimum: 1, maximum: LIMIT_MAX })),
  toColumn: itself,
  fromColumn: numberOrNull,
  fromText: (text) => (isNone(text) ? null : /^\d{1,15}$/.test(text) ? Number(text) : text),
});

/** Names in an array, each once; null is all. An empty array is refused for the reason of a limit of 0. */
export function namesKind<N extends string = string>(
  what: string,
  all: string,
  allowed?: readonly N[],
): FieldKind<readonly N[] | null> {
  const item = allowed ? Type.Union(allowed.map((name) => Type.Literal(name))) : itemSchema();
  const count = allowed ? '' : `1 to ${LIST_ITEMS_MAX} `;
  const kind = checked<readonly N[] | null>({
    takes: `an array of ${count}${what}, or null for ${all}`,
    takesAsText: `${allowed ? allowed.join(', ') : what} with commas between them (or a JSON array), or none`,
    schema: nullable(Type.Array(item, { minItems: 1, maxItems: LIST_ITEMS_MAX })),
    toColumn: jsonOrNull,
    fromColumn: parsedOrNull,
    fromText: listFromText,
  });
  return {
    ...kind,
    parse: (json) => {
      const names = kind.parse(json);
      return names?.every(isStorable) ? [...new Set(names)] : names === null ? null : undefined;
    },
  };
}

export const switchKind: FieldKind<boolean | null> = checked({
  takes: 'true, false or null',
  takesAsText: 'true, false or none',
  schema: nullable(Type.Boolean()),
  toColumn: itself,
  // 0 or 1 on SQLite.
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

export type Tags = Readonly<Record<string, string>>;

const tagsTaken = `an object of at most ${TAGS_MAX} names ([a-z0-9_-]{1,32}) with texts of at most ${TAG_CHARACTERS_MAX} characters`;
const checkedTags = checked<Tags>({
  takes: tagsTaken,
  takesAsText: `at most ${TAGS_MAX} NAME=TEXT with commas between them (or a JSON object), or none`,
  schema: Type.Record(
    Type.String({ pattern: '^[a-z0-9_-]{1,32}$' }),
    Type.String({ maxLength: 2 * TAG_CHARACTERS_MAX }),
    { maxProperties: TAGS_MAX, additionalProperties: false, error: tagsTaken },
  ),
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

/** Milliseconds since 1970. A time that is past is taken: it is how a key is made to expire now. */
export const timeKind: FieldKind<number | null> = {
  takes: TIME,
  takesAsText: 'an ISO 8601 time with its zone, e.g. 2030-01-31T12:00:00Z, or none',
  schema: nullable(Type.String(), TIME),
  parse: (json) => (json === null ? null : typeof json === 'string' ? (parseIsoTime(json) ?? undefined) : undefined),
  toJson: isoOrNull,
  toColumn: itself,
  fromColumn: numberOrNull,
  fromText: (text) => (isNone(text) ? null : text),
};

type Checked<T> = Omit<FieldKind<T>, 'parse' | 'toJson'>;

/** A kind whose value is its JSON form, and whose schema says all about it. */
function checked<T>(kind: Checked<T>): FieldKind<T> {
  const schema = { ...kind.schema, error: kind.takes };
  return { ...kind, schema, parse: (json) => (Value.Check(schema, json) ? (json as T) : undefined), toJson: itself };
}

function nullable(schema: TSchema, error?: string): TSchema {
  return Type.Union([schema, Type.Null()], error === undefined ? {} : { error });
}

function itemSchema(): TSchema {
  return Type.String({ minLength: 1, maxLength: ITEM_CHARACTERS_MAX });
}

/** A JSON array, or names with commas between them. */
function listFromText(text: string): unknown {
  if (isNone(text)) return null;
  // As Postgres writes an array.
  if (text.startsWith('{')) return undefined;
  return text.startsWith('[') ? parsedOrUndefined(text) : text.split(',').map((name) => name.trim());
}

/** A JSON object, or NAME=TEXT with commas between them. */
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

/** Half a surrogate pair has no UTF-8, and Postgres has no NUL in texts: both would come back as something else. */
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

/** A count is a number on SQLite and may be text on Postgres. */
function numberOrNull(cell: unknown): number | null {
  return cell === null ? null : Number(cell);
}
