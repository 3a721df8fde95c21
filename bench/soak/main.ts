/**
 * `bun run soak`: the gateway under mixed load and every fault there is, for minutes; then the books are balanced. Exit code 1
 * and a list when they do not.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../src/cli/command.ts';
import { chosen, numberFlag, parseFlags, runMain, textFlag } from '../suite/flags.ts';
import { progressLine } from '../suite/progress.ts';
import { SET_UPS, type SetUp } from './set-ups.ts';
import { runSoak } from './soak.ts';
import { type Judged, soakPage } from './soak-page.ts';
import { verdictOf } from './verdict.ts';

const FLAGS = {
  minutes: { type: 'string' },
  seed: { type: 'string' },
  rate: { type: 'string' },
  setup: { type: 'string' },
  report: { type: 'string' },
  help: { type: 'boolean' },
} as const;

const HELP = `bun run soak [--minutes N] [--seed N] [--rate N] [--setup ${SET_UPS.map(({ name }) => name).join(',')}] [--report FILE.html]

Loads the gateway (BVE_BIN, or the source) with streams, small answers, uploads and downloads, and with every fault of the mock
upstream; clients read slowly and leave, keys are changed, targets are killed, the gateway is reloaded, stopped and killed. In
the end each request is held against its usage record. Exit code 1 and a list when something does not balance.

  --minutes  how long each set-up is loaded (default 10; below 5 the growth of memory is told, but not judged)
  --seed     decides what is sent and what happens (default 1)
  --rate     requests a second (default 50)
  --setup    which set-ups, separated by commas (default: all that this machine can run)
  --report   writes one HTML page with plots
`;
const PROBLEMS_SHOWN = 40;

await runMain('soak', async () => {
  const flags = parseFlags(process.argv.slice(2), FLAGS);
  if (flags.values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const durationS = numberFlag(flags, 'minutes', 10, 0.2, 600) * 60;
  const seed = numberFlag(flags, 'seed', 1, 0, 999_999);
  const ratePerS = numberFlag(flags, 'rate', 50, 1, 1_000);
  const report = textFlag(flags, 'report');
  const setUps = chosen(textFlag(flags, 'setup'), SET_UPS, 'set-up').filter((setUp) => canRun(setUp));
  if (setUps.length === 0) throw new UsageError('no set-up can run on this machine');
  const all: Judged[] = [];
  for (const setUp of setUps) all.push(await soak(setUp, { seed, durationS, ratePerS }));
  if (report !== undefined) writeFileSync(report, soakPage(all));
  const checks = all.flatMap(({ verdict }) => verdict.checks.filter(({ isJudged }) => isJudged !== false));
  const failed = checks.filter(({ problems }) => problems.length > 0).length;
  process.stdout.write(`${checks.length - failed} passed, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
});

async function soak(
  setUp: SetUp,
  options: { readonly seed: number; readonly durationS: number; readonly ratePerS: number },
): Promise<Judged> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-soak-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  const progress = progressLine();
  try {
    const run = await runSoak({ ...options, setUp, folder, progress: progress.tell });
    progress.done();
    const verdict = verdictOf(run);
    for (const { name, figure, problems, isJudged } of verdict.checks) {
      const text = figure === '' ? name : `${name} (${figure})`;
      process.stdout.write(
        `${isJudged === false ? 'too short a run' : problems.length === 0 ? 'ok' : 'FAILED'} ${setUp.name}: ${text}\n`,
      );
      for (const problem of problems.slice(0, PROBLEMS_SHOWN)) process.stdout.write(`  ${problem}\n`);
      if (problems.length > PROBLEMS_SHOWN) process.stdout.write(`  … and ${problems.length - PROBLEMS_SHOWN} more\n`);
    }
    return { run, verdict };
  } finally {
    progress.done();
    remove();
  }
}

function canRun(setUp: SetUp): boolean {
  const missing = setUp.missing();
  if (missing !== null) process.stdout.write(`skipped ${setUp.name}: ${missing}\n`);
  return missing === null;
}
