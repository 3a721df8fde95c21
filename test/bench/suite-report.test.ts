import { describe, expect, test } from 'bun:test';
import { withTable } from '../../bench/report/readme-table.ts';
import { suitePage } from '../../bench/report/suite-page.ts';
import { headlineTable, scenarioTable, terminalTable } from '../../bench/report/suite-table.ts';
import type { Measurement } from '../../bench/suite/load.ts';
import { type SuiteResult, targetFigures } from '../../bench/suite/results.ts';
import { noFaults } from '../../bench/suite/stream-checker.ts';
import { page, table } from '../../src/load/page.ts';
import { barPlot, cdfPlot, linePlot, timelinePlot } from '../../src/load/plot.ts';
import { distribution } from '../../src/load/statistics.ts';

const NASTY = `<script>alert("x")</script> & 'co'`;

describe('plots', () => {
  const plots: readonly (readonly [string, (name: string) => string])[] = [
    ['cdf', (name) => cdfPlot([series(name), series('other')], { title: name, unit: 'ms', logX: true })],
    [
      'bars',
      (name) =>
        barPlot(
          [
            { name, value: 3, low: 2, high: 4 },
            { name: 'other', value: 1 },
          ],
          { title: name, unit: 'µs' },
        ),
    ],
    [
      'timeline',
      (name) =>
        timelinePlot(
          [
            { name, times: [1, 2] },
            { name: 'other', times: [2, 3] },
          ],
          { title: name, unit: 'ms', connect: true },
        ),
    ],
    [
      'lines',
      (name) =>
        linePlot(
          [
            {
              name,
              points: [
                [0, 1],
                [5, 9],
              ],
            },
            { name: 'other', points: [[1, 2]] },
          ],
          { title: name, unit: 'MB', xTitle: name },
        ),
    ],
  ];

  test.each(plots)('%s: escapes every text and names every series', (_, plot) => {
    const svg = plot(NASTY);
    expect(svg).not.toContain('<script');
    expect(svg).not.toContain('"x"');
    expect(svg).toContain('&lt;script&gt;');
    expect(svg).toContain('other');
    expect(svg).not.toContain('NaN');
    expect(svg.startsWith('<svg')).toBeTrue();
  });

  test.each(plots)('%s: every mark is inside the picture', (_, plot) => {
    const svg = plot('one');
    const [width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.slice(1).map(Number) as [number, number];
    for (const [, name, value] of svg.matchAll(/ (x|y|x1|y1|x2|y2|cx|cy)="([^"]+)"/g)) {
      const limit = name!.includes('x') ? width : height;
      expect(Number(value)).toBeGreaterThanOrEqual(0);
      expect(Number(value)).toBeLessThanOrEqual(limit);
    }
  });

  test('say so when there is nothing, and stand equal, zero and huge values', () => {
    expect(cdfPlot([], { title: 't', unit: 'ms' })).toContain('nothing measured');
    expect(barPlot([], { title: 't', unit: 'ms' })).toContain('nothing measured');
    expect(timelinePlot([{ name: 'a', times: [] }], { title: 't', unit: 'ms' })).toContain('nothing measured');
    expect(linePlot([{ name: 'a', points: [] }], { title: 't', unit: 'ms' })).toContain('nothing measured');
    for (const values of [[0], [0, 0, 0], [5, 5], [1e-6, 1e9]]) {
      for (const logX of [true, false]) {
        expect(cdfPlot([{ name: 'a', values }], { title: 't', unit: 'ms', logX })).not.toContain('NaN');
      }
    }
    const many = Array.from({ length: 300_000 }, (_, i) => i);
    expect(cdfPlot([{ name: 'a', values: many }], { title: 't', unit: 'ms' }).length).toBeLessThan(30_000);
  });
});

test('a page loads nothing, and escapes its titles and tables', () => {
  const html = page(NASTY, [{ heading: NASTY, html: table(['a', NASTY], [[NASTY, { text: '1', best: true }]]) }]);
  expect(html).not.toContain('<script');
  expect(html).not.toMatch(/src=|href=|url\(|@import/);
  expect(html).toContain('class="best"');
});

describe('the report of a run', () => {
  test('has every target and scenario, marks the best and takes differences round by round', () => {
    const [scenario] = result.scenarios;
    const { rows, notes } = scenarioTable(scenario!);
    expect(rows.map(([name]) => name!.text)).toEqual(['direct', 'bve-source', 'nginx', 'portkey']);
    expect(rows[1]!.some(({ best }) => best)).toBeTrue();
    expect(rows[0]!.some(({ best }) => best)).toBeFalse();
    expect(scenario!.targets[1]!.addedTtfbP50Ms).toBe(1);
    expect(notes).toEqual(['portkey was not timed: short-chat: body differs']);
    const html = suitePage(result);
    for (const text of ['short-chat', 'bve-source', 'AMD', 'nothing queues', 'not timed']) expect(html).toContain(text);
    expect(terminalTable(headlineTable(result))).toContain('nginx');
  });

  test('shows faults where they are', () => {
    const wrong = targetFigures(
      { ...rounds('nginx', [2]), measurements: [measurement(2, { truncated: 4 })] },
      undefined,
    );
    const { rows } = scenarioTable({ name: 's', about: 'a', connections: 1, targets: [wrong] });
    expect(rows[0]!.at(-1)).toEqual({ text: '4 truncated', best: false, bad: true });
  });

  test('goes into the README between its markers, and nowhere else', () => {
    const once = withTable('a\n<!-- bench:start -->\nold\n<!-- bench:end -->\nz\n', result);
    expect(once).toStartWith('a\n<!-- bench:start -->\n| target |');
    expect(once).toEndWith('<!-- bench:end -->\nz\n');
    expect(once).not.toContain('old');
    expect(withTable(once, result)).toBe(once);
    expect(() => withTable('no markers', result)).toThrow('bench:start');
  });
});

function series(name: string) {
  return { name, values: [1, 2, 3, 50] };
}

function measurement(ttfb: number, faults: Partial<ReturnType<typeof noFaults>> = {}): Measurement {
  const of = distribution([ttfb]);
  return {
    ttfbMs: of,
    gapMs: of,
    delayMs: of,
    jitterMs: 0.1,
    streamsPerS: 100 / ttfb,
    eventsPerS: 1000,
    events: 500,
    bytes: 1,
    cpuUsPerEvent: ttfb * 10,
    cpuUsPerStream: ttfb * 100,
    cpuShare: 0.5,
    memoryPeakBytes: 5e7,
    faults: { ...noFaults(), ...faults },
    autocannon: { answers: 10, errors: 0 },
    answers: 10,
    ttfbShape: [ttfb, ttfb * 2],
  };
}

function rounds(target: string, ttfbs: readonly number[], notTimed: string | null = null) {
  return { target, measurements: ttfbs.map((ttfb) => measurement(ttfb)), notTimed, hashes: { 'short-chat': 'ab12' } };
}

const direct = rounds('direct', [1, 5, 9]);
const names = ['direct', 'bve-source', 'nginx', 'portkey'];
const result: SuiteResult = {
  version: '1.2.3',
  commit: '0123456789abcdef',
  modified: false,
  startedAt: '2025-01-02T03:04:05.000Z',
  busyBefore: 0.01,
  rounds: 3,
  seconds: 1,
  pinned: true,
  autocannon: '9.0.0',
  machine: { cpu: 'AMD', cores: 2, memoryGb: 4, kernel: 'linux 6', bun: '1.4.5' },
  targets: names.map((name) => ({ name, about: 'a', version: '1', skipped: null })),
  scenarios: [
    {
      name: 'short-chat',
      about: 'nothing queues',
      connections: 2,
      targets: [
        direct,
        // Machine noise that both share is larger than what lies between them.
        rounds('bve-source', [2, 6, 10]),
        rounds('nginx', [3, 8, 13]),
        rounds('portkey', [], 'short-chat: body differs'),
      ].map((own) => targetFigures(own, direct)),
    },
  ],
  memory: [{ target: 'nginx', points: [{ streams: 10, bytes: 2e7 }] }],
  timelines: [{ target: 'direct', sentMs: [0, 1], seenMs: [0.2, 1.2] }],
};
