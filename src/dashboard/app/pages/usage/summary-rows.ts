import { getUsageSummary } from '../../api/admin-client.ts';
import type { SummaryAnswerRow } from '../../api/api-types.ts';
import type { TimePart } from './summary-parts.ts';
import type { UsageView } from './usage-view.ts';

/** One after the other, so that a long list does not hold up the gateway. */
export async function rowsInParts(
  view: UsageView,
  parts: readonly TimePart[],
  signal?: AbortSignal,
): Promise<SummaryAnswerRow[]> {
  const rows: SummaryAnswerRow[] = [];
  for (const part of parts) {
    const answer = await getUsageSummary(
      {
        group_by: view.split === '' ? view.step : `${view.step},${view.split}`,
        ...part,
        key_id: view.keyId || undefined,
      },
      signal,
    );
    rows.push(...answer.rows);
  }
  return rows;
}
