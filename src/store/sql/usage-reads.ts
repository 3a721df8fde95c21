/** Reads `usage_days`, `usage_months` and `usage_by_model`, which hold what records added up to, and what is on its way there. */
import type { SQL } from 'bun';
import {
  type SummaryGroup,
  type SummaryQuery,
  SummaryTable,
  type TagValues,
  type UsageSummary,
} from '../../usage/usage-summary.ts';
import type { TotalsQuery, UsageDay, UsageMonth, UsageTotals } from '../../usage/usage-totals.ts';
import { type KeyTotals, type ModelTotals, type PeriodTotals, totalsByDay, totalsByMonth } from '../batch-totals.ts';
import { PacedRead } from '../paced.ts';

interface TotalsRow {
  readonly key_id: string;
  readonly period: unknown;
  readonly requests: unknown;
  readonly prompt_tokens: unknown;
  readonly completion_tokens: unknown;
  readonly total_tokens: unknown;
  readonly updated_at: unknown;
}

const TOTALS = 'requests, prompt_tokens, completion_tokens, total_tokens, updated_at';

/** Newest first; of one day by key. */
export async function recentUsageDays(
  sql: SQL,
  query: TotalsQuery,
  pending: readonly KeyTotals[],
): Promise<UsageDay[]> {
  const rows = (await recentTotals(sql, 'usage_days', 'day', query)).map(totalsFromRow);
  return withPending(rows, pending, query, totalsByDay).map(({ period, ...totals }) => ({ day: period, ...totals }));
}

/** Newest first; of one month by key. */
export async function recentUsageMonths(
  sql: SQL,
  query: TotalsQuery,
  pending: readonly KeyTotals[],
): Promise<UsageMonth[]> {
  const rows = (await recentTotals(sql, 'usage_months', 'month', query)).map(totalsFromRow);
  return withPending(rows, pending, query, totalsByMonth).map(({ period, ...totals }) => ({
    month: period,
    ...totals,
  }));
}

/** What a key used of each day, oldest first. */
export async function daysOfKey(sql: SQL, keyId: string, first: number, last: number): Promise<UsageDay[]> {
  const rows = await sql.unsafe<TotalsRow[]>(
    `SELECT key_id, day AS period, ${TOTALS} FROM usage_days WHERE day BETWEEN $1 AND $2 AND key_id = $3 ORDER BY day`,
    [first, last, keyId],
  );
  return rows.map(totalsFromRow).map(({ period, ...totals }) => ({ day: period, ...totals }));
}

interface PeriodOfKey extends UsageTotals {
  readonly period: number;
}

/** Rows of a table, and what is on its way into it. */
function withPending(
  rows: readonly PeriodOfKey[],
  pending: readonly KeyTotals[],
  { keyId, first, last, limit }: TotalsQuery,
  totalsBy: (models: readonly ModelTotals[]) => PeriodTotals[],
): readonly PeriodOfKey[] {
  if (pending.length === 0) return rows;
  const merged = new Map(rows.map((row) => [`${row.period} ${row.keyId}`, row]));
  for (const key of pending) {
    if (keyId !== undefined && key.keyId !== keyId) continue;
    for (const totals of totalsBy(key.models)) {
      if (totals.period < first || totals.period > last) continue;
      const id = `${totals.period} ${key.keyId}`;
      merged.set(id, sumOf(merged.get(id), { keyId: key.keyId, ...totals }));
    }
  }
  const newestFirst = (a: PeriodOfKey, b: PeriodOfKey) => b.period - a.period || (a.keyId < b.keyId ? -1 : 1);
  return [...merged.values()].sort(newestFirst).slice(0, limit);
}

function sumOf(a: PeriodOfKey | undefined, b: PeriodOfKey): PeriodOfKey {
  if (a === undefined) return b;
  return {
    keyId: a.keyId,
    period: a.period,
    requests: a.requests + b.requests,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    totalTokens: a.totalTokens + b.totalTokens,
    updatedAt: Math.max(a.updatedAt, b.updatedAt),
  };
}

function recentTotals(sql: SQL, table: string, period: string, query: TotalsQuery): Promise<TotalsRow[]> {
  const { keyId, first, last, limit } = query;
  const select = `SELECT key_id, ${period} AS period, ${TOTALS} FROM ${table}`;
  const range = `${period} BETWEEN $1 AND $2`;
  return keyId === undefined
    ? sql.unsafe(`${select} WHERE ${range} ORDER BY ${period} DESC, key_id LIMIT $3`, [first, last, limit])
    : sql.unsafe(`${select} WHERE ${range} AND key_id = $3 ORDER BY ${period} DESC LIMIT $4`, [
        first,
        last,
        keyId,
        limit,
      ]);
}

function totalsFromRow(row: TotalsRow): PeriodOfKey {
  return {
    keyId: row.key_id,
    period: Number(row.period),
    requests: Number(row.requests),
    promptTokens: Number(row.prompt_tokens),
    completionTokens: Number(row.completion_tokens),
    totalTokens: Number(row.total_tokens),
    updatedAt: Number(row.updated_at),
  };
}

type SummaryRowOfDays = Readonly<Record<(typeof SUMS)[number], unknown>> & {
  readonly key_id?: string;
  readonly model?: string;
  readonly day?: unknown;
};

const SUMS = [
  'requests',
  'errors',
  'prompt_tokens',
  'cached_tokens',
  'completion_tokens',
  'reasoning_tokens',
  'total_tokens',
] as const;

/** How many days are read at once at most: after days with little use the next ones may have much. */
const DAYS_MAX = 32;

/** Some days at a time, because a year of many keys has millions of rows. */
export async function summariseUsage(
  sql: SQL,
  query: SummaryQuery,
  pending: readonly KeyTotals[],
): Promise<UsageSummary> {
  const { groupBy, keyId, firstDay, lastDay, rowsMax } = query;
  const tags = await readTags(sql, groupBy);
  const table = new SummaryTable(groupBy, tags);
  for (const key of pending) {
    if (keyId !== undefined && key.keyId !== keyId) continue;
    for (const model of key.models) {
      if (model.day >= firstDay && model.day <= lastDay) table.add({ ...model, keyId: key.keyId });
    }
  }
  const from = `FROM usage_by_model WHERE day BETWEEN $1 AND $2${keyId === undefined ? '' : ' AND key_id = $3'}`;
  const ofKey = keyId === undefined ? [] : [keyId];
  const values = [firstDay, lastDay, ...ofKey];
  // Two queries in one: each is a look at one end of an index, both at once would be a look at all of it.
  const [range] = await sql.unsafe<{ first: unknown; last: unknown }[]>(
    `SELECT (SELECT MIN(day) ${from}) AS first, (SELECT MAX(day) ${from}) AS last`,
    values,
  );
  if (range?.first == null) return table.toSummary();
  const columns = columnsFor(groupBy);
  const sums = SUMS.map((name) => `SUM(${name}) AS ${name}`).join(', ');
  const select = `SELECT ${[...columns, sums].join(', ')} ${from} GROUP BY ${columns.join(', ')}`;
  const last = Number(range.last);
  const pace = new PacedRead(1, DAYS_MAX);
  for (let day = Number(range.first); day <= last && table.size <= rowsMax; ) {
    day = await pace.piece(async () => {
      const end = Math.min(last, day + pace.size - 1);
      const rows = await sql.unsafe<SummaryRowOfDays[]>(select, [day, end, ...ofKey]);
      for (const row of rows) table.add(partFromRow(row));
      return end + 1;
    });
  }
  return table.toSummary();
}

/** What the groups asked for need of a row. */
function columnsFor(groupBy: readonly SummaryGroup[]): string[] {
  const columns = groupBy.map((group) => {
    if (group === 'model') return 'model';
    return group === 'day' || group === 'month' ? 'day' : 'key_id';
  });
  return [...new Set(columns)];
}

async function readTags(sql: SQL, groupBy: readonly SummaryGroup[]): Promise<Map<SummaryGroup, TagValues>> {
  const groups = groupBy.filter((group) => group.startsWith('tag:'));
  if (groups.length === 0) return new Map();
  const rows = await sql.unsafe<{ id: string; tags: string }[]>("SELECT id, tags FROM api_keys WHERE tags <> '{}'");
  const tags = rows.map(({ id, tags }) => [id, JSON.parse(tags) as Record<string, string>] as const);
  return new Map(groups.map((group) => [group, valuesOf(tags, group.slice('tag:'.length))]));
}

function valuesOf(tags: readonly (readonly [string, Record<string, string>])[], name: string): TagValues {
  return new Map(tags.flatMap(([id, ofKey]) => (Object.hasOwn(ofKey, name) ? [[id, ofKey[name]!] as const] : [])));
}

function partFromRow(row: SummaryRowOfDays) {
  return {
    keyId: row.key_id ?? '',
    model: row.model ?? '',
    day: Number(row.day ?? 0),
    requests: Number(row.requests),
    errors: Number(row.errors),
    promptTokens: Number(row.prompt_tokens),
    cachedTokens: Number(row.cached_tokens),
    completionTokens: Number(row.completion_tokens),
    reasoningTokens: Number(row.reasoning_tokens),
    totalTokens: Number(row.total_tokens),
  };
}
