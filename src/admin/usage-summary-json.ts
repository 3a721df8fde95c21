/** A usage summary in the JSON form of the contract, section 7. */
import type { SummaryCounts, UsageSummary } from '../usage/usage-summary.ts';

/** `group` is an array when the query asked for two groups. */
export function summaryToJson({ rows, total }: UsageSummary) {
  return {
    rows: rows.map(({ group, ...counts }) => ({
      group: group.length === 1 ? group[0]! : group,
      ...countsToJson(counts),
    })),
    total: countsToJson(total),
  };
}

function countsToJson(counts: SummaryCounts) {
  return {
    requests: counts.requests,
    errors: counts.errors,
    prompt_tokens: counts.promptTokens,
    cached_tokens: counts.cachedTokens,
    completion_tokens: counts.completionTokens,
    reasoning_tokens: counts.reasoningTokens,
    total_tokens: counts.totalTokens,
  };
}
