/** Finds usage records, newest first. Postgres chooses among the indexes by itself, and does it in another process. */
import type { SQL } from 'bun';
import type { UsageRecord } from '../../usage/usage-record.ts';
import { type UsageRow, usageFromRow, type Value } from '../sql/rows.ts';
import type { RecordsQuery } from '../store.ts';

export async function findRecords(sql: SQL, query: RecordsQuery): Promise<UsageRecord[]> {
  const conditions: [string, Value | undefined][] = [
    ['id <', query.before],
    ['key_id =', query.keyId],
    ['request_id =', query.requestId],
    ['model =', query.model],
    ['endpoint =', query.endpoint],
    ['finish =', query.finish],
    ['status =', query.status],
    ['duration_ms >=', query.minDurationMs],
  ];
  const given = conditions.filter((condition): condition is [string, Value] => condition[1] !== undefined);
  const where = given.map(([condition], i) => `${condition} $${i + 2}`);
  // Said in the words of the index.
  if (query.finish !== undefined && query.finish !== 'complete') where.push("finish <> 'complete'");
  const rows = await sql.unsafe<UsageRow[]>(
    `SELECT * FROM usage_records ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''} ORDER BY id DESC LIMIT $1`,
    [query.limit, ...given.map(([, value]) => value)],
  );
  return rows.map(usageFromRow);
}
