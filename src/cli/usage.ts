/** `bve usage`: usage by day and month, read directly from the database; the rows of GET /admin/usage. */
import {
  dateOf,
  LAST_DAY,
  readUsageReport,
  type UsageReport,
  usageReportToJson,
  yearMonthOf,
} from '../admin/usage-report.ts';
import { summaryToJson } from '../admin/usage-summary-json.ts';
import { parseIsoDay } from '../keys/iso-time.ts';
import { print, printJson } from '../output.ts';
import { parseSummaryGroups, SUMMARY_GROUPS } from '../usage/usage-summary.ts';
import type { UsageTotals } from '../usage/usage-totals.ts';
import { type Arguments, type Command, textFlag, UsageError } from './command.ts';
import { csvText, spreadsheetSafe } from './csv.ts';
import { CONFIG, DATABASE, JSON_OUTPUT, keyNamed, withStore } from './keys-database.ts';
import { printable } from './keys-table.ts';
import { textTable } from './text-table.ts';
import { summaryCsv, summaryTable } from './usage-summary.ts';

/** No practical bound: a command may take its time. */
const ROWS_MAX = 1_000_000_000;

export const usage: Command = {
  name: 'usage',
  summary: 'show usage by key, day and month',
  options: {
    key: {
      type: 'string',
      value: 'ID',
      help: 'only this key: its id, or the beginning of its id or prefix [all keys]',
    },
    from: { type: 'string', value: 'DATE', help: 'first UTC day, YYYY-MM-DD' },
    to: { type: 'string', value: 'DATE', help: 'last UTC day, YYYY-MM-DD' },
    json: {
      ...JSON_OUTPUT,
      help: 'the object of GET /admin/usage, with --by of GET /admin/usage/summary, for scripts',
    },
    csv: { type: 'boolean', help: 'the days, or with --by the sums, as CSV (RFC 4180)' },
    by: {
      type: 'string',
      value: 'GROUP',
      help: `the sums by ${SUMMARY_GROUPS}, with errors, cached and reasoning tokens`,
    },
    monthly: { type: 'boolean', help: 'with --csv: the months instead' },
    config: CONFIG,
  },
  details: `Without dates: the last 30 days and 12 months of a key, the last 100 and 50 rows of all keys; with --csv everything.
Months are whole ones, all that the days touch. A request counts when it was admitted, however it ended. A running
gateway writes with a tenth of a second of delay. In CSV a name that begins like a formula has an apostrophe before it.
${DATABASE}`,
  async run(args) {
    const days = { firstDay: dayFlag(args, 'from'), lastDay: dayFlag(args, 'to') };
    checkCombination(args, days);
    const keyText = textFlag(args, 'key');
    const byText = textFlag(args, 'by');
    if (byText !== undefined) return summarise(args, byText, keyText, days);
    const { report, names } = await withStore(args, async (store) => {
      const keyId = keyText === undefined ? undefined : (await keyNamed(store, keyText)).id;
      const keys = await store.listKeys();
      return {
        report: await readUsageReport(store, { ...days, keyId }, Date.now(), ROWS_MAX),
        names: new Map(keys.map((key) => [key.id, key.name])),
      };
    });
    if (args.flags.json) printJson(usageReportToJson(report));
    else if (args.flags.csv) print(args.flags.monthly ? monthsCsv(report, names) : daysCsv(report, names));
    else print(tables(report, names));
    return 0;
  },
};

async function summarise(args: Arguments, byText: string, keyText: string | undefined, days: Days): Promise<number> {
  const groupBy = parseSummaryGroups(byText);
  if (groupBy === null) throw new UsageError(`--by takes ${SUMMARY_GROUPS}, not '${byText}'`);
  const { firstDay = 0, lastDay = LAST_DAY } = days;
  const summary = await withStore(args, async (store) => {
    const ofKey = keyText === undefined ? {} : { keyId: (await keyNamed(store, keyText)).id };
    return store.usageSummary({ groupBy, firstDay, lastDay, rowsMax: ROWS_MAX, ...ofKey });
  });
  if (args.flags.json) printJson(summaryToJson(summary));
  else print(args.flags.csv ? summaryCsv(groupBy, summary) : summaryTable(groupBy, summary));
  return 0;
}

type Names = ReadonlyMap<string, string>;

interface Days {
  firstDay: number | undefined;
  readonly lastDay: number | undefined;
}

/** @throws UsageError */
function checkCombination(args: Arguments, days: Days): void {
  if (args.flags.json && args.flags.csv) throw new UsageError('--json and --csv contradict each other');
  if (args.flags.monthly && args.flags.by !== undefined)
    throw new UsageError('--monthly and --by contradict each other');
  if (args.flags.monthly && !args.flags.csv) throw new UsageError('--monthly goes with --csv');
  if (days.firstDay !== undefined && days.lastDay !== undefined && days.firstDay > days.lastDay) {
    throw new UsageError('--from is later than --to');
  }
  // An export must be complete: the default windows do not apply.
  if (args.flags.csv) days.firstDay ??= 0;
}

function dayFlag(args: Arguments, name: string): number | undefined {
  const text = textFlag(args, name);
  if (text === undefined) return undefined;
  const day = parseIsoDay(text);
  if (day === null) throw new UsageError(`--${name} takes a date as YYYY-MM-DD, not '${text}'`);
  return day;
}

function daysCsv({ daily }: UsageReport, names: Names): string {
  return csvOf('date', daily, (row) => dateOf(row.day), names);
}

function monthsCsv({ monthly }: UsageReport, names: Names): string {
  return csvOf('year_month', monthly, (row) => yearMonthOf(row.month), names);
}

function csvOf<Row extends UsageTotals>(
  period: string,
  rows: readonly Row[],
  periodOf: (row: Row) => string,
  names: Names,
): string {
  return csvText([
    [period, 'key_id', 'key_name', 'request_count', 'prompt_tokens', 'completion_tokens', 'total_tokens', 'updated_at'],
    ...rows.map((row) => [
      periodOf(row),
      row.keyId,
      spreadsheetSafe(names.get(row.keyId) ?? ''),
      row.requests,
      row.promptTokens,
      row.completionTokens,
      row.totalTokens,
      new Date(row.updatedAt).toISOString(),
    ]),
  ]);
}

function tables({ daily, monthly }: UsageReport, names: Names): string {
  if (daily.length === 0 && monthly.length === 0) return 'no usage in this time\n';
  return `${table('DAY', daily, (row) => dateOf(row.day), names)}\n${table('MONTH', monthly, (row) => yearMonthOf(row.month), names)}`;
}

function table<Row extends UsageTotals>(
  period: string,
  rows: readonly Row[],
  periodOf: (row: Row) => string,
  names: Names,
): string {
  return textTable(
    [
      [period, 'REQUESTS', 'PROMPT', 'COMPLETION', 'TOTAL', 'KEY', 'NAME'],
      ...rows.map((row) => [
        periodOf(row),
        String(row.requests),
        String(row.promptTokens),
        String(row.completionTokens),
        String(row.totalTokens),
        row.keyId,
        printable(names.get(row.keyId) ?? ''),
      ]),
    ],
    [1, 2, 3, 4],
  );
}
