/** One request: what happened when, where it went, what it used. */
import { useEffect } from 'preact/hooks';
import { listRequests } from '../../api/admin-client.ts';
import type { RequestRecord } from '../../api/api-types.ts';
import { formatBytes, formatCount, formatMs, NOTHING } from '../../format/numbers.ts';
import { formatDate, formatTimeMs } from '../../format/times.ts';
import { keyDirectory, keyName, wantKeys } from '../../state/key-directory.ts';
import { useAddress } from '../../state/router.ts';
import { useSharedState } from '../../state/shared-state.ts';
import { useQuery } from '../../state/use-query.ts';
import { FINISH_NAMES, FinishBadge, StatusCode } from '../../ui/badge.tsx';
import { CopyButton } from '../../ui/copy-button.tsx';
import { Page, Panel } from '../../ui/page.tsx';
import { Empty, Loaded } from '../../ui/states.tsx';
import { requestUrl } from './request-columns.tsx';
import { Timeline } from './timeline.tsx';

/** A client may use one id for several requests. */
const SAME_ID_MAX = 100;

export function RequestPage() {
  const { query } = useAddress();
  useSharedState(keyDirectory);
  useEffect(wantKeys, []);
  const requestId = query.get('request_id') ?? '';
  const recordId = query.get('record');
  const found = useQuery(`request ${requestId}`, (signal) =>
    listRequests({ request_id: requestId, limit: SAME_ID_MAX }, signal),
  );
  return (
    <Page
      title="Request"
      heading={
        <span class="crumbs">
          <a href="/dashboard/requests">Requests</a>
          <span aria-hidden="true">/</span>
          <code class="crumb">{requestId}</code>
          <CopyButton text={requestId} what="request id" />
        </span>
      }
    >
      <Loaded query={found} rows={8}>
        {(records) => {
          const record = records.find(({ id }) => id === recordId) ?? records[0];
          if (record === undefined) return <NotRecorded />;
          return (
            <>
              {records.length > 1 && <SameId records={records} shown={record} />}
              <RequestDetails record={record} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function NotRecorded() {
  return (
    <Empty title="There is no record of this request">
      <p>It may still be running, or its record is older than the gateway keeps them.</p>
    </Empty>
  );
}

function SameId({ records, shown }: { records: readonly RequestRecord[]; shown: RequestRecord }) {
  return (
    <p class="note">
      The client used this id for {formatCount(records.length)} requests:{' '}
      {records.map((record) => (
        <a
          key={record.id}
          class="inline-choice"
          href={requestUrl(record)}
          aria-current={record.id === shown.id ? 'true' : undefined}
        >
          {formatTimeMs(Date.parse(record.startedAt))}
        </a>
      ))}
    </p>
  );
}

function RequestDetails({ record }: { record: RequestRecord }) {
  const startedMs = Date.parse(record.startedAt);
  return (
    <>
      <section class="tiles" aria-label="Result">
        <Tile title="Status">
          <StatusCode status={record.status} />
        </Tile>
        <Tile title="Finish">
          <FinishBadge finish={record.finish} errorCode={record.errorCode} />
        </Tile>
        <Tile title="First byte">{formatMs(record.ttfbMs)}</Tile>
        <Tile title="Duration">{formatMs(record.durationMs)}</Tile>
        <Tile title="Tokens">{formatCount(record.totalTokens)}</Tile>
        <Tile title="Sent to the client">{formatBytes(record.bytesOut)}</Tile>
      </section>
      <Panel
        title="Timeline"
        aside={<span class="muted">{`${formatDate(startedMs)} ${formatTimeMs(startedMs)}`}</span>}
      >
        <Timeline record={record} />
      </Panel>
      <div class="two-columns">
        <Panel title="Request">
          <Facts
            facts={[
              ['Key', <a href={`/dashboard/keys/${record.keyId}`}>{keyName(record.keyId)}</a>],
              ['Endpoint', record.endpoint],
              ['Model', record.model ?? NOTHING],
              ['Streamed', record.streamed ? 'yes' : 'no'],
              ['Target', record.target ?? NOTHING],
              ['Attempts', formatCount(record.attempts)],
              ['Finish', FINISH_NAMES[record.finish]],
              ['Error code', record.errorCode ?? NOTHING],
              ['Upstream request id', <Id id={record.upstreamRequestId} what="upstream request id" />],
              ['Record id', <Id id={record.id} what="record id" />],
            ]}
          />
        </Panel>
        <Panel title="Tokens" aside={<span class="muted">{sourceText(record)}</span>}>
          <Facts
            facts={[
              ['Prompt', formatCount(record.promptTokens)],
              ['of these cached', formatCount(record.cachedTokens)],
              ['Completion', formatCount(record.completionTokens)],
              ['of these reasoning', formatCount(record.reasoningTokens)],
              ['Total', formatCount(record.totalTokens)],
              ['Completion tokens per second', tokenRate(record)],
            ]}
          />
        </Panel>
      </div>
    </>
  );
}

function Tile({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <div class="tile">
      <h2 class="tile-title">{title}</h2>
      <p class="tile-value">
        <strong>{children}</strong>
      </p>
    </div>
  );
}

function Facts({ facts }: { facts: readonly (readonly [string, preact.ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Id({ id, what }: { id: string | null | undefined; what: string }) {
  if (!id) return <>{NOTHING}</>;
  return (
    <span class="id">
      <code title={id}>{id}</code>
      <CopyButton text={id} what={what} />
    </span>
  );
}

function sourceText({ usageSource }: RequestRecord): string {
  switch (usageSource) {
    case 'upstream':
      return 'reported by upstream';
    case 'partial':
      return 'partial: the stream ended before its final usage';
    default:
      return 'upstream reported none';
  }
}

/** Over the time in which the answer came. */
function tokenRate({ completionTokens, ttfbMs, durationMs }: RequestRecord): string {
  if (completionTokens === null || ttfbMs === null || durationMs - ttfbMs < 1) return NOTHING;
  return ((completionTokens / (durationMs - ttfbMs)) * 1000).toFixed(1);
}
