/**
 * Keys, their secrets, usage records.
 *
 * - Times are milliseconds since 1970 (BIGINT): they compare and subtract alike in both dialects. ISO is for JSON only.
 * - Secrets have a table of their own: one probe finds the current secret and one still in its grace alike, uniqueness
 *   holds across both, and no query that lists keys can leak a hash, because the hash is not there.
 * - A usage record's id is a UUIDv7 made when it was recorded, so the primary key is also the order of time, the cursor
 *   of newest-first reading, and what makes a batch that is written twice harmless. `request_id` cannot be any of that:
 *   a client may choose it, and choose it twice.
 * - `usage_records.key_id` has no foreign key: one odd row must not keep 499 others from being written.
 */
import type { Migration } from './migration.ts';

export const keysAndUsage: Migration = {
  version: 1,
  name: 'keys-and-usage',
  statements: [
    `CREATE TABLE api_keys (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      prefix TEXT NOT NULL,
      status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'revoked')),
      rpm_limit BIGINT,
      rpd_limit BIGINT,
      monthly_limit BIGINT,
      monthly_token_limit BIGINT,
      max_concurrent BIGINT,
      allowed_models TEXT,
      inject_stream_usage BOOLEAN NOT NULL DEFAULT FALSE,
      expires_at BIGINT,
      created_at BIGINT NOT NULL,
      updated_at BIGINT NOT NULL,
      last_used_at BIGINT
    )`,
    `CREATE TABLE key_secrets (
      key_hash TEXT PRIMARY KEY,
      key_id TEXT NOT NULL REFERENCES api_keys (id),
      created_at BIGINT NOT NULL,
      expires_at BIGINT
    )`,
    'CREATE INDEX key_secrets_key ON key_secrets (key_id)',
    `CREATE TABLE usage_records (
      id TEXT PRIMARY KEY,
      request_id TEXT NOT NULL,
      key_id TEXT NOT NULL,
      endpoint TEXT NOT NULL,
      model TEXT,
      status BIGINT NOT NULL,
      streamed BOOLEAN NOT NULL,
      started_at BIGINT NOT NULL,
      ttfb_ms BIGINT,
      duration_ms BIGINT NOT NULL,
      bytes_out BIGINT NOT NULL,
      finish TEXT NOT NULL,
      prompt_tokens BIGINT,
      completion_tokens BIGINT,
      total_tokens BIGINT,
      usage_source TEXT NOT NULL
    )`,
    'CREATE INDEX usage_records_key ON usage_records (key_id, id)',
  ],
};
