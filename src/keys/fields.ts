/**
 * The configurable fields of a key: one table, in the order of the key object. A row holds the field's name in JSON and in
 * the database, its kind, its default and its flag. The admin API, the key object, database rows, the flags and help of
 * `bve keys` and the import are derived from this table, so a new field needs a row here and a column in a migration.
 */
import {
  choiceKind,
  type FieldKind,
  limitKind,
  namesKind,
  switchKind,
  tagsKind,
  textKind,
  timeKind,
} from './field-kinds.ts';

/** The names that `allowed_endpoints` accepts. Each row of gateway/endpoints.ts belongs to one of these groups. */
export const ENDPOINT_GROUPS = [
  'chat',
  'responses',
  'messages',
  'embeddings',
  'completions',
  'models',
  'audio',
  'images',
  'files',
  'assistants',
  'conversations',
] as const;
export type EndpointGroup = (typeof ENDPOINT_GROUPS)[number];

/** After a client disconnects: read the rest of the answer to learn its usage, or cancel it. */
const LEAVE_CHOICES = ['drain', 'cancel'] as const;

export interface KeyField<T> extends FieldKind<T> {
  /** The name in JSON and of the column; the flag is the same name with hyphens. */
  readonly name: string;
  /** Used when a new key does not set the field; undefined means that it is required. */
  readonly default: T | undefined;
  readonly flag: FieldFlag;
}

interface FieldFlag {
  /** The placeholder for the value in the help text. */
  readonly value: string;
  readonly help: string;
  /** The word `all` removes the restriction. The `none` of other fields is refused: it would read as the opposite. */
  readonly all?: true;
  /** The flag may be repeated; each occurrence adds to the value. */
  readonly adds?: true;
  /** The value of the flag when none of these words follows it. */
  readonly bare?: { readonly means: string; readonly words: readonly string[] };
  /** `--unlimited` sets this field to null. */
  readonly unlimited?: true;
}

const LIMIT = { value: 'N|none', unlimited: true } as const;

export const KEY_FIELDS = {
  name: field('name', textKind(255), undefined, { value: 'NAME', help: 'what the key is for, 1 to 255 characters' }),
  rpmLimit: field('rpm_limit', limitKind, 60, { ...LIMIT, help: 'requests per minute' }),
  rpdLimit: field('rpd_limit', limitKind, 10_000, { ...LIMIT, help: 'requests per UTC day' }),
  monthlyLimit: field('monthly_limit', limitKind, null, { ...LIMIT, help: 'requests per UTC month' }),
  monthlyTokenLimit: field('monthly_token_limit', limitKind, null, { ...LIMIT, help: 'total tokens per UTC month' }),
  maxConcurrent: field('max_concurrent', limitKind, null, { ...LIMIT, help: 'requests in flight at the same time' }),
  allowedModels: field('allowed_models', namesKind('model names', 'all models'), null, {
    value: 'A,B|all',
    help: 'only these models',
    all: true,
    adds: true,
  }),
  allowedEndpoints: field(
    'allowed_endpoints',
    namesKind(`the names ${ENDPOINT_GROUPS.join(', ')}`, 'all endpoints', ENDPOINT_GROUPS),
    null,
    { value: 'A,B|all', help: `only these of ${ENDPOINT_GROUPS.join(', ')}`, all: true, adds: true },
  ),
  injectStreamUsage: field('inject_stream_usage', switchKind, null, {
    value: '[true|false|none]',
    help: 'ask upstream for the usage of streams; none: on for keys with a token limit, else as STREAM_USAGE',
    bare: { means: 'true', words: ['true', 'false', 'none'] },
  }),
  onLeave: field('on_leave', choiceKind(LEAVE_CHOICES), null, {
    value: 'drain|cancel|none',
    help: 'when a client disconnects: read on for the usage, or cancel; none: drain for keys with a token limit',
  }),
  tags: field(
    'tags',
    tagsKind,
    {},
    {
      value: 'NAME=TEXT|none',
      help: 'labels to group usage by',
      adds: true,
    },
  ),
  expiresAt: field('expires_at', timeKind, null, {
    value: 'TIME|none',
    help: 'ISO 8601, e.g. 2030-01-31T12:00:00Z',
  }),
};

export type FieldProperty = keyof typeof KEY_FIELDS;
export type KeyFieldValues = {
  readonly [P in FieldProperty]: (typeof KEY_FIELDS)[P] extends KeyField<infer T> ? T : never;
};

/** The table as a list, for code that treats all fields alike. */
export const FIELD_LIST = Object.entries(KEY_FIELDS) as unknown as readonly (readonly [
  FieldProperty,
  KeyField<unknown>,
])[];

/** Builds the values of all fields, one by one. */
export function mapFields(valueIn: (property: FieldProperty, field: KeyField<unknown>) => unknown): KeyFieldValues {
  const entries = FIELD_LIST.map(([property, field]) => [property, valueIn(property, field)]);
  return Object.fromEntries(entries) as unknown as KeyFieldValues;
}

function field<T>(name: string, kind: FieldKind<T>, fallback: T | undefined, flag: FieldFlag): KeyField<T> {
  return { ...kind, name, default: fallback, flag };
}
