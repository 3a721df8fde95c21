/** `bve usage --by`: usage added up by key, model, day, month or tag; the rows of GET /admin/usage/summary. */
import type { SummaryCounts, SummaryGroup, UsageSummary } from '../usage/usage-summary.ts';
import { csvText, spreadsheetSafe } from './csv.ts';
import { printable } from './keys-table.ts';
import { textTable } from './text-table.ts';

const COUNTS: readonly (readonly [column: string, heading: string, count: keyof SummaryCounts])[] = [
  ['requests', 'REQUESTS', 'requests'],
  ['errors', 'ERRORS', 'errors'],
  ['prompt_tokens', 'PROMPT', 'promptTokens'],
  ['cached_tokens', 'CACHED', 'cachedTokens'],
  ['completion_tokens', 'COMPLETION', 'completionTokens'],
  ['reasoning_tokens', 'REASONING', 'reasoningTokens'],
  ['total_tokens', 'TOTAL', 'totalTokens'],
];

/** What a group is called; a row that has none of it (no model named, no such tag) has an empty cell. */
export function summaryCsv(groupBy: readonly SummaryGroup[], { rows }: UsageSummary): string {
  return csvText([
    [...groupBy, ...COUNTS.map(([column]) => column)],
    ...rows.map((row) => [
      ...row.group.map((value) => spreadsheetSafe(value ?? '')),
      ...COUNTS.map(([, , count]) => row[count]),
    ]),
  ]);
}

export function summaryTable(groupBy: readonly SummaryGroup[], { rows, total }: UsageSummary): string {
  if (rows.length === 0) return 'no usage in this time\n';
  const counts = (of: SummaryCounts) => COUNTS.map(([, , count]) => String(of[count]));
  return textTable(
    [
      [...groupBy.map((group) => group.toUpperCase()), ...COUNTS.map(([, heading]) => heading)],
      ...rows.map((row) => [...row.group.map((value) => printable(value ?? '-')), ...counts(row)]),
      [...groupBy.map((_, i) => (i === 0 ? 'total' : '')), ...counts(total)],
    ],
    COUNTS.map((_, i) => groupBy.length + i),
  );
}
