/** The suite's result as one HTML page. All figures, also those in sentences, come from the result. */

import { escapeText, numberText } from '../../src/load/axes.ts';
import { page, type Section, table } from '../../src/load/page.ts';
import { barPlot, cdfPlot, linePlot, timelinePlot } from '../../src/load/plot.ts';
import type { ScenarioResult, SuiteResult, TargetFigures } from '../suite/results.ts';
import { headlineTable, scenarioTable, type Table } from './suite-table.ts';

export function suitePage(result: SuiteResult): string {
  const plots = [ttfbFigure(result), cpuFigure(result), memoryFigure(result), timelineFigure(result)];
  const sections: Section[] = [
    { heading: '', html: introduction(result) },
    { heading: 'Summary', html: tableHtml(headlineTable(result)) + note(BEST) },
    { heading: 'Plots', html: plots.join('\n') },
    ...result.scenarios.map((scenario) => scenarioSection(result, scenario)),
    { heading: 'Targets', html: targetsHtml(result) },
    { heading: 'Bodies', html: bodiesHtml(result) },
  ];
  return page('BVE Gateway: what streaming costs', sections);
}

const BEST = 'The best value of a column is marked ★, and so is what lies within 2% of it; direct is not compared.';

function introduction(result: SuiteResult): string {
  const { machine } = result;
  const facts: readonly (readonly [string, string])[] = [
    ['What', `bve ${result.version}, commit ${result.commit.slice(0, 12)}${result.modified ? ', modified' : ''}`],
    ['When', `${result.startedAt.slice(0, 16).replace('T', ' ')} UTC`],
    [
      'Machine',
      `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.kernel}, Bun ${machine.bun}`,
    ],
    [
      'Run',
      `${result.rounds} ${result.rounds === 1 ? 'round' : 'rounds'}, ${result.seconds} s per target and scenario in each; ${Math.round(result.busyBefore * 100)}% busy with other work before`,
    ],
  ];
  const list = facts.map(([name, text]) => `<dt>${name}</dt><dd>${escapeText(text)}</dd>`).join('');
  const where = result.pinned
    ? 'A target runs alone, in a new process, on one core; autocannon and the mock upstream share another'
    : 'Target, autocannon and the mock upstream share the cores of the machine, unpinned';
  const method = `${where}, and every round measures all targets one after another. Figures are medians over rounds; differences are paired with the direct run of the same round. Before a target is timed its answers must equal upstream’s byte for byte, and while it is timed every event of every stream is checked for order, completeness and content.`;
  return `<dl class="facts">${list}</dl><p>${escapeText(method)}</p>`;
}

function ttfbFigure(result: SuiteResult): string {
  const scenario = pick(result, 'short-chat');
  return figure(
    ttfbPlot(result, scenario),
    `${scenario.name}: ${scenario.about}. From the request to the first byte of the answer’s body, all rounds together. Further left is better.`,
  );
}

function ttfbPlot(result: SuiteResult, scenario: ScenarioResult): string {
  const series = timed(scenario).map(({ target, ttfbShape }) => ({
    name: target,
    values: ttfbShape,
    colour: colourOf(result, target),
  }));
  return cdfPlot(series, { title: `Time to first byte, ${scenario.name}`, unit: 'ms', logX: true });
}

function cpuFigure(result: SuiteResult): string {
  const scenario = pick(result, 'slow-trickle');
  const bars = timed(scenario).flatMap(({ target, figures, rounds }) => {
    const value = figures?.cpuUsPerEvent ?? null;
    if (value === null) return [];
    const each = rounds.map(({ cpuUsPerEvent }) => cpuUsPerEvent ?? value);
    const colour = colourOf(result, target);
    const interval = each.length > 1 ? { low: Math.min(...each), high: Math.max(...each) } : {};
    return [{ name: target, value, colour, ...interval }];
  });
  return figure(
    barPlot(
      bars.toSorted((a, b) => a.value - b.value),
      { title: `Processor time per event, ${scenario.name}`, unit: 'µs' },
    ),
    `${scenario.about}. Median of the rounds; the whisker spans them all. Shorter is better.`,
  );
}

function memoryFigure(result: SuiteResult): string {
  const series = result.memory.map(({ target, points }) => ({
    name: target,
    points: points.map(({ streams, bytes }) => [streams, bytes / 1e6] as const),
    colour: colourOf(result, target),
  }));
  if (series.length === 0) return '';
  return figure(
    linePlot(series, { title: 'Memory over open streams', unit: 'MB', xTitle: 'open streams' }),
    'Resident memory of the target and its children while so many streams are open. The slope is what a stream costs.',
  );
}

function timelineFigure(result: SuiteResult): string {
  const chosen = ['bve-binary', 'bve-source', 'direct']
    .map((name) => result.timelines.find(({ target }) => target === name))
    .find((timeline) => timeline !== undefined);
  if (!chosen) return '';
  const others = result.timelines.filter((timeline) => timeline !== chosen);
  const more = others.map((timeline) => ladder(result, timeline)).join('');
  const rest = more === '' ? '' : `<details><summary>The same through the others</summary>${more}</details>`;
  return figure(
    ladder(result, chosen) + rest,
    'Each mark is an event: above when upstream created it, below when the client received it. A vertical line means no delay.',
  );
}

function ladder(result: SuiteResult, { target, sentMs, seenMs }: SuiteResult['timelines'][number]): string {
  const rows = [
    { name: 'upstream sent', times: sentMs, colour: GREY },
    { name: 'client saw', times: seenMs, colour: colourOf(result, target) },
  ];
  const options = { title: `One stream through ${target}`, unit: 'ms since the first event was made', connect: true };
  return timelinePlot(rows, options);
}

const GREY = 7;

function scenarioSection(result: SuiteResult, scenario: ScenarioResult): Section {
  const streams = scenario.targets.reduce((sum, { answers }) => sum + answers, 0);
  const events = scenario.targets.reduce((sum, { events: own }) => sum + own, 0);
  const counted = `${numberText(streams)} answers, ${numberText(events)} timed events.`;
  const plot = `<details><summary>Time to first byte as a plot</summary>${figure(ttfbPlot(result, scenario), '')}</details>`;
  return {
    heading: scenario.name,
    html: `<p>${escapeText(scenario.about)}. ${escapeText(counted)}</p>${tableHtml(scenarioTable(scenario))}${plot}`,
  };
}

function targetsHtml(result: SuiteResult): string {
  const rows = result.targets.map(({ name, about, version, skipped }) => [
    name,
    version || '–',
    skipped === null ? about : `skipped: ${skipped}`,
  ]);
  return `${table(['target', 'version', 'set-up'], rows)}${note(`Load: autocannon ${result.autocannon}.`)}`;
}

/** The hash of each verified body, per answer: one row when all targets agree. */
function bodiesHtml(result: SuiteResult): string {
  const seen = new Map<string, Map<string, string[]>>();
  for (const { target, hashes } of result.scenarios.flatMap(({ targets }) => targets)) {
    for (const [model, hash] of Object.entries(hashes)) {
      const byHash = seen.get(model) ?? new Map<string, string[]>();
      seen.set(model, byHash);
      const names = byHash.get(hash) ?? [];
      byHash.set(hash, names.includes(target) ? names : [...names, target]);
    }
  }
  const rows = [...seen].flatMap(([model, byHash]) =>
    [...byHash].map(([hash, names]) => [model, hash.slice(0, 16) || '–', names.join(', ')]),
  );
  return `${table(['answer', 'SHA-256', 'as received through'], rows)}${note('Hashes of whole bodies, without the digits of the times that the mock writes into events.')}`;
}

function tableHtml(own: Table): string {
  return table(own.head, own.rows) + own.notes.map(note).join('');
}

function note(text: string): string {
  return `<p class="note">${escapeText(text)}</p>`;
}

function figure(html: string, caption: string): string {
  const text = caption === '' ? '' : `<figcaption>${escapeText(caption)}</figcaption>`;
  return `<figure>${html}${text}</figure>`;
}

/** A target has the same colour in every plot. */
function colourOf(result: SuiteResult, target: string): number {
  const position = COLOUR_ORDER.indexOf(target);
  return position >= 0 ? position : COLOUR_ORDER.length + result.targets.findIndex(({ name }) => name === target);
}

const COLOUR_ORDER: readonly string[] = ['bve-binary', 'nginx', 'bve-source', 'portkey', 'url', 'caddy', '', 'direct'];

function timed(scenario: ScenarioResult): TargetFigures[] {
  return scenario.targets.filter(({ figures }) => figures !== null);
}

/** The named scenario, or the first that was measured. */
function pick(result: SuiteResult, name: string): ScenarioResult {
  return result.scenarios.find((scenario) => scenario.name === name) ?? result.scenarios[0]!;
}
