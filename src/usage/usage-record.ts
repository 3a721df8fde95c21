/** What one finished request leaves behind (contract, section 6). Counts and times only: no text of anybody. */

export type Finish = 'complete' | 'client_closed' | 'upstream_interrupted' | 'error';

/** Where the token counts come from: upstream reported them, the stream ended before its final usage, or nowhere. */
export type UsageSource = 'upstream' | 'partial' | 'none';

export interface UsageRecord {
  /** `newRecordId()`: sorts by time, serves as cursor, makes writing twice harmless. */
  readonly id: string;
  readonly requestId: string;
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
  /** null: no byte of an answer ever came. */
  readonly ttfbMs: number | null;
  readonly durationMs: number;
  readonly bytesOut: number;
  readonly finish: Finish;
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
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
