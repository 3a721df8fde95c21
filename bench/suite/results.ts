/**
 * The result of a run of the suite: plain data, as in bench/results. Figures are medians over rounds; a difference to `direct`
 * is the median of the differences in each round.
 */
import { evenQuantiles, median, pairedDifference } from '../../src/load/statistics.ts';
import type { Measurement } from './load.ts';
import type { MemoryPoint, Timeline } from './load-process.ts';
import type { Machine } from './machine.ts';
import { addFaults, type Faults, faultCount, noFaults } from './stream-checker.ts';

/** Null where it could not be measured, or events have no times. */
interface Figures {
  readonly ttfbP50Ms: number | null;
  readonly ttfbP90Ms: number | null;
  readonly ttfbP99Ms: number | null;
  readonly ttfbP999Ms: number | null;
  readonly ttfbMaxMs: number | null;
  readonly gapP50Ms: number | null;
  readonly gapP99Ms: number | null;
  readonly jitterMs: number | null;
  /** Age of an event when the client receives it. */
  readonly delayP50Ms: number | null;
  readonly delayP99Ms: number | null;
  readonly streamsPerS: number | null;
  readonly eventsPerS: number | null;
  readonly cpuUsPerEvent: number | null;
  readonly cpuUsPerStream: number | null;
  /** Of one core. */
  readonly cpuShare: number | null;
  readonly memoryPeakMb: number | null;
}

export type FigureName = keyof Figures;

export interface TargetFigures {
  readonly target: string;
  /** Null when it was not timed. */
  readonly figures: Figures | null;
  /** Why it was not timed: how its answer differed from upstream's. */
  readonly notTimed: string | null;
  /** Against direct, paired by round; null without it. */
  readonly addedTtfbP50Ms: number | null;
  readonly addedTtfbP99Ms: number | null;
  readonly addedDelayP50Ms: number | null;
  /** SHA-256 of each verified body without the digits of its times, by model. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly answers: number;
  readonly events: number;
  /** Streams whose time to first byte was counted. */
  readonly timedStreams: number;
  readonly faults: Faults;
  readonly rounds: readonly Figures[];
  /** Quantiles of the time to first byte over all rounds, milliseconds. */
  readonly ttfbShape: readonly number[];
}

export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly connections: number;
  readonly targets: readonly TargetFigures[];
}

export interface TargetInfo {
  readonly name: string;
  readonly about: string;
  readonly version: string;
  /** Why it was skipped. */
  readonly skipped: string | null;
}

export interface SuiteResult {
  readonly version: string;
  readonly commit: string;
  /** The working tree had changes. */
  readonly modified: boolean;
  readonly startedAt: string;
  /** Share of processor time that the machine spent on other work just before. */
  readonly busyBefore: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly pinned: boolean;
  readonly autocannon: string;
  readonly machine: Machine;
  readonly targets: readonly TargetInfo[];
  readonly scenarios: readonly ScenarioResult[];
  readonly memory: readonly { readonly target: string; readonly points: readonly MemoryPoint[] }[];
  readonly timelines: readonly ({ readonly target: string } & Timeline)[];
}

/** All rounds of one target in one scenario. */
export interface Rounds {
  readonly target: string;
  readonly measurements: readonly Measurement[];
  readonly notTimed: string | null;
  readonly hashes: Readonly<Record<string, string>>;
}

const SHAPE_POINTS = 200;

/** @param direct the rounds of the direct target in the same scenario */
export function targetFigures(own: Rounds, direct: Rounds | undefined): TargetFigures {
  const rounds = own.measurements.map(figuresOf);
  const reference = own.target === 'direct' ? [] : (direct?.measurements.map(figuresOf) ?? []);
  const faults = noFaults();
  for (const measurement of own.measurements) addFaults(faults, measurement.faults);
  const shape = own.measurements.flatMap(({ ttfbShape }) => [...ttfbShape]).sort((a, b) => a - b);
  return {
    target: own.target,
    figures: rounds.length === 0 ? null : medians(rounds),
    notTimed: own.notTimed,
    addedTtfbP50Ms: added(reference, rounds, 'ttfbP50Ms'),
    addedTtfbP99Ms: added(reference, rounds, 'ttfbP99Ms'),
    addedDelayP50Ms: added(reference, rounds, 'delayP50Ms'),
    hashes: own.hashes,
    answers: sum(own.measurements.map(({ answers }) => answers)),
    events: sum(own.measurements.map(({ events }) => events)),
    timedStreams: sum(own.measurements.map(({ ttfbMs }) => ttfbMs.count)),
    faults,
    rounds: rounds.map(rounded),
    ttfbShape: evenQuantiles(shape, SHAPE_POINTS).map(threeDecimals),
  };
}

export function figuresOf(m: Measurement): Figures {
  const { ttfbMs, gapMs, delayMs } = m;
  const timed = (value: number, of: { readonly count: number }) => (of.count === 0 ? null : value);
  return {
    ttfbP50Ms: timed(ttfbMs.p50, ttfbMs),
    ttfbP90Ms: timed(ttfbMs.p90, ttfbMs),
    ttfbP99Ms: timed(ttfbMs.p99, ttfbMs),
    ttfbP999Ms: timed(ttfbMs.p999, ttfbMs),
    ttfbMaxMs: timed(ttfbMs.max, ttfbMs),
    gapP50Ms: timed(gapMs.p50, gapMs),
    gapP99Ms: timed(gapMs.p99, gapMs),
    jitterMs: m.jitterMs,
    delayP50Ms: timed(delayMs.p50, delayMs),
    delayP99Ms: timed(delayMs.p99, delayMs),
    streamsPerS: m.streamsPerS,
    eventsPerS: m.eventsPerS,
    cpuUsPerEvent: m.cpuUsPerEvent,
    cpuUsPerStream: m.cpuUsPerStream,
    cpuShare: m.cpuShare,
    memoryPeakMb: m.memoryPeakBytes === null ? null : m.memoryPeakBytes / 1e6,
  };
}

/** Whether an answer was wrong; then the figures mean nothing. */
export function hasFaults(result: SuiteResult): boolean {
  return result.scenarios.some(({ targets }) => targets.some(({ faults }) => faultCount(faults) > 0));
}

function medians(rounds: readonly Figures[]): Figures {
  const names = Object.keys(rounds[0]!) as FigureName[];
  const entries = names.map((name) => {
    const values = rounds.map((round) => round[name]).filter((value) => value !== null);
    // A maximum is that of all rounds.
    const value = name === 'ttfbMaxMs' ? Math.max(...values) : median(values);
    return [name, values.length === 0 ? null : threeDecimals(value)];
  });
  return Object.fromEntries(entries) as unknown as Figures;
}

function added(reference: readonly Figures[], own: readonly Figures[], name: FigureName): number | null {
  const pairs = own.flatMap((round, i) => {
    const [before, after] = [reference[i]?.[name] ?? null, round[name]];
    return before === null || after === null ? [] : [[before, after] as const];
  });
  return pairs.length === 0 ? null : threeDecimals(pairedDifference(pairs));
}

function rounded(figures: Figures): Figures {
  const entries = Object.entries(figures).map(([name, value]) => [name, value === null ? null : threeDecimals(value)]);
  return Object.fromEntries(entries) as unknown as Figures;
}

function threeDecimals(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
