import { describe, expect, test } from 'bun:test';
import type { LiveSnapshot, RequestRecord } from '../../src/dashboard/app/api/api-types.ts';
import { EventParser, type ServerEvent } from '../../src/dashboard/app/api/sse-reader.ts';
import { HISTORY_SECONDS_MAX, LiveHistory } from '../../src/dashboard/app/pages/live/live-history.ts';
import { FEED_ROWS_MAX, RequestFeed } from '../../src/dashboard/app/pages/live/request-feed.ts';
import { randomFrom } from '../support/random.ts';

describe('events of a stream', () => {
  const TEXT =
    ': a comment\r\n\r\nevent: snapshot\r\ndata: {"a":1}\r\n\r\ndata: one\ndata: two\n\nevent:request\rdata:3\r\rdata\n\nid: 7\n\n';
  const EVENTS: ServerEvent[] = [
    { name: 'snapshot', data: '{"a":1}' },
    { name: 'message', data: 'one\ntwo' },
    { name: 'request', data: '3' },
    { name: 'message', data: '' },
  ];
  const parse = (pieces: readonly string[]) => {
    const events: ServerEvent[] = [];
    const parser = new EventParser((event) => events.push(event));
    for (const piece of pieces) parser.push(piece);
    return events;
  };

  test('are the same wherever the text is cut', () => {
    expect(parse([TEXT])).toEqual(EVENTS);
    for (let i = 0; i <= TEXT.length; i++) expect(parse([TEXT.slice(0, i), TEXT.slice(i)])).toEqual(EVENTS);
    expect(parse([...TEXT])).toEqual(EVENTS);
  });

  test('without their blank line are not events yet', () => {
    expect(parse(['data: half\n'])).toEqual([]);
    expect(parse(['data: half\n', '\n'])).toEqual([{ name: 'message', data: 'half' }]);
  });
});

function snapshotAt(ms: number, requests = 5): LiveSnapshot {
  return {
    at: new Date(ms).toISOString(),
    in_flight: 3,
    streams: 2,
    requests_per_s: requests,
    tokens_per_s: 100,
    ttfb_ms: { p50: 1, p95: 2, p99: null },
    errors: { overloaded: 2, upstream_error: 1 },
    targets: [],
  };
}

describe('the history of the live plots', () => {
  const START = 1_700_000_000_000;

  test('has a column for each line, oldest first', () => {
    const history = new LiveHistory();
    history.add(snapshotAt(START, 1));
    history.add(snapshotAt(START + 1000, 2));
    expect(history.tail(60, ['requests', 'p99'])).toEqual([
      [START / 1000, START / 1000 + 1],
      [1, 2],
      [null, null],
    ]);
  });

  test('counts errors by code, also of a code that comes later', () => {
    const history = new LiveHistory();
    history.add({ ...snapshotAt(START), errors: { overloaded: 1 } });
    history.add({ ...snapshotAt(START + 1000), errors: { upstream_error: 5 } });
    history.add({ ...snapshotAt(START + 2000), errors: {} });
    expect(history.errorCodes(60)).toEqual(['upstream_error', 'overloaded']);
    expect(history.errorTail(60, ['overloaded', 'upstream_error']).slice(1)).toEqual([
      [1, 0, 0],
      [0, 5, 0],
    ]);
    expect(history.errorCodes(1)).toEqual([]);
    for (let i = 0; i < 200; i++) history.add({ ...snapshotAt(START + 3000 + i * 1000), errors: { [`code ${i}`]: 1 } });
    expect(history.errorCodes(900).length).toBeLessThanOrEqual(40);
  });

  test('shows a gap where nothing came, not a line across it', () => {
    const history = new LiveHistory();
    history.add(snapshotAt(START));
    history.add(snapshotAt(START + 60_000));
    expect(history.tail(900, ['requests'])[1]).toEqual([5, null, 5]);
  });

  test('is bounded, and gives only the last seconds asked for', () => {
    const history = new LiveHistory();
    for (let i = 0; i < HISTORY_SECONDS_MAX * 2; i++) history.add(snapshotAt(START + i * 1000, i));
    expect(history.length).toBe(HISTORY_SECONDS_MAX);
    const [times, requests] = history.tail(60, ['requests']);
    expect(times.length).toBe(60);
    expect(requests!.at(-1)).toBe(HISTORY_SECONDS_MAX * 2 - 1);
  });

  test('keeps its times ascending when a clock is set back', () => {
    const history = new LiveHistory();
    history.add(snapshotAt(START));
    history.add(snapshotAt(START - 500));
    expect(history.length).toBe(1);
    history.add(snapshotAt(START - 3_600_000));
    expect(history.tail(60, ['requests'])[0]).toEqual([(START - 3_600_000) / 1000]);
  });
});

describe('the list of finished requests', () => {
  const record = (id: number) => ({ id: String(id), model: id % 2 === 0 ? 'even' : 'odd' }) as RequestRecord;
  const all = () => true;
  const ids = (feed: RequestFeed) => feed.rows(all).map(({ id }) => Number(id));

  test('has the newest first and is bounded', () => {
    const feed = new RequestFeed();
    for (let i = 1; i <= FEED_ROWS_MAX * 5; i++) feed.add(record(i));
    const shown = ids(feed);
    expect(shown.length).toBe(FEED_ROWS_MAX);
    expect(shown[0]).toBe(FEED_ROWS_MAX * 5);
    expect(shown.at(-1)).toBe(FEED_ROWS_MAX * 4 + 1);
  });

  test('stands still while it is held, counts what comes, and shows it when released', () => {
    const feed = new RequestFeed();
    feed.add(record(1));
    feed.hold();
    feed.add(record(2));
    feed.add(record(3));
    expect(ids(feed)).toEqual([1]);
    expect(feed.newCount).toBe(2);
    feed.release();
    expect(ids(feed)).toEqual([3, 2, 1]);
    expect(feed.newCount).toBe(0);
  });

  test('shows what matches, and its revision tells of every change', () => {
    const feed = new RequestFeed();
    const { revision } = feed;
    for (let i = 1; i <= 4; i++) feed.add(record(i));
    expect(feed.rows(({ model }) => model === 'even').map(({ id }) => id)).toEqual(['4', '2']);
    expect(feed.revision).toBeGreaterThan(revision);
  });

  test('is what a plain list would be, whatever is done in whatever order', () => {
    const random = randomFrom(11);
    const feed = new RequestFeed();
    let shown: number[] = [];
    let waiting: number[] = [];
    let held = false;
    for (let i = 1; i <= 20_000; i++) {
      const action = random(200);
      if (action === 0) {
        feed.hold();
        held = true;
      } else if (action === 1) {
        feed.release();
        held = false;
        shown = [...waiting, ...shown];
        waiting = [];
      } else {
        feed.add(record(i));
        if (held) waiting.unshift(i);
        else shown.unshift(i);
      }
      shown.length = Math.min(shown.length, FEED_ROWS_MAX);
      if (i % 500 === 0) expect(ids(feed)).toEqual(shown);
    }
  });
});
