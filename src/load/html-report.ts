/** The report as one HTML file with plots. */
import { escapeText } from './axes.ts';
import { durationText } from './duration-text.ts';
import type { Load } from './load.ts';
import { page, type Section, table } from './page.ts';
import { cdfPlot, linePlot, timelinePlot } from './plot.ts';
import type { Report } from './report-data.ts';
import type { Distribution } from './statistics.ts';
import { summaryOf, warningsOf } from './summary.ts';

export function htmlOf(load: Load, report: Report): string {
  const { tally } = load;
  const sections: Section[] = [
    {
      heading: '',
      html: [
        ...warningsOf(report).map((text) => `<p><strong>${escapeText(text)}</strong></p>`),
        `<pre>${escapeText(summaryOf(report))}</pre>`,
      ].join('\n'),
    },
    {
      heading: 'Time to first byte',
      html: figure(
        cdfPlot(
          [
            { name: 'first byte', values: milliseconds(tally.ttfbUs.values()) },
            { name: 'first event', values: milliseconds(tally.firstEventUs.values()) },
          ],
          { title: 'From when a stream was due', unit: 'ms' },
        ),
      ),
    },
    {
      heading: 'Gap between events',
      html: figure(
        cdfPlot([{ name: 'gap', values: milliseconds(tally.gapUs.values()) }], {
          title: 'Within one stream',
          unit: 'ms',
        }),
      ),
    },
    { heading: 'Sample streams', html: figure(sampleTimeline(load)) },
    { heading: 'Over time', html: figure(overTime(report)) },
    { heading: 'Figures', html: table(['', 'p50', 'p90', 'p99', 'p99.9', 'max', 'count'], distributionRows(report)) },
  ];
  return page(`bve bench ${report.target}`, sections);
}

function figure(svg: string): string {
  return `<figure>${svg}</figure>`;
}

function sampleTimeline({ samples }: Load): string {
  const rows = samples
    .filter((stream) => stream.eventTimesUs && stream.eventTimesUs.length > 0)
    .map(({ eventTimesUs, options }, at) => ({
      name: `stream ${at + 1}`,
      times: eventTimesUs!.map((timeUs) => (timeUs - options.scheduledUs) / 1000),
    }));
  return timelinePlot(rows, { title: 'Events since the stream was due', unit: 'ms' });
}

function overTime({ seconds }: Report): string {
  const series = (['started', 'completed', 'failed', 'dropped'] as const).map((name) => ({
    name,
    points: seconds.map((second, at): [number, number] => [at, second[name]]),
  }));
  return linePlot(series, { title: 'Streams per second', unit: 'streams', xTitle: 'seconds' });
}

function distributionRows(report: Report): string[][] {
  const named: [string, Distribution][] = [
    ['first byte', report.ttfb_us],
    ['first event', report.first_event_us],
    ['gap', report.gap_us],
    ['jitter', report.jitter_us],
    ['whole stream', report.total_us],
    ['harness: loop lag', report.harness.loop_lag_us],
    ['harness: arrivals late', report.harness.arrival_lag_us],
  ];
  return named.map(([name, figures]) => [
    name,
    ...[figures.p50, figures.p90, figures.p99, figures.p999, figures.max].map(durationText),
    String(figures.count),
  ]);
}

/** More values than this make no visible difference. */
const PLOTTED_MAX = 100_000;

function milliseconds(valuesUs: Float64Array): number[] {
  const step = Math.max(1, Math.ceil(valuesUs.length / PLOTTED_MAX));
  const values: number[] = [];
  for (let i = 0; i < valuesUs.length; i += step) values.push(valuesUs[i]! / 1000);
  return values;
}
