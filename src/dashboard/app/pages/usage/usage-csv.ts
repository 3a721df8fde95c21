/** All rows of what the page shows, not only those of the plot, as a file for a spreadsheet. */
import { csvText, spreadsheetSafe } from '../../../../cli/csv.ts';
import { download } from '../../format/download.ts';
import { groupAt } from './summary-groups.ts';
import { partsOf } from './summary-parts.ts';
import { rowsInParts } from './summary-rows.ts';
import type { UsageView } from './usage-view.ts';

const NUMBERS = [
  'requests',
  'errors',
  'prompt_tokens',
  'cached_tokens',
  'completion_tokens',
  'reasoning_tokens',
  'total_tokens',
] as const;

/** `groupCount`: how many groups the split has. */
export async function downloadUsage(
  view: UsageView,
  groupCount: number,
  nameOf: (group: string | null) => string,
): Promise<void> {
  const rows = await rowsInParts(view, partsOf(view, groupCount));
  const isSplit = view.split !== '';
  const isByKey = view.split === 'key';
  const header = [view.step, ...(isSplit ? [view.split] : []), ...(isByKey ? ['key_name'] : []), ...NUMBERS];
  const lines = rows.map((row) => {
    const group = groupAt(row, 1);
    return [
      groupAt(row, 0) ?? '',
      ...(isSplit ? [spreadsheetSafe(group ?? '')] : []),
      ...(isByKey ? [spreadsheetSafe(nameOf(group))] : []),
      ...NUMBERS.map((name) => row[name]),
    ];
  });
  const name = `usage-${view.from}-${view.to}${isSplit ? `-by-${view.split.replace(':', '-')}` : ''}.csv`;
  download(name, 'text/csv', csvText([header, ...lines]));
}
