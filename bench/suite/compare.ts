/**
 * `bun run bench:compare REV`: the working tree against a git revision, both from source, in alternating rounds. The result
 * is the ratio of paired rounds with a bootstrap interval, for the message of a performance commit.
 *
 * The revision is checked out into a temporary worktree with its own install.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../src/cli/command.ts';
import { numberText } from '../../src/load/axes.ts';
import { bootstrapInterval, type Interval, median, type Pair } from '../../src/load/statistics.ts';
import { bveOf } from '../targets/bve.ts';
import { run } from './child.ts';
import { chosenScenarios, numberFlag, parseFlags, runMain, textFlag } from './flags.ts';
import { ROOT } from './folders.ts';
import type { Measurement } from './load.ts';
import { describeMachine } from './machine.ts';
import { progressLine } from './progress.ts';
import { type FigureName, figuresOf, type Rounds } from './results.ts';
import { measure, type Outcome } from './rounds.ts';
import { faultCount } from './stream-checker.ts';

const HELP = `bun run bench:compare REV [flags]: the working tree against a revision of git

  --scenario A,B   (default short-chat,slow-trickle,burst)
  --rounds N       pairs of runs (default 10)
  --seconds N      measured per run (default 1)
  --json           print JSON
`;

const FLAGS = {
  scenario: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

interface Comparison {
  readonly scenario: string;
  readonly figure: string;
  readonly before: number;
  readonly after: number;
  /** Of after / before. */
  readonly interval: Interval;
  /** `better` and `worse` only when the interval excludes 1. */
  readonly verdict: 'better' | 'worse' | 'no difference shown';
}

interface Compared {
  readonly name: FigureName;
  readonly text: string;
  readonly good: 'low' | 'high';
}

const FIGURES: readonly Compared[] = [
  { name: 'cpuUsPerEvent', text: 'CPU per event, µs', good: 'low' },
  { name: 'ttfbP50Ms', text: 'TTFB p50, ms', good: 'low' },
  { name: 'ttfbP99Ms', text: 'TTFB p99, ms', good: 'low' },
  { name: 'streamsPerS', text: 'streams/s', good: 'high' },
];

async function main(): Promise<number> {
  const flags = parseFlags(process.argv.slice(2), FLAGS, 1);
  if (flags.values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const [revision] = flags.positionals;
  if (revision === undefined) throw new UsageError('REV is missing: bun run bench:compare REV');
  const scenarios = chosenScenarios(textFlag(flags, 'scenario') ?? 'short-chat,slow-trickle,burst');
  const rounds = Math.round(numberFlag(flags, 'rounds', 10, 1, 1000));
  const seconds = numberFlag(flags, 'seconds', 1, 0.05, 600);
  const commit = await commitOf(revision);
  const progress = progressLine();
  const outcome = await withWorktree(commit, (worktree) =>
    measure(
      {
        targets: [bveOf(worktree, 'before'), bveOf(ROOT, 'after')],
        scenarios,
        rounds,
        seconds,
        warmUpS: Math.min(1, seconds * 0.4),
        openStreams: [],
        upstreamPort: 0,
      },
      progress.tell,
    ),
  ).finally(progress.done);
  const comparisons = compare(outcome);
  const { cpu, cores } = describeMachine();
  const title = `before: ${commit.slice(0, 12)}, after: working tree; ${rounds} pairs of ${seconds} s, 95% intervals; ${cpu}, ${cores} cores`;
  process.stdout.write(
    flags.values.json ? `${JSON.stringify(comparisons, null, 1)}\n` : `${title}\n${textOf(comparisons)}`,
  );
  return 0;
}

/** @throws when an answer was wrong: its figures mean nothing */
function compare(outcome: Pick<Outcome, 'scenarios'>): Comparison[] {
  return outcome.scenarios.flatMap(({ scenario, rounds }) => {
    const [before, after] = rounds.map((own) => checked(own, scenario.name)) as [Measurement[], Measurement[]];
    return FIGURES.flatMap((figure) => {
      const pairs = pairsOf(before, after, figure.name);
      return pairs.length === 0 ? [] : [comparison(scenario.name, figure, pairs)];
    });
  });
}

function comparison(scenario: string, { text, good }: Compared, pairs: readonly Pair[]): Comparison {
  const interval = bootstrapInterval(pairs);
  const less = interval.high < 1;
  const more = interval.low > 1;
  return {
    scenario,
    figure: text,
    before: median(pairs.map(([before]) => before)),
    after: median(pairs.map(([, after]) => after)),
    interval,
    verdict: !less && !more ? 'no difference shown' : less === (good === 'low') ? 'better' : 'worse',
  };
}

function pairsOf(before: readonly Measurement[], after: readonly Measurement[], name: FigureName): Pair[] {
  return before.flatMap((measurement, i) => {
    const pair = [figuresOf(measurement)[name], after[i] ? figuresOf(after[i])[name] : null] as const;
    return pair[0] === null || pair[1] === null ? [] : [[pair[0], pair[1]] as const];
  });
}

function checked({ target, notTimed, measurements }: Rounds, scenario: string): readonly Measurement[] {
  if (notTimed !== null) throw new Error(`${target}, ${scenario}: ${notTimed}`);
  const wrong = measurements.find(({ faults }) => faultCount(faults) > 0);
  if (wrong) throw new Error(`${target}, ${scenario}: wrong answers: ${JSON.stringify(wrong.faults)}`);
  return measurements;
}

function textOf(comparisons: readonly Comparison[]): string {
  const rows = [
    ['scenario', 'figure', 'before', 'after', 'ratio', '95%', ''],
    ...comparisons.map(({ scenario, figure, before, after, interval: { ratio, low, high }, verdict }) => [
      scenario,
      figure,
      numberText(before),
      numberText(after),
      ratio.toFixed(3),
      `${low.toFixed(3)}–${high.toFixed(3)}`,
      verdict,
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => {
      const cells = row.map((text, i) => (i < 2 || i === 6 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)));
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

async function commitOf(revision: string): Promise<string> {
  const found = await run(['git', 'rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`], {
    cwd: ROOT,
  });
  if (found.exitCode !== 0) throw new UsageError(`'${revision}' is not a revision of this repository`);
  return found.stdout.trim();
}

async function withWorktree<T>(commit: string, use: (worktree: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-compare-'));
  const worktree = join(folder, 'before');
  const remove = () => {
    Bun.spawnSync(['git', 'worktree', 'remove', '--force', worktree], { cwd: ROOT, stderr: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
  };
  // Also when the run is interrupted.
  process.once('exit', remove);
  try {
    await must(['git', 'worktree', 'add', '--detach', '--quiet', worktree, commit], ROOT);
    await must([process.execPath, 'install', '--frozen-lockfile', '--silent'], worktree);
    return await use(worktree);
  } finally {
    process.off('exit', remove);
    remove();
  }
}

async function must(command: readonly string[], cwd: string): Promise<void> {
  const { exitCode, stderr } = await run(command, { cwd });
  if (exitCode !== 0) throw new Error(`${command.slice(0, 3).join(' ')} failed: ${stderr.trim().slice(-300)}`);
}

if (import.meta.main) await runMain('bench:compare', main);
