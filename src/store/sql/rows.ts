/** Rows of the database to and from the project's own types. The names of the columns are known here, in keys/fields.ts and in the SQL. */
import type { Cell } from '../../keys/field-kinds.ts';
import { FIELD_LIST, mapFields } from '../../keys/fields.ts';
import type { ApiKey, KeyStatus } from '../../keys/key.ts';
import type { Finish, UsageRecord, UsageSource } from '../../usage/usage-record.ts';

/** A count is a number on SQLite and may be text on Postgres; a boolean is 0 or 1 on SQLite. */
type Count = number | string;
type Flag = boolean | number;

/** The columns of `api_keys`: these and one for each row of keys/fields.ts. */
export type KeyRow = Readonly<Record<string, Cell>> & {
  readonly id: string;
  readonly prefix: string;
  readonly status: KeyStatus;
  readonly created_at: Count;
  readonly updated_at: Count;
  readonly last_used_at: Count | null;
};

export interface UsageRow {
  readonly id: string;
  readonly request_id: string;
  readonly upstream_request_id: string | null;
  readonly key_id: string;
  readonly endpoint: string;
  readonly model: string | null;
  readonly status: Count;
  readonly streamed: Flag;
  readonly started_at: Count;
  readonly admitted_at: Count | null;
  readonly sent_ms: Count | null;
  readonly head_ms: Count | null;
  readonly ttfb_ms: Count | null;
  readonly duration_ms: Count;
  readonly cancel_ms: Count | null;
  readonly bytes_out: Count;
  readonly finish: Finish;
  readonly error_code: string | null;
  readonly target: string | null;
  readonly attempts: Count;
  readonly prompt_tokens: Count | null;
  readonly cached_tokens: Count | null;
  readonly completion_tokens: Count | null;
  readonly reasoning_tokens: Count | null;
  readonly total_tokens: Count | null;
  readonly usage_source: UsageSource;
  readonly segment: string;
}

export function keyFromRow(row: KeyRow): ApiKey {
  return {
    ...mapFields((_, field) => field.fromColumn(row[field.name])),
    id: row.id,
    prefix: row.prefix,
    status: row.status,
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
    lastUsedAt: numberOrNull(row.last_used_at),
  };
}

export function rowFromKey(key: ApiKey): KeyRow {
  return {
    ...Object.fromEntries(FIELD_LIST.map(([property, field]) => [field.name, field.toColumn(key[property])])),
    id: key.id,
    prefix: key.prefix,
    status: key.status,
    created_at: key.createdAt,
    updated_at: key.updatedAt,
    last_used_at: key.lastUsedAt,
  };
}

export function usageFromRow(row: UsageRow): UsageRecord {
  return {
    id: row.id,
    requestId: row.request_id,
    upstreamRequestId: row.upstream_request_id,
    keyId: row.key_id,
    endpoint: row.endpoint,
    model: row.model,
    status: Number(row.status),
    streamed: Boolean(row.streamed),
    startedAt: Number(row.started_at),
    admittedAt: numberOrNull(row.admitted_at),
    sentMs: numberOrNull(row.sent_ms),
    headMs: numberOrNull(row.head_ms),
    ttfbMs: numberOrNull(row.ttfb_ms),
    durationMs: Number(row.duration_ms),
    cancelMs: numberOrNull(row.cancel_ms),
    bytesOut: Number(row.bytes_out),
    finish: row.finish,
    errorCode: row.error_code,
    target: row.target,
    attempts: Number(row.attempts),
    promptTokens: numberOrNull(row.prompt_tokens),
    cachedTokens: numberOrNull(row.cached_tokens),
    completionTokens: numberOrNull(row.completion_tokens),
    reasoningTokens: numberOrNull(row.reasoning_tokens),
    totalTokens: numberOrNull(row.total_tokens),
    usageSource: row.usage_source,
  };
}

/** The columns of `usage_records` in the order of `usageValues`. */
export const USAGE_COLUMNS = [
  'id',
  'request_id',
  'upstream_request_id',
  'key_id',
  'endpoint',
  'model',
  'status',
  'streamed',
  'started_at',
  'admitted_at',
  'sent_ms',
  'head_ms',
  'ttfb_ms',
  'duration_ms',
  'cancel_ms',
  'bytes_out',
  'finish',
  'error_code',
  'target',
  'attempts',
  'prompt_tokens',
  'cached_tokens',
  'completion_tokens',
  'reasoning_tokens',
  'total_tokens',
  'usage_source',
  'segment',
] as const satisfies readonly (keyof UsageRow)[];

export type UsageColumn = (typeof USAGE_COLUMNS)[number];

export type Value = string | number | boolean | null;

/** Times are rounded: a caller may measure with a finer clock than the columns hold. */
export function usageValues(record: UsageRecord, segment: string): Value[] {
  return [
    record.id,
    record.requestId,
    record.upstreamRequestId,
    record.keyId,
    record.endpoint,
    record.model,
    record.status,
    record.streamed,
    Math.round(record.startedAt),
    record.admittedAt,
    roundedOrNull(record.sentMs),
    roundedOrNull(record.headMs),
    roundedOrNull(record.ttfbMs),
    Math.round(record.durationMs),
    roundedOrNull(record.cancelMs),
    record.bytesOut,
    record.finish,
    record.errorCode,
    record.target,
    record.attempts,
    record.promptTokens,
    record.cachedTokens,
    record.completionTokens,
    record.reasoningTokens,
    record.totalTokens,
    record.usageSource,
    segment,
  ];
}

function numberOrNull(count: Count | null): number | null {
  return count === null ? null : Number(count);
}

function roundedOrNull(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
