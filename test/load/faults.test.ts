/** The harness reports every fault of the mock, in every stream. */
import { expect, test } from 'bun:test';
import { measured, mockServer, reportOfScenario, streams } from './fixture.ts';

const EVENTS = 12;
const POSITIONS = [0, 1, 5, EVENTS - 2, EVENTS - 1];

test('faultless streams are complete, in order and equal in number', async () => {
  const report = await reportOfScenario({ events: EVENTS });
  expect(report.streams).toMatchObject({ started: 100, complete: 100, failed: 0, dropped: 0, truncated: 0 });
  expect(report.order).toMatchObject({ checked_streams: 100, ends_checked: 100, bad_streams: 0, violations: 0 });
  expect(report.errors).toEqual({ total: 0, by_kind: {} });
  expect(report.rates).toMatchObject({ streams_per_s: 1000, tokens_per_s: 1000 * EVENTS, tokens_from: 'usage' });
  expect([report.ttfb_us.count, report.first_event_us.count]).toEqual([100, 100]);
  // Token events and one with usage: so many gaps, one less.
  expect(report.gap_us.count).toBe(100 * EVENTS);
});

test.each(POSITIONS)('an event dropped at %d is caught in every stream', async (drop) => {
  const { order } = await reportOfScenario({ events: EVENTS, drop });
  expect(order).toMatchObject({ checked_streams: 100, bad_streams: 100, dropped: 100, reordered: 0, duplicated: 0 });
});

test.each(POSITIONS)('an event duplicated at %d is caught in every stream', async (duplicate) => {
  const { order } = await reportOfScenario({ events: EVENTS, duplicate });
  expect(order).toMatchObject({ checked_streams: 100, bad_streams: 100, dropped: 0, reordered: 0, duplicated: 100 });
});

test.each([
  [0, 1],
  [0, EVENTS - 1],
  [4, 7],
  [EVENTS - 2, EVENTS - 1],
] as const)('events %d and %d that change places are caught in every stream', async (first, second) => {
  const { order } = await reportOfScenario({ events: EVENTS, reorder: [first, second] });
  // Everything between the two comes late, too, seen from the one that came early.
  const late = 100 * (second - first);
  expect(order).toMatchObject({ checked_streams: 100, bad_streams: 100, dropped: 0, reordered: late, duplicated: 0 });
});

test.each(POSITIONS)('a stream that ends properly after event %d is truncated', async (truncate_after_event) => {
  const report = await reportOfScenario({ events: EVENTS, truncate_after_event });
  expect(report.streams).toMatchObject({ started: 100, complete: 0, failed: 100, truncated: 100 });
  expect(report.errors.by_kind.truncated?.count).toBe(100);
  expect(report.order.violations).toBe(0);
});

test.each([1, 7, 64])('order faults are caught in streams that arrive in pieces of %d bytes', async (split) => {
  for (const fault of [{ drop: 2 }, { duplicate: 2 }, { reorder: [1, 3] as const }]) {
    const { order, errors } = await reportOfScenario({ events: 5, split, ...fault }, 20);
    expect([order.bad_streams, errors.total]).toEqual([20, 0]);
  }
});

test.each([
  ['chunked', 'reset', { fault: { kind: 'reset', after_bytes: 700 } }, 'reset', true],
  ['before the head', 'reset', { fault: { kind: 'refuse' } }, 'reset', false],
  ['FIN in the middle', 'early end', { fault: { kind: 'end_early', after_bytes: 700 } }, 'truncated', true],
  [
    'FIN without length',
    'early end',
    { framing: 'close', fault: { kind: 'end_early', after_bytes: 700 } },
    'truncated',
    true,
  ],
  ['no head', 'silence', { fault: { kind: 'hang' } }, 'timeout', false],
  ['in the middle', 'silence', { fault: { kind: 'silence', after_bytes: 700 } }, 'timeout', true],
] as const)('%s: %s', async (_where, _what, scenario, kind, truncated) => {
  // Short only where it is to pass, and then long enough for what comes before the silence to arrive on a machine that pauses.
  const report = await reportOfScenario({ events: EVENTS, ...scenario }, 20, { timeoutS: kind === 'timeout' ? 2 : 20 });
  expect(report.errors.by_kind[kind]?.count).toBe(20);
  expect(report.streams).toMatchObject({ failed: 20, complete: 0, truncated: truncated ? 20 : 0 });
});

test.each([
  ['length_short', 'framing'],
  ['length_long', 'framing'],
  ['bad_chunk_size', 'framing'],
  ['short_chunk', 'framing'],
  ['both', 'framing'],
  ['lf_only', 'framing'],
  ['garbage', 'framing'],
] as const)('wrong framing: %s', async (framing, kind) => {
  const report = await reportOfScenario({ events: EVENTS, framing }, 20);
  expect(report.errors.by_kind[kind]?.count).toBe(20);
});

test.each(['chunked', 'length', 'close', 'trailers', 'chunk_extensions', 'http10'] as const)(
  'proper framing: %s, also byte by byte',
  async (framing) => {
    for (const more of [{}, { wire_split: 1 }]) {
      const report = await reportOfScenario({ events: 3, framing, interim: 2, ...more }, 20);
      expect([report.streams.complete, report.order.checked_streams, report.order.violations]).toEqual([20, 20, 0]);
    }
  },
);

test.each([
  [{ status: 500, content_type: 'text/html', body: '<h1>Bad</h1>' }, 'http_500', '500 <h1>Bad</h1>'],
  [{ content_type: 'text/html', body: '<h1>Hello</h1>' }, 'not_sse', 'the answer is text/html, not text/event-stream'],
  [{ gzip: true }, 'not_sse', 'compressed (gzip)'],
  [
    { content_type: 'text/event-stream', body: 'data: hello\n\ndata: [DONE]\n\n' },
    'bad_sse',
    'neither JSON nor [DONE]',
  ],
  [{ content_type: 'text/event-stream', body: '<h1>Hello</h1>' }, 'truncated', 'without [DONE]'],
  [
    {
      content_type: 'text/event-stream',
      body: 'data: {"error":{"code":"upstream_stream_interrupted","message":"gone"}}\n\n',
    },
    'stream_error',
    'upstream_stream_interrupted: gone',
  ],
] as const)('%j is an error of kind %s', async (scenario, kind, message) => {
  const report = await reportOfScenario(scenario, 10);
  expect(report.errors.by_kind[kind]?.count).toBe(10);
  expect(report.errors.by_kind[kind]?.example).toContain(message);
});

test('refused connections are counted', async () => {
  const server = mockServer();
  server.refuseConnections();
  const { report } = await measured(server.url, streams(10));
  expect(report.errors.by_kind.connect).toEqual({ count: 10, example: 'connection refused: nothing listens there' });
});

test('a reused connection that turns out to be closed is replaced by a new one, once', async () => {
  const server = mockServer();
  // Long enough for a second stream on a machine that stands still for a while.
  const closed = { arrivals: { kind: 'closed', streams: 1, rampS: 0 }, durationS: 1, timeoutS: 20 } as const;
  const { report } = await measured(server.url, {
    ...closed,
    body: { mock: { events: 2, fault: { kind: 'reset_next' } } },
  });
  expect(report.streams.failed).toBe(0);
  expect(report.streams.complete).toBeGreaterThan(1);
  expect(report.streams.retried).toBe(report.streams.complete - 1);
});

test('a server that repeats the key does not get it into the report', async () => {
  const report = await reportOfScenario({ status: 401, json: { error: { message: 'bad key sk-secret-1' } } }, 5, {
    key: 'sk-secret-1',
  });
  expect(report.errors.by_kind.http_401?.example).toBe('401 bad key [key]');
  expect(JSON.stringify(report)).not.toContain('sk-secret-1');
});

test('bodies that should be equal are compared', async () => {
  const server = mockServer();
  let count = 0;
  server.script(() => ({ text: ++count % 10 === 0 ? 'another answer' : 'the same answer' }));
  const { report } = await measured(server.url, { ...streams(50), expectSame: true });
  expect(report.bodies).toEqual({ compared: 50, distinct: 2, different: 5 });
});

test('streams without numbers are not checked for order, unless the number of events is given', async () => {
  expect((await reportOfScenario({ text: 'one two three' }, 10)).order.checked_streams).toBe(0);
  // The role, three tokens, the finish; usage does not count.
  expect((await reportOfScenario({ text: 'one two three' }, 10, { expectEvents: 5 })).order.violations).toBe(0);
  expect((await reportOfScenario({ text: 'one two three' }, 10, { expectEvents: 6 })).order.dropped).toBe(10);
});

test.each(['/v1/responses', '/v1/messages'])('%s: terminal events and usage are understood', async (path) => {
  const report = await reportOfScenario({ text: 'one two three' }, 10, { path });
  expect(report.streams).toMatchObject({ complete: 10, failed: 0 });
  expect(report.rates).toMatchObject({ tokens_from: 'usage', tokens_per_s: 300 });
});
