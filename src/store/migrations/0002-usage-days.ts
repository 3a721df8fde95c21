/**
 * What each key used on each UTC day, so that day and month counts are a read of at most 31 rows however many requests
 * there were (limits need them at first sight of a key, on the event loop). Written in the transaction of the records.
 *
 * - Only admitted requests count: `usage_records.admitted_at` is when the limits let a request in, null when something
 *   refused it before that. The day is that of the admission, for the request and for its tokens.
 * - `day` is days since 1970: both dialects divide integers alike, and format dates differently.
 * - Until now there were no limits: every record counts as admitted when it started.
 */
import type { Migration } from './migration.ts';

export const usageDays: Migration = {
  version: 2,
  name: 'usage-days',
  statements: [
    'ALTER TABLE usage_records ADD COLUMN admitted_at BIGINT',
    'UPDATE usage_records SET admitted_at = started_at',
    `CREATE TABLE usage_days (
      key_id TEXT NOT NULL,
      day BIGINT NOT NULL,
      requests BIGINT NOT NULL,
      prompt_tokens BIGINT NOT NULL,
      completion_tokens BIGINT NOT NULL,
      total_tokens BIGINT NOT NULL,
      updated_at BIGINT NOT NULL,
      PRIMARY KEY (key_id, day)
    )`,
    `INSERT INTO usage_days
      (key_id, day, requests, prompt_tokens, completion_tokens, total_tokens, updated_at)
      SELECT key_id, admitted_at / 86400000, COUNT(*), COALESCE(SUM(prompt_tokens), 0),
        COALESCE(SUM(completion_tokens), 0), COALESCE(SUM(total_tokens), 0), MAX(started_at + duration_ms)
      FROM usage_records GROUP BY key_id, admitted_at / 86400000`,
  ],
};
