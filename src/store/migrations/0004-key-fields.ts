/**
 * Fields of keys: what becomes of an answer whose client has left, which endpoints a key may use, tags.
 *
 * - `inject_stream_usage` may be null from now on (the token limit decides, or STREAM_USAGE); keys that exist keep their
 *   value. A new column takes its name, because SQLite cannot drop a NOT NULL.
 * - Lists and objects are JSON in a text, as `allowed_models` is.
 */
import type { Migration } from './migration.ts';

export const keyFields: Migration = {
  version: 4,
  name: 'key-fields',
  statements: [
    'ALTER TABLE api_keys ADD COLUMN inject_or_null BOOLEAN',
    'UPDATE api_keys SET inject_or_null = inject_stream_usage',
    'ALTER TABLE api_keys DROP COLUMN inject_stream_usage',
    'ALTER TABLE api_keys RENAME COLUMN inject_or_null TO inject_stream_usage',
    "ALTER TABLE api_keys ADD COLUMN on_leave TEXT CHECK (on_leave IN ('drain', 'cancel'))",
    'ALTER TABLE api_keys ADD COLUMN allowed_endpoints TEXT',
    "ALTER TABLE api_keys ADD COLUMN tags TEXT NOT NULL DEFAULT '{}'",
  ],
};
