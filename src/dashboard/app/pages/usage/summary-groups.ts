import type { SummaryAnswerRow } from '../../api/api-types.ts';

/** The first or the second of a row's groups: it has as many as were asked for. */
export function groupAt(row: SummaryAnswerRow, index: number): string | null {
  const { group } = row;
  if (group === null || typeof group === 'string') return group;
  return group[index] ?? null;
}
