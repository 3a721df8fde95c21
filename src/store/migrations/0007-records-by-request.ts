/**
 * Indexes by which Postgres finds records by request and by key. In SQLite an index that begins with the key costs a page for
 * each key that is written, hence the segments of step 6; in Postgres pages stay in shared memory, and a record costs one
 * entry in each.
 */
import type { Migration } from './migration.ts';

export const recordsByRequest: Migration = {
  version: 7,
  name: 'records-by-request',
  statements: [],
  onPostgres: [
    'DROP INDEX usage_records_segment',
    'DROP INDEX usage_records_before_segments',
    'CREATE INDEX usage_records_request ON usage_records (request_id)',
    'CREATE INDEX usage_records_key ON usage_records (key_id, id)',
  ],
};
