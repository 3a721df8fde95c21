/**
 * Writes usage to Postgres: one statement, whatever the number of records, so that it stays prepared and is one round trip.
 * Records that are there already are skipped and not added up again.
 *
 * Writers of several processes cannot wait for each other in a circle: each locks rows in the same order, records by id, then
 * totals by model, by day, by month, each by key and period, then keys by id. That order is kept by having each step read
 * what the one before returned. Sums are made from what was inserted, in the same snapshot.
 */
import type { SQL } from 'bun';
import type { UsageRecord } from '../../usage/usage-record.ts';
import { USAGE_COLUMNS, type UsageColumn, usageValues } from '../sql/rows.ts';

const TEXT_COLUMNS: ReadonlySet<UsageColumn> = new Set([
  'id',
  'request_id',
  'upstream_request_id',
  'key_id',
  'endpoint',
  'model',
  'finish',
  'error_code',
  'target',
  'usage_source',
  'segment',
] as const);
const COLUMNS = USAGE_COLUMNS.join(', ');
const TYPED = USAGE_COLUMNS.map((name) => `${name} ${typeOf(name)}`).join(', ');

const COUNTS = [
  'requests',
  'errors',
  'prompt_tokens',
  'cached_tokens',
  'completion_tokens',
  'reasoning_tokens',
  'total_tokens',
];
const PERIOD_COUNTS = ['requests', 'prompt_tokens', 'completion_tokens', 'total_tokens'];

const sums = (names: readonly string[]) => names.map((name) => `SUM(${name})::bigint AS ${name}`).join(', ');
const adds = (table: string, names: readonly string[]) =>
  names.map((name) => `${name} = ${table}.${name} + excluded.${name}`).join(', ');

/** Totals of a period, added to its table. `after` is the step that is to be over. */
function periodStep(table: string, period: string, expression: string, after: string): string {
  return `INSERT INTO ${table} (key_id, ${period}, ${PERIOD_COUNTS.join(', ')}, updated_at)
    SELECT key_id, ${expression}, ${sums(PERIOD_COUNTS)}, MAX(updated_at)
    FROM added WHERE (SELECT COUNT(*) FROM ${after}) >= 0
    GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (key_id, ${period}) DO UPDATE SET ${adds(table, PERIOD_COUNTS)},
      updated_at = GREATEST(${table}.updated_at, excluded.updated_at)
    RETURNING 1`;
}

/** Months since January 1970, of a day since then. */
const MONTH = `((EXTRACT(YEAR FROM DATE '1970-01-01' + day::int) - 1970) * 12 + EXTRACT(MONTH FROM DATE '1970-01-01' + day::int) - 1)::bigint`;

const WRITE = `WITH given AS (
    SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS r(${TYPED})
  ), inserted AS (
    INSERT INTO usage_records (${COLUMNS}) SELECT ${COLUMNS} FROM given ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING *
  ), added AS (
    SELECT key_id, admitted_at / 86400000 AS day, COALESCE(model, '') AS model, COUNT(*) AS requests,
      COUNT(*) FILTER (WHERE finish IN ('error', 'upstream_interrupted')) AS errors,
      COALESCE(SUM(prompt_tokens), 0) AS prompt_tokens, COALESCE(SUM(cached_tokens), 0) AS cached_tokens,
      COALESCE(SUM(completion_tokens), 0) AS completion_tokens, COALESCE(SUM(reasoning_tokens), 0) AS reasoning_tokens,
      COALESCE(SUM(total_tokens), 0) AS total_tokens, MAX(started_at + duration_ms) AS updated_at
    FROM inserted WHERE admitted_at IS NOT NULL GROUP BY 1, 2, 3
  ), models AS (
    INSERT INTO usage_by_model (key_id, day, model, ${COUNTS.join(', ')})
    SELECT key_id, day, model, ${sums(COUNTS)} FROM added GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (key_id, day, model) DO UPDATE SET ${adds('usage_by_model', COUNTS)}
    RETURNING 1
  ), days AS (
    ${periodStep('usage_days', 'day', 'day', 'models')}
  ), months AS (
    ${periodStep('usage_months', 'month', MONTH, 'days')}
  ), used AS (
    SELECT key.id, u.used_at FROM jsonb_to_recordset($2::text::jsonb) AS u(id text, used_at bigint)
    JOIN api_keys key ON key.id = u.id WHERE (SELECT COUNT(*) FROM months) >= 0
    ORDER BY key.id FOR NO KEY UPDATE OF key
  ) UPDATE api_keys SET last_used_at = GREATEST(COALESCE(last_used_at, 0), used.used_at) FROM used WHERE api_keys.id = used.id`;

export async function writeUsage(
  sql: SQL,
  records: readonly UsageRecord[],
  lastUsedAt: ReadonlyMap<string, number>,
): Promise<void> {
  const rows = records.map((record) => {
    const values = usageValues(record, '');
    return Object.fromEntries(USAGE_COLUMNS.map((name, i) => [name, storable(values[i]!)]));
  });
  const used = [...lastUsedAt].map(([id, usedAt]) => ({ id, used_at: Math.round(usedAt) }));
  await sql.unsafe(WRITE, [JSON.stringify(rows), JSON.stringify(used)]);
}

function typeOf(name: UsageColumn): string {
  if (name === 'streamed') return 'boolean';
  return TEXT_COLUMNS.has(name) ? 'text' : 'bigint';
}

/** A text in Postgres holds no NUL, nor half a surrogate pair. */
function storable<T>(value: T): T | string {
  return typeof value === 'string' ? value.replaceAll('\0', '\uFFFD').toWellFormed() : value;
}
