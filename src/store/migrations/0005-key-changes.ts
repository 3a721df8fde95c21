/**
 * Which keys changed, so that a process that caches keys learns of all changes with one query.
 *
 * - `key_change_counter` has one row. Each change adds one to it in its own transaction and writes the number beside the
 *   key's id. The row stays locked until that transaction ends, so numbers become visible in their order: a reader that
 *   has seen a number has seen all lower ones. A sequence would not do: a change that took 7 and commits after 8 would
 *   never be seen by a reader that was told of 8.
 * - A new key is no change: nobody can know it yet. The row of a deleted key stays: others may still know the key.
 */
import type { Migration } from './migration.ts';

export const keyChanges: Migration = {
  version: 5,
  name: 'key-changes',
  statements: [
    'CREATE TABLE key_change_counter (seq BIGINT NOT NULL)',
    'INSERT INTO key_change_counter (seq) VALUES (0)',
    'CREATE TABLE key_changes (key_id TEXT PRIMARY KEY, seq BIGINT NOT NULL)',
    'CREATE INDEX key_changes_seq ON key_changes (seq)',
  ],
};
