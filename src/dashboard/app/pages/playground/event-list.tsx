/** Each event with its time, its distance from the one before, and its data. Only those in view exist. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { formatCount, formatMs } from '../../format/numbers.ts';
import { ScrollRegion } from '../../ui/scroll-region.tsx';
import { ROW_HEIGHT, Space } from '../../ui/virtual-table.tsx';
import type { ReceivedEvent } from './client-api.ts';
import { readEvent } from './event-content.ts';
import type { ApiName } from './prompt.ts';

const ROWS_AROUND = 10;

export function EventList(props: EventListProps) {
  if (props.events.length === 0) return <p class="panel-empty">No event yet.</p>;
  return <EventTable {...props} />;
}

interface EventListProps {
  readonly api: ApiName;
  readonly events: readonly ReceivedEvent[];
  /** Of all that came; only the first are kept. */
  readonly count: number;
}

function EventTable({ api, events, count }: EventListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 400 });
  const look = () => {
    // The event of the last scrolling may come when the list is gone.
    if (scroller.current !== null) setView({ top: scroller.current.scrollTop, height: scroller.current.clientHeight });
  };
  useLayoutEffect(look, []);
  const first = Math.max(0, Math.floor(view.top / ROW_HEIGHT) - ROWS_AROUND);
  const last = Math.min(events.length, Math.ceil((view.top + view.height) / ROW_HEIGHT) + ROWS_AROUND);
  return (
    <>
      <ScrollRegion scroller={scroller} class="table-scroller events" label="Events" onScroll={look}>
        <table class="virtual-table" aria-label="Events" aria-rowcount={events.length + 1}>
          <colgroup>
            <col style={{ width: '84px' }} />
            <col style={{ width: '76px' }} />
            <col style={{ width: '26%' }} />
            <col />
          </colgroup>
          <thead>
            <tr>
              <th scope="col" class="right">
                Time
              </th>
              <th scope="col" class="right">
                Gap
              </th>
              <th scope="col">Text</th>
              <th scope="col">Data</th>
            </tr>
          </thead>
          <tbody>
            <Space rows={first} columns={4} />
            {events.slice(first, last).map((event, i) => {
              const index = first + i;
              const before = events[index - 1];
              return (
                <tr key={index} aria-rowindex={index + 2}>
                  <td class="right">{formatMs(event.atMs)}</td>
                  <td class="right muted">{before === undefined ? '' : `+${formatMs(event.atMs - before.atMs)}`}</td>
                  <td>{quoted(readEvent(api, event.data).text)}</td>
                  <td>
                    {event.name !== 'message' && <span class="event-name">{event.name}</span>}
                    <code title={event.data}>{event.data}</code>
                  </td>
                </tr>
              );
            })}
            <Space rows={events.length - last} columns={4} />
          </tbody>
        </table>
      </ScrollRegion>
      {count > events.length && (
        <p class="table-footer">
          The first {formatCount(events.length)} of {formatCount(count)} events.
        </p>
      )}
    </>
  );
}

/** So that spaces at its ends and line breaks can be seen. */
function quoted(text: string): string {
  return text === '' ? '' : JSON.stringify(text);
}
