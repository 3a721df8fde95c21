import { useMemo, useState } from 'preact/hooks';
import { formatCount, formatShare } from '../../format/numbers.ts';
import { lastDayOfMonth } from '../../format/times.ts';
import { Panel } from '../../ui/page.tsx';
import type { Sorting } from '../../ui/sorting.ts';
import { type Column, VirtualTable } from '../../ui/virtual-table.tsx';
import { groupLabel } from './group-label.ts';
import type { UsageData, UsageGroup } from './usage-data.ts';
import type { UsageView } from './usage-view.ts';

const NUMBER_COLUMNS = [
  { id: 'requests', header: 'Requests', minTableWidth: 0 },
  { id: 'errors', header: 'Errors', minTableWidth: 560 },
  { id: 'prompt_tokens', header: 'Prompt', minTableWidth: 700 },
  { id: 'cached_tokens', header: 'Cached', minTableWidth: 980 },
  { id: 'completion_tokens', header: 'Completion', minTableWidth: 860 },
  { id: 'reasoning_tokens', header: 'Reasoning', minTableWidth: 980 },
  { id: 'total_tokens', header: 'Total tokens', minTableWidth: 0 },
] as const;

/** The totals of each group, or of each day or month. */
export function UsageTable({ data }: { data: UsageData }) {
  const { view } = data;
  const [chosen, setChosen] = useState<Sorting | null>(null);
  const isSplit = view.split !== '';
  const sorting =
    chosen ?? (isSplit ? { column: view.measure, descending: true } : { column: 'group', descending: true });
  const rows = useMemo(() => sorted(data.groups, sorting), [data.groups, sorting.column, sorting.descending]);
  const total = data.total[view.measure];
  const title = isSplit ? `By ${view.split.replace(':', ' ')}` : `By ${view.step}`;

  const columns: readonly Column<UsageGroup>[] = [
    {
      id: 'group',
      header: isSplit ? capitalised(view.split.replace('tag:', '')) : capitalised(view.step),
      sortable: true,
      cell: (row) => <a href={urlOf(row, view)}>{isSplit ? groupLabel(row.group, view.split) : row.group}</a>,
    },
    ...NUMBER_COLUMNS.map(
      ({ id, header, minTableWidth }): Column<UsageGroup> => ({
        id,
        header,
        width: id === 'total_tokens' ? 124 : 100,
        align: 'right',
        sortable: true,
        minTableWidth,
        cell: (row) => formatCount(row[id]),
      }),
    ),
    {
      id: 'share',
      header: 'Share',
      width: 132,
      minTableWidth: 620,
      cell: (row) => (
        <span class="share">
          <span class="share-bar" aria-hidden="true">
            <span style={{ width: `${total === 0 ? 0 : (row[view.measure] / total) * 100}%` }} />
          </span>
          <span class="share-number">{formatShare(row[view.measure], total)}</span>
        </span>
      ),
    },
  ];
  return (
    <Panel title={title} class="usage-table" aside={<span class="muted">{formatCount(rows.length)} rows</span>}>
      <VirtualTable
        label={title}
        columns={columns}
        rows={rows}
        rowId={(row) => row.group ?? ''}
        rowUrl={(row) => urlOf(row, view)}
        sorting={sorting}
        onSort={setChosen}
        empty={<p class="panel-empty">Nothing.</p>}
      />
    </Panel>
  );
}

function sorted(groups: readonly UsageGroup[], { column, descending }: Sorting): UsageGroup[] {
  const rows = [...groups];
  if (column === 'group') rows.sort((a, b) => ((a.group ?? '') < (b.group ?? '') ? -1 : 1));
  else rows.sort((a, b) => a[column as keyof Omit<UsageGroup, 'group'>] - b[column as keyof Omit<UsageGroup, 'group'>]);
  return descending ? rows.reverse() : rows;
}

/** Where a row leads: the key, the requests of the model, the keys with the tag, the usage of the month or day. */
function urlOf({ group }: UsageGroup, view: UsageView): string {
  const value = encodeURIComponent(group ?? '');
  if (view.split === 'key') return `/dashboard/keys/${value}`;
  if (view.split === 'model') return `/dashboard/requests?model=${value}`;
  if (view.split.startsWith('tag:')) return `/dashboard/keys?q=${encodeURIComponent(view.split.slice(4))}=${value}`;
  const key = view.keyId ? `&key_id=${view.keyId}` : '';
  if (view.step === 'day') return `/dashboard/usage?from=${value}&to=${value}${key}`;
  return `/dashboard/usage?from=${value}-01&to=${lastDayOfMonth(group ?? '')}${key}`;
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
