/**
 * Every field of a key that whoever creates it may choose, in one table and in the order of the key object: its name in
 * JSON (and of its column), what it takes, its default, its flag. The admin API's schema, the key object, the rows of
 * the store, the flags and help of `bve keys`, and the import follow from it: a new field is a row here and a column in
 * a migration.
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

/** What `allowed_endpoints` may name: the groups that the rows of gateway/endpoints.ts belong to. */
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

/** What becomes of an answer whose client has left: read to its end for its usage, or cancelled. */
export const LEAVE_CHOICES = ['drain', 'cancel'] as const;

export interface KeyField<T> extends FieldKind<T> {
  /** In JSON and of the column; the flag is the same with hyphens. */
  readonly name: string;
  /** Of a new key; undefined: it must be given. */
  readonly default: T | undefined;
  readonly flag: FieldFlag;
}

export interface FieldFlag {
  /** What stands for the value in the help text. */
  readonly value: string;
  readonly help: string;
  /** `all` means no restriction; `none`, which says so of other fields, would read as the opposite and is refused. */
  readonly all?: true;
  /** May be given several times, and each adds to the value. */
  readonly adds?: true;
  /** What the flag means without a value, that is when no `words` follow it. */
  readonly bare?: { readonly means: string; readonly words: readonly string[] };
  /** `--unlimited` means none of these. */
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
    help: 'ask upstream for the usage of streams; none: with a token limit, else as STREAM_USAGE says',
    bare: { means: 'true', words: ['true', 'false', 'none'] },
  }),
  onLeave: field('on_leave', choiceKind(LEAVE_CHOICES), null, {
    value: 'drain|cancel|none',
    help: 'when a client leaves, read its answer on for the usage, or not; none: drain with a token limit',
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

/** The table as a list, for what treats all fields alike. */
export const FIELD_LIST = Object.entries(KEY_FIELDS) as unknown as readonly (readonly [
  FieldProperty,
  KeyField<unknown>,
])[];

/** The values of all fields, each from its row. */
export function mapFields(valueIn: (property: FieldProperty, field: KeyField<unknown>) => unknown): KeyFieldValues {
  const entries = FIELD_LIST.map(([property, field]) => [property, valueIn(property, field)]);
  return Object.fromEntries(entries) as unknown as KeyFieldValues;
}

function field<T>(name: string, kind: FieldKind<T>, fallback: T | undefined, flag: FieldFlag): KeyField<T> {
  return { ...kind, name, default: fallback, flag };
}
