/** One key: what it may do, what it has left, what it has used, its last requests, and everything that can be done with it. */
import { getKey, listRequests } from '../../api/admin-client.ts';
import type { KeyObject, KeyWithLimits } from '../../api/api-types.ts';
import { formatCount } from '../../format/numbers.ts';
import { formatDateTime, formatRelative } from '../../format/times.ts';
import { keyChanged, knownKey } from '../../state/key-directory.ts';
import { useQuery } from '../../state/use-query.ts';
import { KeyStatusBadge } from '../../ui/badge.tsx';
import { CopyButton } from '../../ui/copy-button.tsx';
import { Page, Panel } from '../../ui/page.tsx';
import { Loaded } from '../../ui/states.tsx';
import { VirtualTable } from '../../ui/virtual-table.tsx';
import { requestColumns, requestUrl } from '../requests/request-columns.tsx';
import { KeyActions } from './key-actions.tsx';
import { KeyLimits } from './key-limits.tsx';
import { shownStatus, tagTexts } from './key-list.ts';
import { KeyUsage } from './key-usage.tsx';

const REFRESH_MS = 10_000;
const LAST_REQUESTS = 50;

export function KeyPage({ id }: { id: string }) {
  const query = useQuery<KeyWithLimits>(`key ${id}`, (signal) => getKey(id, signal), { refreshMs: REFRESH_MS });
  const key = query.data ?? knownKey(id);
  const changed = (next: KeyObject) => {
    keyChanged(next);
    query.reload();
  };
  return (
    <Page
      title={key?.name ?? 'Key'}
      heading={
        <span class="crumbs">
          <a href="/dashboard/keys">Keys</a>
          <span aria-hidden="true">/</span>
          <span class="crumb">{key?.name ?? '…'}</span>
          {key && <KeyStatusBadge status={shownStatus(key, Date.now())} />}
        </span>
      }
      actions={key && <KeyActions apiKey={key} onChanged={changed} />}
    >
      <Loaded query={query} rows={8}>
        {(loaded) => (
          <>
            {loaded.limits && <KeyLimits limits={loaded.limits} />}
            <KeyUsage id={id} />
            <div class="two-columns">
              <KeyFacts apiKey={loaded} />
              <KeyRequests id={id} />
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function KeyFacts({ apiKey }: { apiKey: KeyObject }) {
  const now = Date.now();
  const facts: readonly (readonly [string, string])[] = [
    ['Key', `${apiKey.prefix}…`],
    ['Created', formatDateTime(apiKey.created_at)],
    ['Last used', `${formatRelative(apiKey.last_used_at, now)}`],
    ['Expires', apiKey.expires_at === null ? 'never' : formatDateTime(apiKey.expires_at)],
    ['Models', apiKey.allowed_models === null ? 'all' : apiKey.allowed_models.join(', ')],
    ['Endpoints', apiKey.allowed_endpoints ? apiKey.allowed_endpoints.join(', ') : 'all'],
    ['Tags', tagTexts(apiKey).join(', ') || 'none'],
    ['Usage of streams', automatic(apiKey.inject_stream_usage, 'on', 'off')],
    ['When a client leaves', apiKey.on_leave ?? 'automatic'],
  ];
  return (
    <Panel title="Settings">
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div>
          <dt>Id</dt>
          <dd>
            <span class="id">
              <code title={apiKey.id}>{apiKey.id}</code>
              <CopyButton text={apiKey.id} what="id" />
            </span>
          </dd>
        </div>
      </dl>
    </Panel>
  );
}

function KeyRequests({ id }: { id: string }) {
  const query = useQuery(`requests ${id}`, (signal) => listRequests({ key_id: id, limit: LAST_REQUESTS }, signal), {
    refreshMs: REFRESH_MS,
  });
  return (
    <Panel
      title="Last requests"
      class="feed"
      aside={<a href={`/dashboard/requests?key_id=${id}`}>All requests of this key</a>}
    >
      <Loaded query={query} rows={5}>
        {(records) => (
          <VirtualTable
            label={`The last ${formatCount(records.length)} requests of this key`}
            columns={requestColumns.filter((column) => column.id !== 'key')}
            rows={records}
            rowId={(record) => record.id}
            rowUrl={requestUrl}
            empty={<p class="panel-empty">This key has not been used yet.</p>}
          />
        )}
      </Loaded>
    </Panel>
  );
}

function automatic(value: boolean | null, on: string, off: string): string {
  if (value === null || value === undefined) return 'automatic';
  return value ? on : off;
}
