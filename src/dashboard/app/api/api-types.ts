/** The admin API as this application uses it (contract, sections 6 and 7): names and shapes, nothing else. */

const KEY_STATUSES = ['active', 'suspended', 'revoked'] as const;
type KeyState = (typeof KEY_STATUSES)[number];
/** A key that is active and past its end is refused: it is shown as expired. */
export type ShownKeyState = KeyState | 'expired';

export const ENDPOINT_NAMES = [
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

export const FINISHES = ['complete', 'client_closed', 'upstream_interrupted', 'error'] as const;
export type RequestFinish = (typeof FINISHES)[number];

export type OnLeave = 'drain' | 'cancel' | null;

/** What may be chosen for a key, when it is made and later. */
export interface KeyFields {
  readonly name: string;
  readonly rpm_limit: number | null;
  readonly rpd_limit: number | null;
  readonly monthly_limit: number | null;
  readonly monthly_token_limit: number | null;
  readonly max_concurrent: number | null;
  readonly allowed_models: readonly string[] | null;
  readonly allowed_endpoints: readonly string[] | null;
  readonly inject_stream_usage: boolean | null;
  readonly on_leave: OnLeave;
  readonly tags: Readonly<Record<string, string>>;
  readonly expires_at: string | null;
}

export interface KeyObject extends KeyFields {
  readonly id: string;
  /** The first 12 characters. */
  readonly prefix: string;
  readonly status: KeyState;
  readonly created_at: string;
  readonly last_used_at: string | null;
}

/** The key object with the secret, this once. */
export interface IssuedKey extends KeyObject {
  readonly key: string;
}

export interface LimitState {
  readonly limit: number | null;
  readonly used: number;
  readonly remaining: number | null;
  readonly resets_at: string | null;
}

export const LIMIT_NAMES = [
  'requests_per_minute',
  'requests_per_day',
  'requests_per_month',
  'tokens_per_month',
  'concurrent_requests',
] as const;
export type KeyLimitName = (typeof LIMIT_NAMES)[number];

export interface KeyWithLimits extends KeyObject {
  readonly limits?: Readonly<Record<KeyLimitName, LimitState>>;
}

interface UsageRow {
  readonly id: string;
  readonly keyId: string;
  readonly requestCount: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  readonly updatedAt: string;
}

export interface UsageByPeriod {
  readonly daily: readonly (UsageRow & { readonly date: string })[];
  readonly monthly: readonly (UsageRow & { readonly yearMonth: string })[];
}

export interface UsageNumbers {
  readonly requests: number;
  readonly errors: number;
  readonly prompt_tokens: number;
  readonly cached_tokens: number;
  readonly completion_tokens: number;
  readonly reasoning_tokens: number;
  readonly total_tokens: number;
}

export interface SummaryAnswerRow extends UsageNumbers {
  /** One name, or one of each of the two that were asked for. null: the requests that have none (no tag, no model). */
  readonly group: string | null | readonly (string | null)[];
}

export interface SummaryAnswer {
  readonly rows: readonly SummaryAnswerRow[];
  readonly total: UsageNumbers;
}

export interface RequestRecord {
  readonly id: string;
  readonly requestId: string;
  readonly upstreamRequestId: string | null;
  readonly keyId: string;
  /** The pattern of the route. */
  readonly endpoint: string;
  readonly model: string | null;
  readonly status: number;
  readonly streamed: boolean;
  readonly startedAt: string;
  /** Milliseconds from `startedAt` on, as all that follow. */
  readonly sentMs: number | null;
  readonly headMs: number | null;
  readonly ttfbMs: number | null;
  readonly durationMs: number;
  /** From the client's leaving to the upstream's cancellation. */
  readonly cancelMs: number | null;
  readonly bytesOut: number;
  readonly finish: RequestFinish;
  readonly errorCode: string | null;
  readonly target: string | null;
  readonly attempts: number | null;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  readonly completionTokens: number | null;
  readonly reasoningTokens: number | null;
  readonly totalTokens: number | null;
  readonly usageSource: 'upstream' | 'partial' | 'none';
}

export type TargetState = 'up' | 'resting' | 'probing';

export interface Target {
  readonly name: string;
  readonly state: TargetState;
  readonly in_flight: number;
  readonly attempts: number;
  readonly failures: number;
  readonly quota_available: number | null;
  readonly quota_reset: string | null;
  readonly rests_until: string | null;
}

export interface LiveSnapshot {
  readonly at: string;
  readonly in_flight: number;
  readonly streams: number;
  readonly requests_per_s: number;
  readonly tokens_per_s: number;
  readonly ttfb_ms: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
  readonly errors: Readonly<Record<string, number>>;
  readonly targets: readonly Target[];
}

/** The effective configuration, by option: either the value itself or the value and where it comes from. */
export type Configuration = Readonly<Record<string, unknown>>;
