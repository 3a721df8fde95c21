/** When streams start, what their times count from, and what slow and disconnecting clients do. */
import { expect, test } from 'bun:test';
import { dueUs } from '../../src/load/arrivals.ts';
import { bottlenecks } from '../../src/load/own-load.ts';
import { measured, mockServer, streams } from './fixture.ts';

test('arrivals: even spacing, and a ramp whose rate grows linearly', () => {
  const even = { kind: 'open', ratePerS: 200, rampS: 0 } as const;
  expect([0, 1, 200].map((number) => dueUs(even, number))).toEqual([0, 5_000, 1_000_000]);
  const ramp = { kind: 'open', ratePerS: 100, rampS: 10 } as const;
  // Half of a full rate's arrivals by the end of the ramp, a quarter of these by the middle of it.
  expect([0, 125, 500, 600].map((number) => dueUs(ramp, number) / 1e6)).toEqual([0, 5, 10, 11]);
  const closed = { kind: 'closed', streams: 4, rampS: 2 } as const;
  expect([0, 1, 3, 4].map((number) => dueUs(closed, number) / 1e6)).toEqual([0, 0.5, 1.5, Number.POSITIVE_INFINITY]);
});

const CLOSED_STREAMS = 200;

test('a stall shows in the times of all streams that were due during it, and in a closed loop in one', async () => {
  const server = mockServer();
  const stalled = async (arrivals: 'open' | 'closed') => {
    const startMs = performance.now();
    // Requests of the first 400 ms are answered after them.
    server.script(() => ({ events: 1, head_delay_ms: Math.max(0, startMs + 400 - performance.now()) }));
    const { load } = await measured(
      server.url,
      arrivals === 'open'
        ? { arrivals: { kind: 'open', ratePerS: 200, rampS: 0 }, durationS: 0.8 }
        : { arrivals: { kind: 'closed', streams: 1, rampS: 0 }, durationS: 20 },
      // By number and not by time: a machine that stands still would have too few others to compare with.
      (running) => {
        if (arrivals === 'open') return;
        const last = server.requests.length + CLOSED_STREAMS;
        void server.waitForRequest((request) => request.sequence > last).then(() => running.interrupt());
      },
    );
    const ttfbUs = [...load.tally.ttfbUs.values()];
    return { count: ttfbUs.length, slow: ttfbUs.filter((us) => us >= 100_000).length, maxUs: Math.max(...ttfbUs) };
  };
  const open = await stalled('open');
  expect(open.count).toBe(160);
  // 300 of the 400 ms left at least 100 ms to wait: 60 streams of the 160.
  expect(open.slow).toBeGreaterThanOrEqual(55);
  expect(open.maxUs).toBeGreaterThanOrEqual(350_000);
  const closed = await stalled('closed');
  expect(closed.slow / closed.count).toBeLessThan(0.1);
});

test('arrivals never wait: beyond the limit they are dropped and counted', async () => {
  // No stream may end before the last arrival, even on a machine that pauses for a while.
  const hanging = { ...streams(100), body: { mock: { fault: { kind: 'hang' } } }, timeoutS: 2.5 } as const;
  const [{ report }, limited] = await Promise.all([
    measured(mockServer().url, { ...hanging, streamsMax: 30 }),
    measured(mockServer().url, { ...hanging, connectionsMax: 10 }),
  ]);
  expect(report.streams).toMatchObject({ started: 30, dropped: 70, failed: 30 });
  expect(report.harness.arrival_lag_us.count).toBe(30);
  expect(limited.report.streams).toMatchObject({ started: 10, dropped: 90 });
});

test('a closed loop keeps a number of streams open, on as many connections', async () => {
  const server = mockServer();
  const { report } = await measured(server.url, {
    arrivals: { kind: 'closed', streams: 8, rampS: 0 },
    durationS: 1,
    body: { mock: { events: 3, pace_ms: 5 } },
  });
  expect(new Set(server.requests.map((request) => request.connectionId)).size).toBe(8);
  expect(report.streams.complete).toBe(server.requests.length);
  expect(report.streams.complete).toBeGreaterThan(8);
});

test('the warm-up is not measured', async () => {
  const server = mockServer();
  const { report } = await measured(server.url, { ...streams(40), warmupS: 0.1, body: { mock: { events: 1 } } });
  expect(server.requests.length).toBe(80);
  expect([report.streams.started, report.ttfb_us.count]).toEqual([40, 40]);
});

test('clients that abandon a stream disconnect half-way', async () => {
  const server = mockServer();
  const { report } = await measured(server.url, {
    ...streams(40),
    abandon: 0.5,
    // Half-way is the first event here, as no stream has ended before: the others are far enough away not to be sent by then.
    body: { mock: { events: 10, pace_ms: 200 } },
  });
  const ends = await Promise.all(server.requests.map((request) => request.closed));
  expect(report.streams.abandoned).toBeGreaterThan(5);
  expect(report.streams.complete + report.streams.abandoned).toBe(40);
  expect(ends.filter((end) => end === 'client_closed').length).toBe(report.streams.abandoned);
  expect(report.errors.total).toBe(0);
});

test('slow readers make the server wait, and are no errors', async () => {
  const server = mockServer();
  const paused = server.waitForRequest().then(async (request) => {
    while (!request.paused && !request.end) await Bun.sleep(1);
    return request.paused;
  });
  const { report } = await measured(server.url, {
    arrivals: { kind: 'closed', streams: 1, rampS: 0 },
    durationS: 1,
    slowReaders: 1,
    slowPauseMs: 20,
    body: { mock: { events: 400, event_bytes: 65_536 } },
  });
  expect(await paused).toBe(true);
  expect(report.streams).toMatchObject({ failed: 0, slow: report.streams.started });
  expect([report.order.violations, report.gap_us.count]).toEqual([0, 0]);
});

test('a run can be interrupted', async () => {
  const server = mockServer();
  const run = measured(server.url, { durationS: 60, body: { mock: { fault: { kind: 'hang' } } } }, (load) => {
    void server.waitForRequest().then(() => load.interrupt());
  });
  const { report } = await run;
  expect(report.interrupted).toBe(true);
  expect(report.streams).toMatchObject({ started: 1, interrupted: 1, failed: 0 });
});

test('a closed loop does not spin on failures', async () => {
  const { report } = await measured(mockServer().url, {
    arrivals: { kind: 'closed', streams: 1, rampS: 0 },
    durationS: 0.3,
    body: { mock: { status: 503 } },
  });
  expect(report.errors.by_kind.http_503!.count).toBeLessThan(10);
});

test('the harness says when it is the bottleneck', () => {
  expect(bottlenecks(0.5, 1_000)).toEqual([]);
  expect(bottlenecks(0.9, 20_000)).toEqual([
    'its processor share is 90% of a core',
    'its event loop lag p99 is 20.0 ms',
  ]);
});
