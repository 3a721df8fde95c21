/** The suite's figures as tables: columns, number formats, and the best value of each column. */

import { numberText } from '../../src/load/axes.ts';
import type { FigureName, ScenarioResult, SuiteResult, TargetFigures } from '../suite/results.ts';
import { faultCount } from '../suite/stream-checker.ts';

interface Cell {
  readonly text: string;
  readonly best: boolean;
  readonly bad: boolean;
}

export interface Table {
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  /** Lines below: what was not timed and why. */
  readonly notes: readonly string[];
}

interface Column {
  readonly head: string;
  readonly value: (of: TargetFigures) => number | null;
  /** Whether low or high is good; a column without it has no best value. */
  readonly good?: 'low' | 'high';
  readonly text?: (value: number) => string;
}

/** Values within this factor are equally good. */
const SAME = 1.02;

const COLUMNS: readonly Column[] = [
  figure('TTFB p50 ms', 'ttfbP50Ms', 'low'),
  figure('p90', 'ttfbP90Ms', 'low'),
  figure('p99', 'ttfbP99Ms', 'low'),
  figure('p99.9', 'ttfbP999Ms', 'low'),
  figure('max', 'ttfbMaxMs', 'low'),
  { head: '+p50', value: ({ addedTtfbP50Ms }) => addedTtfbP50Ms, text: signed },
  figure('gap p50 ms', 'gapP50Ms'),
  figure('gap p99', 'gapP99Ms'),
  figure('jitter', 'jitterMs', 'low'),
  figure('streams/s', 'streamsPerS', 'high'),
  figure('CPU µs/event', 'cpuUsPerEvent', 'low'),
  { head: 'core', value: ({ figures }) => figures?.cpuShare ?? null, text: (share) => `${Math.round(share * 100)}%` },
  figure('peak MB', 'memoryPeakMb', 'low'),
];

export function scenarioTable(scenario: ScenarioResult): Table {
  const rows = scenario.targets.map((target) => [
    plain(target.target),
    ...COLUMNS.map((column) => cellOf(column, target, scenario.targets)),
    faultCell(target),
  ]);
  const notes = scenario.targets.flatMap(({ target, notTimed }) =>
    notTimed === null ? [] : [`${target} was not timed: ${notTimed}`],
  );
  return { head: ['target', ...COLUMNS.map(({ head }) => head), 'faults'], rows, notes };
}

/** The summary: each figure from the scenario that shows it best. */
export function headlineTable(result: SuiteResult): Table {
  const columns: readonly (Column & { readonly scenario: string })[] = [
    { ...figure('TTFB p50, ms', 'ttfbP50Ms', 'low'), scenario: 'short-chat' },
    { ...figure('TTFB p99, ms', 'ttfbP99Ms', 'low'), scenario: 'short-chat' },
    { ...figure('jitter, ms', 'jitterMs', 'low'), scenario: 'slow-trickle' },
    { ...figure('CPU per event, µs', 'cpuUsPerEvent', 'low'), scenario: 'slow-trickle' },
    { ...figure('CPU per stream, µs', 'cpuUsPerStream', 'low'), scenario: 'burst' },
    { ...figure('streams/s', 'streamsPerS', 'high'), scenario: 'burst' },
  ];
  const measured = columns.filter(({ scenario }) => result.scenarios.some(({ name }) => name === scenario));
  const names = result.targets.filter(({ skipped }) => skipped === null).map(({ name }) => name);
  const memory = memoryAtMost(result);
  const rows = names.map((name) => [
    plain(name),
    ...measured.map((column) => {
      const { targets } = result.scenarios.find(({ name: own }) => own === column.scenario)!;
      return cellOf(column, targets.find(({ target }) => target === name)!, targets);
    }),
    ...(memory === null ? [] : [memory.cell(name)]),
  ]);
  const head = measured.map(({ head: text, scenario }) => `${text} (${scenario})`);
  return { head: ['target', ...head, ...(memory === null ? [] : [memory.head])], rows, notes: [] };
}

/** Aligned columns for a terminal. */
export function terminalTable({ head, rows, notes }: Table): string {
  const texts = [head, ...rows.map((row) => row.map(({ text, best }) => (best ? `${text}*` : text)))];
  const widths = head.map((_, column) => Math.max(...texts.map((row) => row[column]!.length)));
  const lines = texts.map((row) =>
    row.map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join('  '),
  );
  return `${[...lines, ...notes.map((note) => `  ${note}`)].join('\n')}\n`;
}

export function markdownTable({ head, rows }: Table): string {
  const lines = [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows.map((row) => row.map(markdownText))];
  return `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
}

function markdownText({ text, best }: Cell): string {
  return best ? `**${text}**` : text;
}

function figure(head: string, name: FigureName, good?: 'low' | 'high'): Column {
  return { head, value: ({ figures }) => figures?.[name] ?? null, ...(good ? { good } : {}) };
}

function cellOf(column: Column, target: TargetFigures, all: readonly TargetFigures[]): Cell {
  const value = column.value(target);
  if (value === null) return plain(target.notTimed === null ? '–' : 'not timed');
  // Direct has nothing between client and upstream: it is not compared.
  const rivals = all.filter(({ target: name }) => name !== 'direct').map(column.value);
  const best = target.target !== 'direct' && isBest(value, rivals, column.good);
  return { text: (column.text ?? numberText)(value), best, bad: false };
}

function isBest(value: number, rivals: readonly (number | null)[], good: 'low' | 'high' | undefined): boolean {
  const values = rivals.filter((rival) => rival !== null);
  if (good === undefined || values.length < 2) return false;
  return good === 'low' ? value <= Math.min(...values) * SAME : value >= Math.max(...values) / SAME;
}

function faultCell(target: TargetFigures): Cell {
  const found = Object.entries(target.faults).filter(([, count]) => count > 0);
  const text = found.map(([kind, count]) => `${count} ${kind}`).join(', ');
  return { text: text || (target.figures === null ? '–' : '0'), best: false, bad: faultCount(target.faults) > 0 };
}

function memoryAtMost(result: SuiteResult): { head: string; cell: (name: string) => Cell } | null {
  const streams = Math.max(0, ...result.memory.flatMap(({ points }) => points.map((point) => point.streams)));
  if (streams === 0) return null;
  const bytesOf = (name: string) => {
    const points = result.memory.find(({ target }) => target === name)?.points ?? [];
    return points.find((point) => point.streams === streams)?.bytes ?? null;
  };
  const values = result.memory.map(({ target }) => bytesOf(target));
  return {
    head: `MB with ${numberText(streams)} open streams`,
    cell: (name) => {
      const bytes = bytesOf(name);
      if (bytes === null) return plain('–');
      return { text: numberText(bytes / 1e6), best: isBest(bytes, values, 'low'), bad: false };
    },
  };
}

function signed(value: number): string {
  return value > 0 ? `+${numberText(value)}` : numberText(value);
}

function plain(text: string): Cell {
  return { text, best: false, bad: false };
}
