/**
 * `bun run bench:micro`: nanoseconds per operation, as the median of many batches. `--tiny` only checks that everything still
 * runs, for the tests; its figures mean nothing.
 */

import { distribution } from '../../src/load/statistics.ts';
import { parseFlags, runMain, textFlag } from '../suite/flags.ts';
import { type MicroCase, microCases } from './cases.ts';

interface Timing {
  readonly name: string;
  readonly per: string;
  readonly nsP50: number;
  readonly nsMin: number;
  readonly nsP90: number;
}

interface Effort {
  readonly batches: number;
  /** A batch is as many operations as take about this long. */
  readonly batchMs: number;
  readonly operationsMax: number;
}

const FULL: Effort = { batches: 41, batchMs: 10, operationsMax: 10_000_000 };
const TINY: Effort = { batches: 3, batchMs: 0.05, operationsMax: 64 };
const FLAGS = {
  tiny: { type: 'boolean' },
  only: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;
const HELP = 'bun run bench:micro [--tiny] [--only TEXT] [--json]: nanoseconds per operation of the data plane\n';

async function main(): Promise<number> {
  const flags = parseFlags(process.argv.slice(2), FLAGS);
  if (flags.values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const only = textFlag(flags, 'only') ?? '';
  const cases = (await microCases()).filter(({ name }) => name.includes(only));
  const timings = cases.map((each) => time(each, flags.values.tiny ? TINY : FULL));
  process.stdout.write(flags.values.json ? `${JSON.stringify(timings, null, 1)}\n` : textOf(timings));
  return 0;
}

function time({ name, per, run }: MicroCase, effort: Effort): Timing {
  let operations = 1;
  while (operations < effort.operationsMax && batchMs(run, operations) < effort.batchMs) operations *= 2;
  const ns = Array.from({ length: effort.batches }, () => (batchMs(run, operations) * 1e6) / operations);
  const { p50, min, p90 } = distribution(ns);
  return { name, per, nsP50: p50, nsMin: min, nsP90: p90 };
}

/** Takes all results, so that no compiler can optimise the work away. */
const sink = new Int32Array(1);

function batchMs(run: () => number, operations: number): number {
  const startedNs = Bun.nanoseconds();
  for (let i = 0; i < operations; i++) sink[0]! ^= run();
  return (Bun.nanoseconds() - startedNs) / 1e6;
}

function textOf(timings: readonly Timing[]): string {
  const width = Math.max(0, ...timings.map(({ name }) => name.length));
  const lines = timings.map(
    ({ name, per, nsP50, nsMin, nsP90 }) =>
      `${name.padEnd(width)}  ${ns(nsP50)} ns per ${per}  (min ${ns(nsMin).trim()}, p90 ${ns(nsP90).trim()})\n`,
  );
  return lines.join('');
}

function ns(value: number): string {
  return (value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US')).padStart(9);
}

if (import.meta.main) await runMain('bench:micro', main);
