/** Whether the totals by day, month and model that the store keeps are the sums of its records. */
import { dayOf, monthOf } from '../../src/limits/windows.ts';
import type { Store } from '../../src/store/store.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';

interface Sums {
  requests: number;
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
}

const ALL = { first: 0, last: 1_000_000, limit: 1_000_000 };

export async function totalsProblems(store: Store, records: readonly UsageRecord[]): Promise<string[]> {
  // A request that was refused before admission is no use of the key.
  const admitted = records.filter(({ admittedAt }) => admittedAt !== null);
  const days = await store.recentUsageDays(ALL);
  const months = await store.recentUsageMonths(ALL);
  const models = await store.usageSummary({ groupBy: ['model'], firstDay: 0, lastDay: ALL.last, rowsMax: 100_000 });
  return [
    ...differences(
      'day',
      sumsOf(admitted, (record) => `${record.keyId} ${dayOf(record.admittedAt!)}`),
      toMap(days, ({ keyId, day }) => `${keyId} ${day}`),
    ),
    ...differences(
      'month',
      sumsOf(admitted, (record) => `${record.keyId} ${monthOf(record.admittedAt!)}`),
      toMap(months, ({ keyId, month }) => `${keyId} ${month}`),
    ),
    ...differences(
      'model',
      sumsOf(admitted, ({ model }) => model ?? ''),
      toMap(models.rows, ({ group }) => group[0] ?? ''),
    ),
  ];
}

function sumsOf(records: readonly UsageRecord[], groupOf: (record: UsageRecord) => string): Map<string, Sums> {
  const sums = new Map<string, Sums>();
  for (const record of records) {
    const group = groupOf(record);
    const sum = sums.get(group) ?? { requests: 0, promptTokens: 0, completionTokens: 0, totalTokens: 0 };
    sum.requests++;
    sum.promptTokens += record.promptTokens ?? 0;
    sum.completionTokens += record.completionTokens ?? 0;
    sum.totalTokens += record.totalTokens ?? 0;
    sums.set(group, sum);
  }
  return sums;
}

function toMap<R extends Sums>(rows: readonly Readonly<R>[], groupOf: (row: R) => string): Map<string, Sums> {
  return new Map(rows.map((row) => [groupOf(row), row]));
}

function differences(what: string, expected: Map<string, Sums>, kept: Map<string, Sums>): string[] {
  const problems: string[] = [];
  for (const group of new Set([...expected.keys(), ...kept.keys()])) {
    const records = textOf(expected.get(group));
    const totals = textOf(kept.get(group));
    if (records !== totals) problems.push(`${what} ${group}: the records make ${records}, the total says ${totals}`);
  }
  return problems;
}

function textOf(sums: Sums | undefined): string {
  if (!sums) return 'nothing';
  const { requests, promptTokens, completionTokens, totalTokens } = sums;
  return `${requests} requests, ${promptTokens} + ${completionTokens} = ${totalTokens} tokens`;
}
