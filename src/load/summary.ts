/** The report as text for a terminal: figures first, then each problem on a line of its own. */

import type { Verdict } from './assertion.ts';
import { countText, durationText } from './duration-text.ts';
import type { Report } from './report-data.ts';
import type { Distribution } from './statistics.ts';

export function summaryOf(report: Report): string {
  const { streams, rates } = report;
  const share = streams.started === 0 ? '' : ` (${((100 * streams.complete) / streams.started).toFixed(1)}%)`;
  const lines = [
    `${report.target}  ${loadText(report)}`,
    '',
    `  ${'streams'.padEnd(14)}${countText(streams.started)} started, ${countText(streams.complete)} complete${share}${othersText(report)}`,
    `  ${'rate'.padEnd(14)}${countText(rates.streams_per_s)} streams/s, ${countText(rates.events_per_s)} events/s, ${countText(rates.tokens_per_s)} tokens/s${tokensText(report)}`,
    '',
    row('', ['p50', 'p90', 'p99', 'p99.9', 'max']),
    distributionRow('first byte', report.ttfb_us),
    distributionRow('first event', report.first_event_us),
    distributionRow('gap', report.gap_us),
    distributionRow('jitter', report.jitter_us),
    distributionRow('whole stream', report.total_us),
    '',
    `  ${'errors'.padEnd(14)}${report.errors.total}`,
    ...Object.entries(report.errors.by_kind).map(
      ([kind, { count, example }]) => `    ${kind.padEnd(14)}${countText(count)}${example ? `, e.g. ${example}` : ''}`,
    ),
    `  ${'truncated'.padEnd(14)}${streams.truncated}`,
    `  ${'order'.padEnd(14)}${orderText(report)}`,
    ...(report.bodies ? [`  ${'bodies'.padEnd(14)}${bodiesText(report.bodies)}`] : []),
    `  ${'harness'.padEnd(14)}loop lag p99 ${durationText(report.harness.loop_lag_us.p99)}, arrivals late p99 ${durationText(report.harness.arrival_lag_us.p99)}, ${Math.round(report.harness.cpu_share * 100)}% of a core`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Reasons not to trust the figures. */
export function warningsOf(report: Report): string[] {
  const { bottlenecks } = report.harness;
  const warnings: string[] = [];
  if (bottlenecks.length > 0) {
    warnings.push(`the harness itself is the bottleneck: ${bottlenecks.join(' and ')}; times may be its own`);
  }
  if (report.interrupted) warnings.push('the run was interrupted; the figures are of the part before');
  if (report.load.insecure) warnings.push('TLS certificates were not verified (--insecure)');
  return warnings;
}

export function verdictText({ assert, holds, value }: Verdict): string {
  return `${holds ? 'holds ' : 'FAILED'}  ${assert}  (${value === null ? 'nothing was measured' : `is ${value}${unitOf(assert)}`})`;
}

function loadText({ load, elapsed_s }: Report): string {
  const what =
    load.mode === 'open'
      ? `open loop, ${load.rate_per_s} streams/s due`
      : `closed loop, ${countText(load.streams ?? 0)} streams at once`;
  return `${what}, ${load.duration_s} s (${elapsed_s.toFixed(1)} s with ramp-down)`;
}

function othersText({ streams }: Report): string {
  return (['failed', 'abandoned', 'interrupted', 'dropped', 'retried'] as const)
    .filter((name) => streams[name] > 0)
    .map((name) => `, ${countText(streams[name])} ${name}`)
    .join('');
}

function tokensText({ rates }: Report): string {
  const from = {
    usage: ' as usage reports',
    events: ' (no usage reported: events counted as tokens)',
    both: ' (usage where reported, else events counted as tokens)',
    none: '',
  };
  return from[rates.tokens_from];
}

function orderText({ order, streams }: Report): string {
  if (order.checked_streams === 0) return 'not checked: the events carry no numbers ("i":0, "i":1, …)';
  const ends = order.ends_checked < streams.complete ? '; ends not checked: no usage and no --expect-events' : '';
  if (order.violations === 0) return `0 violations in ${countText(order.checked_streams)} streams${ends}`;
  const { reordered, dropped, duplicated } = order;
  return `${countText(order.violations)} VIOLATIONS in ${countText(order.bad_streams)} streams: ${reordered} reordered, ${dropped} dropped, ${duplicated} duplicated${ends}`;
}

function bodiesText({ compared, distinct, different }: NonNullable<Report['bodies']>): string {
  if (distinct <= 1) return `${countText(compared)} compared, all equal`;
  return `${countText(compared)} compared, ${countText(different)} DIFFERENT from the most frequent one (${countText(distinct)} distinct)`;
}

function distributionRow(name: string, figures: Distribution): string {
  if (figures.count === 0) return row(name, ['none']);
  return row(name, [figures.p50, figures.p90, figures.p99, figures.p999, figures.max].map(durationText));
}

function row(name: string, cells: readonly string[]): string {
  return `  ${name.padEnd(14)}${cells.map((cell) => cell.padStart(10)).join('')}`;
}

function unitOf(assertion: string): string {
  const unit = /[a-z]+\s*$/.exec(assertion.replace(/^[a-z0-9_\s]+/, ''))?.[0].trim() ?? '';
  return unit === '' ? '' : ` ${unit}`;
}
