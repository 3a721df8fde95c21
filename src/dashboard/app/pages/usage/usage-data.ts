/**
 * The numbers of the usage page. A split by something few (models, tags) is one call with two groupings, in parts when it
 * has many rows. Keys can be ten thousand, times ninety days: then the plot asks only for the keys that it shows.
 */
import { getUsageSummary, type SummaryParameters } from '../../api/admin-client.ts';
import type { SummaryAnswer, SummaryAnswerRow, UsageNumbers } from '../../api/api-types.ts';
import { SERIES_COLORS } from '../../ui/plot-colors.ts';
import { groupAt } from './summary-groups.ts';
import { partsOf, periodsOf, ROWS_AT_ONCE } from './summary-parts.ts';
import { rowsInParts } from './summary-rows.ts';
import type { Measure, UsageView } from './usage-view.ts';

export interface UsageGroup extends UsageNumbers {
  /** What the rows have in common: a day, a month, a model, a key's id, a tag's value; null: they have none. */
  readonly group: string | null;
}

interface UsageSeries {
  /** undefined: all that is not among the others. */
  readonly group: string | null | undefined;
  readonly values: readonly number[];
}

export interface UsageData {
  /** What it is the answer to: while another is asked for, this one is still shown. */
  readonly view: UsageView;
  readonly periods: readonly string[];
  /** The largest first. */
  readonly series: readonly UsageSeries[];
  /** One row per group of the split, or per period when it is not split. */
  readonly groups: readonly UsageGroup[];
  readonly total: UsageNumbers;
}

export async function loadUsage(view: UsageView, signal: AbortSignal): Promise<UsageData> {
  const periods = periodsOf(view);
  const base = { from: view.from, to: view.to, key_id: view.keyId || undefined };
  const ask = (group_by: string, more: Partial<SummaryParameters> = {}) =>
    getUsageSummary({ ...base, ...more, group_by }, signal);

  if (view.split === '') {
    const summary = await ask(view.step);
    const groups = summary.rows.map((row) => ({ ...row, group: groupAt(row, 0) }));
    const series = [{ group: undefined, values: valuesOf(periods, summary.rows, view.measure) }];
    return { view, periods, series, groups, total: summary.total };
  }

  const totals = await ask(view.split);
  const groups = totals.rows.map((row) => ({ ...row, group: groupAt(row, 0) }));
  const largest = [...groups].sort((a, b) => b[view.measure] - a[view.measure]).slice(0, SERIES_COLORS);
  const shown = largest.filter((group) => group[view.measure] > 0).map(({ group }) => group);
  const isMany = view.split === 'key' && groups.length * periods.length > ROWS_AT_ONCE;
  const series = isMany
    ? await seriesOfKeys(shown, periods, view, ask)
    : seriesOfRows(await rowsInParts(view, partsOf(view, groups.length), signal), shown, periods, view.measure);
  return { view, periods, series, groups, total: totals.total };
}

type Ask = (groupBy: string, more?: Partial<SummaryParameters>) => Promise<SummaryAnswer>;

async function seriesOfKeys(
  ids: readonly (string | null)[],
  periods: readonly string[],
  { step, measure }: UsageView,
  ask: Ask,
): Promise<UsageSeries[]> {
  const [all, ...each] = await Promise.all([ask(step), ...ids.map((id) => ask(step, { key_id: id ?? undefined }))]);
  const series = each.map(({ rows }, i) => ({ group: ids[i]!, values: valuesOf(periods, rows, measure) }));
  return withOthers(series, valuesOf(periods, all.rows, measure));
}

function seriesOfRows(
  rows: readonly SummaryAnswerRow[],
  shown: readonly (string | null)[],
  periods: readonly string[],
  measure: Measure,
): UsageSeries[] {
  const series = shown.map((group) => ({
    group,
    values: valuesOf(
      periods,
      rows.filter((row) => groupAt(row, 1) === group),
      measure,
    ),
  }));
  return withOthers(series, valuesOf(periods, rows, measure));
}

function withOthers(series: readonly UsageSeries[], all: readonly number[]): UsageSeries[] {
  const others = all.map((sum, i) => Math.max(0, sum - series.reduce((part, { values }) => part + values[i]!, 0)));
  return others.some((value) => value > 0) ? [...series, { group: undefined, values: others }] : [...series];
}

/** The sum of the rows of each period, the first of a row's groups. */
function valuesOf(periods: readonly string[], rows: readonly SummaryAnswerRow[], measure: Measure): number[] {
  const sums = new Map<string | null, number>();
  for (const row of rows) {
    const period = groupAt(row, 0);
    sums.set(period, (sums.get(period) ?? 0) + row[measure]);
  }
  return periods.map((period) => sums.get(period) ?? 0);
}
