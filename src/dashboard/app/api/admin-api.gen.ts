/** The bodies of the admin API, made by `bun run generate:types` from src/openapi/admin-schemas.ts. */

export type KeyWithSecret = Key & {
  /**
   * The key itself, shown this once.
   */
  key: string;
};
export type KeyWithLimits = Key & {
  limits: Limits;
};

export interface AdminApi {
  NewKey?: NewKey;
  KeyChanges?: KeyChanges;
  Key?: Key;
  KeyWithSecret?: KeyWithSecret;
  KeyWithLimits?: KeyWithLimits;
  Limit?: Limit;
  Limits?: Limits;
  KeyStatus?: KeyStatus;
  UsageRecord?: UsageRecord;
  Usage?: Usage;
  UsageSummary?: UsageSummary;
  Target?: Target;
  Targets?: Targets;
  LiveSnapshot?: LiveSnapshot;
}
export interface NewKey {
  /**
   * what the key is for, 1 to 255 characters
   */
  name: string;
  /**
   * requests per minute
   */
  rpm_limit?: number | null;
  /**
   * requests per UTC day
   */
  rpd_limit?: number | null;
  /**
   * requests per UTC month
   */
  monthly_limit?: number | null;
  /**
   * total tokens per UTC month
   */
  monthly_token_limit?: number | null;
  /**
   * requests in flight at the same time
   */
  max_concurrent?: number | null;
  /**
   * only these models
   */
  allowed_models?: string[] | null;
  /**
   * only these of chat, responses, messages, embeddings, completions, models, audio, images, files, assistants, conversations
   */
  allowed_endpoints?:
    | (
        | 'chat'
        | 'responses'
        | 'messages'
        | 'embeddings'
        | 'completions'
        | 'models'
        | 'audio'
        | 'images'
        | 'files'
        | 'assistants'
        | 'conversations'
      )[]
    | null;
  /**
   * ask upstream for the usage of streams; null: on for keys with a token limit, else as STREAM_USAGE
   */
  inject_stream_usage?: boolean | null;
  /**
   * when a client disconnects: read on for the usage, or cancel; null: drain for keys with a token limit
   */
  on_leave?: ('drain' | 'cancel') | null;
  /**
   * labels to group usage by
   */
  tags?: {
    [k: string]: string;
  };
  /**
   * ISO 8601, e.g. 2030-01-31T12:00:00Z
   */
  expires_at?: string | null;
}
export interface KeyChanges {
  /**
   * what the key is for, 1 to 255 characters
   */
  name?: string;
  /**
   * requests per minute
   */
  rpm_limit?: number | null;
  /**
   * requests per UTC day
   */
  rpd_limit?: number | null;
  /**
   * requests per UTC month
   */
  monthly_limit?: number | null;
  /**
   * total tokens per UTC month
   */
  monthly_token_limit?: number | null;
  /**
   * requests in flight at the same time
   */
  max_concurrent?: number | null;
  /**
   * only these models
   */
  allowed_models?: string[] | null;
  /**
   * only these of chat, responses, messages, embeddings, completions, models, audio, images, files, assistants, conversations
   */
  allowed_endpoints?:
    | (
        | 'chat'
        | 'responses'
        | 'messages'
        | 'embeddings'
        | 'completions'
        | 'models'
        | 'audio'
        | 'images'
        | 'files'
        | 'assistants'
        | 'conversations'
      )[]
    | null;
  /**
   * ask upstream for the usage of streams; null: on for keys with a token limit, else as STREAM_USAGE
   */
  inject_stream_usage?: boolean | null;
  /**
   * when a client disconnects: read on for the usage, or cancel; null: drain for keys with a token limit
   */
  on_leave?: ('drain' | 'cancel') | null;
  /**
   * labels to group usage by
   */
  tags?: {
    [k: string]: string;
  };
  /**
   * ISO 8601, e.g. 2030-01-31T12:00:00Z
   */
  expires_at?: string | null;
}
export interface Key {
  id: string;
  /**
   * what the key is for, 1 to 255 characters
   */
  name: string;
  /**
   * requests per minute
   */
  rpm_limit: number | null;
  /**
   * requests per UTC day
   */
  rpd_limit: number | null;
  /**
   * requests per UTC month
   */
  monthly_limit: number | null;
  /**
   * total tokens per UTC month
   */
  monthly_token_limit: number | null;
  /**
   * requests in flight at the same time
   */
  max_concurrent: number | null;
  /**
   * only these models
   */
  allowed_models: string[] | null;
  /**
   * only these of chat, responses, messages, embeddings, completions, models, audio, images, files, assistants, conversations
   */
  allowed_endpoints:
    | (
        | 'chat'
        | 'responses'
        | 'messages'
        | 'embeddings'
        | 'completions'
        | 'models'
        | 'audio'
        | 'images'
        | 'files'
        | 'assistants'
        | 'conversations'
      )[]
    | null;
  /**
   * ask upstream for the usage of streams; null: on for keys with a token limit, else as STREAM_USAGE
   */
  inject_stream_usage: boolean | null;
  /**
   * when a client disconnects: read on for the usage, or cancel; null: drain for keys with a token limit
   */
  on_leave: ('drain' | 'cancel') | null;
  /**
   * labels to group usage by
   */
  tags: {
    [k: string]: string;
  };
  /**
   * ISO 8601, e.g. 2030-01-31T12:00:00Z
   */
  expires_at: string | null;
  /**
   * The first 12 characters of the key.
   */
  prefix: string;
  status: 'active' | 'suspended' | 'revoked';
  created_at: string;
  last_used_at: string | null;
}
export interface Limits {
  requests_per_minute: Limit;
  requests_per_day: Limit;
  requests_per_month: Limit;
  tokens_per_month: Limit;
  concurrent_requests: Limit;
}
export interface Limit {
  limit: number | null;
  used: number;
  remaining: number | null;
  resets_at: string | null;
}
export interface KeyStatus {
  id: string;
  name: string;
  prefix: string;
  status: string;
  expires_at: string | null;
  allowed_models: string[] | null;
  allowed_endpoints: string[] | null;
  limits: Limits;
  usage: {
    today: {
      requests: number;
      prompt_tokens: number;
      completion_tokens: number;
      total_tokens: number;
    };
    month: {
      requests: number;
      prompt_tokens: number;
      completion_tokens: number;
      total_tokens: number;
    };
  };
}
export interface UsageRecord {
  id: string;
  requestId: string;
  upstreamRequestId: string | null;
  keyId: string;
  /**
   * The route, with the names of its parameters.
   */
  endpoint: string;
  model: string | null;
  status: number;
  streamed: boolean;
  startedAt: string;
  /**
   * Milliseconds from startedAt, as all others.
   */
  sentMs: number | null;
  headMs: number | null;
  ttfbMs: number | null;
  durationMs: number;
  /**
   * From the client's leaving to the upstream's cancellation.
   */
  cancelMs: number | null;
  bytesOut: number;
  finish: 'complete' | 'client_closed' | 'upstream_interrupted' | 'error';
  errorCode: string | null;
  target: string | null;
  attempts: number;
  promptTokens: number | null;
  cachedTokens: number | null;
  completionTokens: number | null;
  reasoningTokens: number | null;
  totalTokens: number | null;
  usageSource: 'upstream' | 'partial' | 'none';
}
export interface Usage {
  daily: {
    id: string;
    keyId: string;
    date: string;
    /**
     * Admitted requests.
     */
    requestCount: number;
    promptTokens: number;
    completionTokens: number;
    totalTokens: number;
    updatedAt: string;
  }[];
  monthly: {
    id: string;
    keyId: string;
    yearMonth: string;
    /**
     * Admitted requests.
     */
    requestCount: number;
    promptTokens: number;
    completionTokens: number;
    totalTokens: number;
    updatedAt: string;
  }[];
}
export interface UsageSummary {
  rows: {
    /**
     * An array when `group_by` names two groups; null in it is a request without the tag.
     */
    group: string | (string | null)[] | null;
    requests: number;
    errors: number;
    prompt_tokens: number;
    cached_tokens: number;
    completion_tokens: number;
    reasoning_tokens: number;
    total_tokens: number;
  }[];
  total: {
    requests: number;
    errors: number;
    prompt_tokens: number;
    cached_tokens: number;
    completion_tokens: number;
    reasoning_tokens: number;
    total_tokens: number;
  };
}
export interface Target {
  name: string;
  state: 'up' | 'resting' | 'probing';
  in_flight: number;
  attempts: number;
  failures: number;
  quota_available: number | null;
  quota_reset: string | null;
  rests_until: string | null;
}
export interface Targets {
  targets: Target[];
}
export interface LiveSnapshot {
  at: string;
  in_flight: number;
  streams: number;
  requests_per_s: number;
  tokens_per_s: number;
  ttfb_ms: {
    p50: number | null;
    p95: number | null;
    p99: number | null;
  };
  /**
   * How many of the window, by error code.
   */
  errors: {
    [k: string]: number;
  };
  targets: Target[];
}
