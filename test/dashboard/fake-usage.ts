/** Totals of records as the admin API gives them: by day and month of a key, and summed up by what is asked for. */
import type {
  KeyObject,
  RequestRecord,
  SummaryAnswerRow,
  UsageNumbers,
} from '../../src/dashboard/app/api/api-types.ts';

export function usageOfKey(records: readonly RequestRecord[], keyId: string) {
  const own = records.filter((record) => record.keyId === keyId);
  const rows = (length: number) =>
    [...Map.groupBy(own, (record) => record.startedAt.slice(0, length))].map(([period, of]) => {
      const sums = sumOf(of);
      return {
        id: `${keyId} ${period}`,
        keyId,
        [length === 10 ? 'date' : 'yearMonth']: period,
        requestCount: sums.requests,
        promptTokens: sums.prompt_tokens,
        completionTokens: sums.completion_tokens,
        totalTokens: sums.total_tokens,
        updatedAt: of[0]!.startedAt,
      };
    });
  return { daily: rows(10).slice(0, 30), monthly: rows(7).slice(0, 12) };
}

export function summaryOf(
  records: readonly RequestRecord[],
  keys: ReadonlyMap<string, KeyObject>,
  query: URLSearchParams,
): { rows: SummaryAnswerRow[]; total: UsageNumbers } {
  const from = query.get('from') ?? '';
  const to = query.get('to') ?? '9999';
  const keyId = query.get('key_id');
  const names = query.get('group_by')!.split(',');
  const within = records.filter(({ startedAt, keyId: of }) => {
    const day = startedAt.slice(0, 10);
    return day >= from && day <= to && (!keyId || of === keyId);
  });
  const groups = Map.groupBy(within, (record) => JSON.stringify(names.map((name) => groupOf(name, record, keys))));
  const rows = [...groups].map(([text, of]) => {
    const group = JSON.parse(text) as (string | null)[];
    return { group: names.length === 1 ? group[0]! : group, ...sumOf(of) };
  });
  return { rows, total: sumOf(within) };
}

function groupOf(name: string, record: RequestRecord, keys: ReadonlyMap<string, KeyObject>): string | null {
  if (name === 'key') return record.keyId;
  if (name === 'model') return record.model;
  if (name === 'day') return record.startedAt.slice(0, 10);
  if (name === 'month') return record.startedAt.slice(0, 7);
  return keys.get(record.keyId)?.tags[name.slice(4)] ?? null;
}

function sumOf(records: readonly RequestRecord[]): UsageNumbers {
  const sums = { requests: 0, errors: 0, prompt: 0, cached: 0, completion: 0, reasoning: 0, total: 0 };
  for (const record of records) {
    sums.requests++;
    if (record.finish === 'error' || record.finish === 'upstream_interrupted') sums.errors++;
    sums.prompt += record.promptTokens ?? 0;
    sums.cached += record.cachedTokens ?? 0;
    sums.completion += record.completionTokens ?? 0;
    sums.reasoning += record.reasoningTokens ?? 0;
    sums.total += record.totalTokens ?? 0;
  }
  return {
    requests: sums.requests,
    errors: sums.errors,
    prompt_tokens: sums.prompt,
    cached_tokens: sums.cached,
    completion_tokens: sums.completion,
    reasoning_tokens: sums.reasoning,
    total_tokens: sums.total,
  };
}
