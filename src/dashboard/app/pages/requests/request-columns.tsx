/** The columns of a list of requests, on every page that has one. */
import type { RequestRecord } from '../../api/api-types.ts';
import { formatCount, formatMs, NOTHING } from '../../format/numbers.ts';
import { formatDateTime, formatMoment } from '../../format/times.ts';
import { keyName } from '../../state/key-directory.ts';
import { FinishBadge, StatusCode } from '../../ui/badge.tsx';
import type { Column } from '../../ui/virtual-table.tsx';

/** There is no call for one record by its id: the request's id finds it, the record's id tells it from others. */
export function requestUrl(record: RequestRecord): string {
  return `/dashboard/request?request_id=${encodeURIComponent(record.requestId)}&record=${record.id}`;
}

export const requestColumns: readonly Column<RequestRecord>[] = [
  {
    id: 'time',
    header: 'Time',
    width: 134,
    cell: (record) => (
      <a href={requestUrl(record)} title={`${formatDateTime(record.startedAt)}, request ${record.requestId}`}>
        {formatMoment(record.startedAt, Date.now())}
      </a>
    ),
  },
  { id: 'status', header: 'Status', width: 64, cell: (record) => <StatusCode status={record.status} /> },
  {
    id: 'finish',
    header: 'Finish',
    width: 164,
    minTableWidth: 560,
    cell: (record) => <FinishBadge finish={record.finish} errorCode={record.errorCode} />,
  },
  {
    id: 'key',
    header: 'Key',
    minTableWidth: 420,
    cell: (record) => <span title={keyName(record.keyId)}>{keyName(record.keyId)}</span>,
  },
  {
    id: 'model',
    header: 'Model',
    cell: (record) => <span title={record.model ?? undefined}>{record.model ?? NOTHING}</span>,
  },
  {
    id: 'endpoint',
    header: 'Endpoint',
    minTableWidth: 900,
    width: 168,
    cell: (record) => <span class="muted">{record.endpoint}</span>,
  },
  {
    id: 'target',
    header: 'Target',
    width: 96,
    minTableWidth: 1080,
    cell: (record) => <span class="muted">{record.target ?? NOTHING}</span>,
  },
  {
    id: 'ttfb',
    header: 'First byte',
    width: 84,
    align: 'right',
    minTableWidth: 700,
    cell: (record) => formatMs(record.ttfbMs),
  },
  { id: 'duration', header: 'Duration', width: 84, align: 'right', cell: (record) => formatMs(record.durationMs) },
  {
    id: 'tokens',
    header: 'Tokens in / out',
    width: 124,
    align: 'right',
    minTableWidth: 920,
    cell: (record) =>
      record.totalTokens === null && record.promptTokens === null ? (
        <span class="muted">{NOTHING}</span>
      ) : (
        `${formatCount(record.promptTokens)} / ${formatCount(record.completionTokens)}`
      ),
  },
];
