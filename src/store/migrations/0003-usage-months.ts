/**
 * What each key used in each UTC calendar month: the days of `usage_days` added up, kept beside them so that reading a
 * year of every key does not add up its days each time. Written in the same transaction.
 *
 * - `month` is months since January 1970. The days that are there already are turned into months by the arithmetic of
 *   the proleptic Gregorian calendar with years that begin in March, because the two dialects share no date function.
 * - The index on days serves the newest days of all keys.
 */
import type { Migration } from './migration.ts';

export const usageMonths: Migration = {
  version: 3,
  name: 'usage-months',
  statements: [
    `CREATE TABLE usage_months (
      key_id TEXT NOT NULL,
      month BIGINT NOT NULL,
      requests BIGINT NOT NULL,
      prompt_tokens BIGINT NOT NULL,
      completion_tokens BIGINT NOT NULL,
      total_tokens BIGINT NOT NULL,
      updated_at BIGINT NOT NULL,
      PRIMARY KEY (key_id, month)
    )`,
    `INSERT INTO usage_months
      (key_id, month, requests, prompt_tokens, completion_tokens, total_tokens, updated_at)
      SELECT key_id, month, SUM(requests), SUM(prompt_tokens), SUM(completion_tokens), SUM(total_tokens), MAX(updated_at)
      FROM (
        SELECT era * 4800 + yoe * 12 + (5 * (doe - (365 * yoe + yoe / 4 - yoe / 100)) + 2) / 153 - 23638 AS month, y.*
        FROM (
          SELECT (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365 AS yoe, e.*
          FROM (SELECT (day + 719468) / 146097 AS era, (day + 719468) % 146097 AS doe, d.* FROM usage_days d) e
        ) y
      ) m GROUP BY key_id, month`,
    'CREATE INDEX usage_days_day ON usage_days (day, key_id)',
    'CREATE INDEX usage_months_month ON usage_months (month, key_id)',
  ],
};
