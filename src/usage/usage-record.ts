/** What one finished request leaves behind (contract, section 6). Counts and times only: no text of anybody. */

export type Finish = 'complete' | 'client_closed' | 'upstream_interrupted' | 'error';

/** Where the token counts come from: upstream reported them, the stream ended before its final usage, or nowhere. */
export type UsageSource = 'upstream' | 'partial' | 'none';

export interface UsageRecord {
  /** `newRecordId()`: sorts by time, serves as cursor, makes writing twice harmless. */
  readonly id: string;
  readonly requestId: string;
  /** What upstream called it, if it said so. */
  readonly upstreamRequestId: string | null;
  readonly keyId: string;
  readonly endpoint: string;
  readonly model: string | null;
  /** The HTTP status the client was answered with. */
  readonly status: number;
  readonly streamed: boolean;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** When the limits of the key counted it, milliseconds since 1970; null when it was refused before or by them. */
  readonly admittedAt: number | null;
  /** When the request went upstream, milliseconds since `startedAt` like those below; null: it never did. */
  readonly sentMs: number | null;
  /** When upstream's response head was there; null: none ever came. */
  readonly headMs: number | null;
  /** null: no byte of an answer ever came. */
  readonly ttfbMs: number | null;
  readonly durationMs: number;
  /** From the client's leaving to the end of the upstream request; null: it did not leave, or there was none. */
  readonly cancelMs: number | null;
  readonly bytesOut: number;
  readonly finish: Finish;
  /** The code of the error that the client was told, or that upstream reported inside a stream. */
  readonly errorCode: string | null;
  /** The name of the last target it was sent to; null: it was sent to none. */
  readonly target: string | null;
  /** How often it was sent. */
  readonly attempts: number;
  readonly promptTokens: number | null;
  /** Of the prompt tokens: read from upstream's cache. */
  readonly cachedTokens: number | null;
  readonly completionTokens: number | null;
  /** Of the completion tokens. */
  readonly reasoningTokens: number | null;
  readonly totalTokens: number | null;
  readonly usageSource: UsageSource;
}

/** A UUIDv7 of the moment of recording. Those of one process are strictly ascending, also within one millisecond. */
export function newRecordId(): string {
  return Bun.randomUUIDv7();
}

/** The lowest UUIDv7 of a millisecond: the first 48 bits are the time. As a cursor: only what was recorded before. */
export function firstIdOf(timeMs: number): string {
  const hex = Math.max(0, Math.floor(timeMs)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

const TEXTS = ['id', 'requestId', 'keyId', 'endpoint'] as const;
const NUMBERS = ['status', 'startedAt', 'durationMs', 'bytesOut', 'attempts'] as const;
const TEXTS_OR_NULL = ['upstreamRequestId', 'model', 'errorCode', 'target'] as const;
const NUMBERS_OR_NULL = [
  'admittedAt',
  'sentMs',
  'headMs',
  'ttfbMs',
  'cancelMs',
  'promptTokens',
  'cachedTokens',
  'completionTokens',
  'reasoningTokens',
  'totalTokens',
] as const;
const FINISHES: readonly unknown[] = ['complete', 'client_closed', 'upstream_interrupted', 'error'] satisfies Finish[];
const USAGE_SOURCES: readonly unknown[] = ['upstream', 'partial', 'none'] satisfies UsageSource[];

/** A record from its own JSON; null: it is none. A field that may be null may be missing: an older version wrote it. */
export function parseUsageRecord(value: unknown): UsageRecord | null {
  if (typeof value !== 'object' || value === null) return null;
  const record = value as Record<string, unknown>;
  const isRecord =
    TEXTS.every((name) => typeof record[name] === 'string') &&
    NUMBERS.every((name) => Number.isFinite(record[name])) &&
    TEXTS_OR_NULL.every((name) => record[name] == null || typeof record[name] === 'string') &&
    NUMBERS_OR_NULL.every((name) => record[name] == null || Number.isFinite(record[name])) &&
    typeof record.streamed === 'boolean' &&
    FINISHES.includes(record.finish) &&
    USAGE_SOURCES.includes(record.usageSource);
  if (!isRecord) return null;
  const missing = [...TEXTS_OR_NULL, ...NUMBERS_OR_NULL].filter((name) => record[name] === undefined);
  return { ...record, ...Object.fromEntries(missing.map((name) => [name, null])) } as unknown as UsageRecord;
}
