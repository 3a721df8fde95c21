/** The bodies of the admin API as JSON Schemas. Those of a key come from the table of key fields, which also validates them. */

import { FINISHES } from '../admin/usage-parameters.ts';
import type { usageRecordToJson } from '../admin/usage-report.ts';
import { FIELD_LIST, type KeyField } from '../keys/fields.ts';
import { COUNT, type JsonSchema, objectOf, orNull, schemaRef, TEXT, TIME, TIME_OR_NULL, UUID } from './operation.ts';

const FIELD_SCHEMAS = Object.fromEntries(FIELD_LIST.map(([, field]) => [field.name, shownSchemaOf(field)]));
const REQUIRED_FIELDS = FIELD_LIST.flatMap(([, { name, default: fallback }]) => (fallback === undefined ? [name] : []));

/** Of a new key: with defaults. */
const NEW_FIELD_SCHEMAS = Object.fromEntries(
  FIELD_LIST.map(([, { name, default: fallback }]) => [
    name,
    { ...FIELD_SCHEMAS[name], ...(fallback !== undefined && { default: fallback }) },
  ]),
);

const KEY_PROPERTIES = {
  id: UUID,
  ...FIELD_SCHEMAS,
  prefix: { type: 'string', description: 'The first 12 characters of the key.' },
  status: { enum: ['active', 'suspended', 'revoked'] },
  created_at: TIME,
  last_used_at: TIME_OR_NULL,
};

const SECRET = { type: 'string', pattern: '^sk-bve-[0-9a-f]{64}$', description: 'The key itself, shown this once.' };

type RecordField = keyof ReturnType<typeof usageRecordToJson>;

const RECORD_PROPERTIES: Readonly<Record<RecordField, JsonSchema>> = {
  id: UUID,
  requestId: TEXT,
  upstreamRequestId: orNull('string'),
  keyId: TEXT,
  endpoint: { type: 'string', description: 'The route, with the names of its parameters.' },
  model: orNull('string'),
  status: { type: 'integer' },
  streamed: { type: 'boolean' },
  startedAt: TIME,
  sentMs: { ...orNull('number'), description: 'Milliseconds from startedAt, as all others.' },
  headMs: orNull('number'),
  ttfbMs: orNull('number'),
  durationMs: { type: 'number' },
  cancelMs: { ...orNull('number'), description: "From the client's leaving to the upstream's cancellation." },
  bytesOut: COUNT,
  finish: { enum: FINISHES },
  errorCode: orNull('string'),
  target: orNull('string'),
  attempts: COUNT,
  promptTokens: orNull('integer'),
  cachedTokens: orNull('integer'),
  completionTokens: orNull('integer'),
  reasoningTokens: orNull('integer'),
  totalTokens: orNull('integer'),
  usageSource: { enum: ['upstream', 'partial', 'none'] },
};

const TOTALS = {
  requestCount: { ...COUNT, description: 'Admitted requests.' },
  promptTokens: COUNT,
  completionTokens: COUNT,
  totalTokens: COUNT,
  updatedAt: TIME,
};

const SUMMARY_COUNTS = {
  requests: COUNT,
  errors: COUNT,
  prompt_tokens: COUNT,
  cached_tokens: COUNT,
  completion_tokens: COUNT,
  reasoning_tokens: COUNT,
  total_tokens: COUNT,
};

const LIMIT = schemaRef('Limit');

const TOKENS = objectOf({ requests: COUNT, prompt_tokens: COUNT, completion_tokens: COUNT, total_tokens: COUNT });

export const ADMIN_SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  NewKey: { ...objectOf(NEW_FIELD_SCHEMAS, REQUIRED_FIELDS), additionalProperties: false },
  KeyChanges: { ...objectOf(FIELD_SCHEMAS, []), additionalProperties: false },
  Key: objectOf(KEY_PROPERTIES),
  KeyWithSecret: { allOf: [schemaRef('Key'), objectOf({ key: SECRET })] },
  KeyWithLimits: { allOf: [schemaRef('Key'), objectOf({ limits: schemaRef('Limits') })] },
  Limit: objectOf({
    limit: orNull('integer'),
    used: COUNT,
    remaining: orNull('integer'),
    resets_at: TIME_OR_NULL,
  }),
  Limits: objectOf({
    requests_per_minute: LIMIT,
    requests_per_day: LIMIT,
    requests_per_month: LIMIT,
    tokens_per_month: LIMIT,
    concurrent_requests: LIMIT,
  }),
  KeyStatus: objectOf({
    id: UUID,
    name: TEXT,
    prefix: TEXT,
    status: TEXT,
    expires_at: TIME_OR_NULL,
    allowed_models: { type: ['array', 'null'], items: TEXT },
    allowed_endpoints: { type: ['array', 'null'], items: TEXT },
    limits: schemaRef('Limits'),
    usage: objectOf({ today: TOKENS, month: TOKENS }),
  }),
  UsageRecord: objectOf(RECORD_PROPERTIES),
  Usage: objectOf({
    daily: {
      type: 'array',
      items: objectOf({ id: UUID, keyId: TEXT, date: { type: 'string', format: 'date' }, ...TOTALS }),
    },
    monthly: { type: 'array', items: objectOf({ id: UUID, keyId: TEXT, yearMonth: TEXT, ...TOTALS }) },
  }),
  UsageSummary: objectOf({
    rows: {
      type: 'array',
      items: objectOf({
        group: {
          description: 'An array when `group_by` names two groups; null in it is a request without the tag.',
          type: ['string', 'array', 'null'],
          items: { type: ['string', 'null'] },
        },
        ...SUMMARY_COUNTS,
      }),
    },
    total: objectOf(SUMMARY_COUNTS),
  }),
  Target: objectOf({
    name: TEXT,
    state: { enum: ['up', 'resting', 'probing'] },
    in_flight: COUNT,
    attempts: COUNT,
    failures: COUNT,
    quota_available: orNull('number'),
    quota_reset: TIME_OR_NULL,
    rests_until: TIME_OR_NULL,
  }),
  Targets: objectOf({ targets: { type: 'array', items: schemaRef('Target') } }),
  LiveSnapshot: objectOf({
    at: TIME,
    in_flight: COUNT,
    streams: COUNT,
    requests_per_s: { type: 'number' },
    tokens_per_s: { type: 'number' },
    ttfb_ms: objectOf({ p50: orNull('number'), p95: orNull('number'), p99: orNull('number') }),
    errors: { type: 'object', additionalProperties: COUNT, description: 'How many of the window, by error code.' },
    targets: { type: 'array', items: schemaRef('Target') },
  }),
};

function shownSchemaOf({ schema, shownSchema, flag }: KeyField<unknown>): JsonSchema {
  // TypeBox marks its schemas with symbols; as JSON they are plain.
  const plain = JSON.parse(JSON.stringify(shownSchema ?? schema)) as JsonSchema;
  // In a flag `none` is what null is in JSON.
  return { ...plain, description: flag.help.replace('none:', 'null:') };
}
