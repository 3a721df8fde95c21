/**
 * What a request's record says beyond its outcome (where it went, how long each step took, cached and reasoning tokens),
 * and the table `usage_by_model`: what each key used of each model on each UTC day. Reports read that table, so that a
 * year of usage by model, team or key is a sum of days however many requests there were.
 *
 * - `usage_by_model` is written in the transaction of the records, like days and months, and outlives them. It counts
 *   admitted requests; `errors` are those of them that ended as `error` or `upstream_interrupted`.
 * - `model` is '' for requests that named none, because a primary key takes no null on Postgres.
 * - Until now there was one target and one attempt. Cached and reasoning tokens were not read, hence their zeros.
 * - Records that USAGE_RETENTION_DAYS deleted before this step are in no row of `usage_by_model`.
 * - `usage_pending` holds totals that are not in the tables of totals yet, see `sqlite/pending-totals.ts`.
 * - `segment` groups records that follow one another, some hundred each (see `sqlite/segments.ts`). An index that begins
 *   with it grows at one end; one that begins with the key has a page for each key to write, which with 1,000 keys was
 *   four fifths of what a record cost. Records of before are in segment '', which keeps the index they had.
 */
import type { Migration } from './migration.ts';

export const usageByModel: Migration = {
  version: 6,
  name: 'usage-by-model',
  statements: [
    'ALTER TABLE usage_records ADD COLUMN upstream_request_id TEXT',
    'ALTER TABLE usage_records ADD COLUMN sent_ms BIGINT',
    'ALTER TABLE usage_records ADD COLUMN head_ms BIGINT',
    'ALTER TABLE usage_records ADD COLUMN cancel_ms BIGINT',
    'ALTER TABLE usage_records ADD COLUMN error_code TEXT',
    "ALTER TABLE usage_records ADD COLUMN target TEXT DEFAULT 'fuelix'",
    'ALTER TABLE usage_records ADD COLUMN attempts BIGINT NOT NULL DEFAULT 1',
    'ALTER TABLE usage_records ADD COLUMN cached_tokens BIGINT',
    'ALTER TABLE usage_records ADD COLUMN reasoning_tokens BIGINT',
    "ALTER TABLE usage_records ADD COLUMN segment TEXT NOT NULL DEFAULT ''",
    'CREATE INDEX usage_records_segment ON usage_records (segment, key_id, request_id)',
    "CREATE INDEX usage_records_before_segments ON usage_records (key_id, id) WHERE segment = ''",
    "CREATE INDEX usage_records_incomplete ON usage_records (id) WHERE finish <> 'complete'",
    'DROP INDEX usage_records_key',
    `CREATE TABLE usage_by_model (
      key_id TEXT NOT NULL,
      day BIGINT NOT NULL,
      model TEXT NOT NULL,
      requests BIGINT NOT NULL,
      errors BIGINT NOT NULL,
      prompt_tokens BIGINT NOT NULL,
      cached_tokens BIGINT NOT NULL,
      completion_tokens BIGINT NOT NULL,
      reasoning_tokens BIGINT NOT NULL,
      total_tokens BIGINT NOT NULL,
      PRIMARY KEY (key_id, day, model)
    )`,
    `INSERT INTO usage_by_model
      (key_id, day, model, requests, errors, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, total_tokens)
      SELECT key_id, admitted_at / 86400000, COALESCE(model, ''), COUNT(*),
        SUM(CASE WHEN finish IN ('error', 'upstream_interrupted') THEN 1 ELSE 0 END),
        COALESCE(SUM(prompt_tokens), 0), 0, COALESCE(SUM(completion_tokens), 0), 0, COALESCE(SUM(total_tokens), 0)
      FROM usage_records WHERE admitted_at IS NOT NULL
      GROUP BY key_id, admitted_at / 86400000, COALESCE(model, '')`,
    'CREATE INDEX usage_by_model_day ON usage_by_model (day)',
    'CREATE TABLE usage_pending (writer TEXT NOT NULL, totals TEXT NOT NULL)',
    'CREATE INDEX usage_pending_writer ON usage_pending (writer)',
  ],
};
