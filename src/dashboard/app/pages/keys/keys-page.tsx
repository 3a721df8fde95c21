/** All keys: search, states, order; and the way to a new one. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { KeyObject } from '../../api/api-types.ts';
import { formatCount, NOTHING } from '../../format/numbers.ts';
import { formatDateTime, formatRelative } from '../../format/times.ts';
import { keyDirectory, readAllKeys, wantKeys } from '../../state/key-directory.ts';
import { setParameters, useAddress } from '../../state/router.ts';
import { useSharedState } from '../../state/shared-state.ts';
import { KeyStatusBadge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Segments } from '../../ui/choice.tsx';
import { Page } from '../../ui/page.tsx';
import { SearchField } from '../../ui/search-field.tsx';
import type { Sorting } from '../../ui/sorting.ts';
import { Empty, Failure, Loading } from '../../ui/states.tsx';
import { type Column, VirtualTable } from '../../ui/virtual-table.tsx';
import { CreateKeyDialog } from './create-key-dialog.tsx';
import {
  countByStatus,
  findKeys,
  STATUS_CHOICES,
  type StatusChoice,
  shownStatus,
  sortKeys,
  tagTexts,
} from './key-list.ts';
import { limitText } from './limit-text.ts';

const COLUMNS: readonly Column<KeyObject>[] = [
  {
    id: 'name',
    header: 'Name',
    sortable: true,
    cell: (key) => (
      <a href={keyUrl(key.id)} title={key.name}>
        {key.name}
      </a>
    ),
  },
  {
    id: 'status',
    header: 'State',
    width: 114,
    sortable: true,
    cell: (key) => <KeyStatusBadge status={shownStatus(key, Date.now())} />,
  },
  { id: 'prefix', header: 'Key', width: 136, minTableWidth: 600, cell: (key) => <code>{key.prefix}…</code> },
  {
    id: 'limits',
    header: 'Limits',
    minTableWidth: 760,
    cell: (key) => <span title={limitText(key)}>{limitText(key)}</span>,
  },
  {
    id: 'tags',
    header: 'Tags',
    minTableWidth: 980,
    cell: (key) => <span class="muted">{tagTexts(key).join(' ') || NOTHING}</span>,
  },
  {
    id: 'used',
    header: 'Last used',
    width: 104,
    sortable: true,
    cell: (key) => <span title={formatDateTime(key.last_used_at)}>{formatRelative(key.last_used_at, Date.now())}</span>,
  },
  {
    id: 'created',
    header: 'Created',
    width: 150,
    minTableWidth: 860,
    sortable: true,
    cell: (key) => formatDateTime(key.created_at),
  },
];

function keyUrl(id: string): string {
  return `/dashboard/keys/${encodeURIComponent(id)}`;
}

const NEWEST_FIRST: Sorting = { column: 'created', descending: true };

export function KeysPage() {
  const directory = useSharedState(keyDirectory);
  const { query } = useAddress();
  const [creating, setCreating] = useState(false);
  useEffect(wantKeys, []);

  const text = query.get('q') ?? '';
  const status = STATUS_CHOICES.find((choice) => choice === query.get('status')) ?? 'all';
  const sorting = useMemo(() => readSorting(query.get('sort')), [query]);
  const now = Date.now();
  // The time matters too little to search anew for it.
  const rows = useMemo(
    () => sortKeys(findKeys(directory.keys, text, status, now), sorting),
    [directory.keys, text, status, sorting],
  );
  const counts = useMemo(() => countByStatus(directory.keys, now), [directory.keys]);
  const isFirstLoad = directory.loadedAtMs === null && directory.keys.length === 0;

  return (
    <Page
      title="Keys"
      fill
      actions={
        <>
          <Button
            icon="reload"
            kind="quiet"
            label="Read the keys again"
            busy={directory.loading}
            onPress={() => void readAllKeys()}
          />
          <Button kind="primary" icon="plus" shortcut="n" onPress={() => setCreating(true)}>
            Create key
          </Button>
        </>
      }
    >
      <div class="toolbar">
        <SearchField
          label="Search by name, tag, first letters, id"
          value={text}
          delayMs={120}
          onChange={(value) => setParameters({ q: value })}
        />
        <Segments
          label="State"
          value={status}
          options={STATUS_CHOICES.map((choice) => ({
            value: choice,
            label: choice,
            count: isFirstLoad ? undefined : formatCount(counts[choice]),
          }))}
          onChange={(value: StatusChoice) => setParameters({ status: value === 'all' ? null : value })}
        />
      </div>
      {directory.error !== null && directory.keys.length > 0 && directory.error.kind !== 'unreachable' && (
        <p class="note warn" role="alert">
          The list could not be renewed: {directory.error.message}
        </p>
      )}
      {isFirstLoad ? (
        <FirstLoad error={directory.error} />
      ) : (
        <VirtualTable
          label="Keys"
          columns={COLUMNS}
          rows={rows}
          rowId={(key) => key.id}
          rowUrl={(key) => keyUrl(key.id)}
          sorting={sorting}
          onSort={({ column, descending }) => setParameters({ sort: `${descending ? '-' : ''}${column}` })}
          empty={<NoKeys filtered={directory.keys.length > 0} onCreate={() => setCreating(true)} />}
        />
      )}
      {creating && <CreateKeyDialog onClose={() => setCreating(false)} />}
    </Page>
  );
}

function FirstLoad({ error }: { error: typeof keyDirectory.value.error }) {
  return error === null ? <Loading rows={12} /> : <Failure error={error} onRetry={() => void readAllKeys()} />;
}

function NoKeys({ filtered, onCreate }: { filtered: boolean; onCreate: () => void }) {
  if (filtered) {
    return (
      <Empty title="No key matches">
        <Button onPress={() => setParameters({ q: null, status: null })}>Show all keys</Button>
      </Empty>
    );
  }
  return (
    <Empty title="There are no keys yet">
      <p>A client needs one to use this gateway. You see its secret once, when you create it.</p>
      <Button kind="primary" onPress={onCreate}>
        Create the first key
      </Button>
    </Empty>
  );
}

function readSorting(text: string | null): Sorting {
  if (!text) return NEWEST_FIRST;
  const descending = text.startsWith('-');
  return { column: descending ? text.slice(1) : text, descending };
}
