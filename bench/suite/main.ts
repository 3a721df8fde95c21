/**
 * `bun run bench`: the suite. Measures, prints tables, and on request writes JSON and an HTML page.
 *
 * Exit codes: 0 done; 1 something failed, or an answer was wrong while it was timed; 2 wrong usage.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import autocannonManifest from 'autocannon/package.json';
import { UsageError } from '../../src/cli/command.ts';
import { commit, VERSION } from '../../src/version.ts';
import { writeReadme } from '../report/readme-table.ts';
import { suitePage } from '../report/suite-page.ts';
import { headlineTable, scenarioTable, terminalTable } from '../report/suite-table.ts';
import { allTargets } from '../targets/list.ts';
import type { BenchTarget } from '../targets/target.ts';
import { urlTarget } from '../targets/url.ts';
import { chosen, chosenScenarios, type Flags, numberFlag, parseFlags, runMain, textFlag } from './flags.ts';
import { RESULTS, ROOT } from './folders.ts';
import { busyShare, describeMachine } from './machine.ts';
import { progressLine } from './progress.ts';
import { hasFaults, type SuiteResult, type TargetInfo, targetFigures } from './results.ts';
import { measure, type Plan } from './rounds.ts';

const HELP = `bun run bench [flags]: what streaming through this gateway costs, compared with others

  --scenario A,B      only these (default: all)
  --targets A,B       only these; portkey is fetched into a cache when named (default: all that are installed)
  --url URL           one more target: a gateway at URL (ending in /v1) whose upstream is the mock
  --url-key KEY       sent to it as a bearer token
  --upstream-port N   port of the mock, for --url (default: a free one)
  --rounds N          rounds (default 3; with --save 5)
  --seconds N         measured per round, target and scenario (default 0.5; with --save 2)
  --json              print the result as JSON instead of tables
  --out DIR           write results.json and index.html there
  --save              a run to keep: all targets, --out bench/results/VERSION, and the table in README.md
`;

const FLAGS = {
  scenario: { type: 'string' },
  targets: { type: 'string' },
  url: { type: 'string' },
  'url-key': { type: 'string' },
  'upstream-port': { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  json: { type: 'boolean' },
  out: { type: 'string' },
  save: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

const BUSY_SAMPLE_MS = 400;
const BUSY_SHARE_MAX = 0.1;
const OPEN_STREAMS: readonly number[] = [0, 50, 100, 200, 400];
const OPEN_STREAMS_SAVED: readonly number[] = [0, 100, 250, 500, 1000];

async function main(): Promise<number> {
  const flags = parseFlags(process.argv.slice(2), FLAGS);
  if (flags.values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const saves = flags.values.save === true;
  const scenarios = chosenScenarios(textFlag(flags, 'scenario'));
  const wanted = wantedTargets(flags, saves);
  const settings = {
    rounds: Math.round(numberFlag(flags, 'rounds', saves ? 5 : 3, 1, 100)),
    seconds: numberFlag(flags, 'seconds', saves ? 2 : 0.5, 0.05, 600),
    upstreamPort: numberFlag(flags, 'upstream-port', 0, 0, 65_535),
  };
  const targets = await prepare(wanted);
  const busyBefore = await busyShare(BUSY_SAMPLE_MS);
  if (busyBefore > BUSY_SHARE_MAX) {
    const percent = Math.round(busyBefore * 100);
    process.stderr.write(`the machine is ${percent}% busy with other work: do not keep these figures\n`);
  }
  const present = wanted.filter(({ name }) => targets.find((info) => info.name === name)?.skipped === null);
  if (present.length === 0) throw new Error('none of the targets can run');
  const plan: Plan = {
    ...settings,
    targets: present,
    scenarios,
    warmUpS: Math.min(1, Math.max(0.1, settings.seconds * 0.4)),
    openStreams: saves ? OPEN_STREAMS_SAVED : OPEN_STREAMS,
  };
  const result = await runPlan(plan, targets, busyBefore);
  report(result, flags, saves);
  return hasFaults(result) ? 1 : 0;
}

async function runPlan(plan: Plan, targets: readonly TargetInfo[], busyBefore: number): Promise<SuiteResult> {
  const startedAt = new Date().toISOString();
  const progress = progressLine();
  const outcome = await measure(plan, progress.tell).finally(progress.done);
  return {
    version: VERSION,
    commit: commit(),
    modified: isModified(),
    startedAt,
    busyBefore: Math.round(busyBefore * 100) / 100,
    rounds: plan.rounds,
    seconds: plan.seconds,
    pinned: outcome.cores.target !== null,
    autocannon: autocannonManifest.version,
    machine: describeMachine(),
    targets,
    scenarios: outcome.scenarios.map(({ scenario: { name, about, connections }, rounds }) => ({
      name,
      about,
      connections,
      targets: rounds.map((own) =>
        targetFigures(
          own,
          rounds.find(({ target }) => target === 'direct'),
        ),
      ),
    })),
    memory: outcome.memory,
    timelines: outcome.timelines,
  };
}

function wantedTargets(flags: Flags, saves: boolean): readonly BenchTarget[] {
  const list = textFlag(flags, 'targets');
  const url = textFlag(flags, 'url');
  const targets = chosen(list, allTargets(saves || list !== undefined), 'target');
  if (url === undefined) return targets;
  if (!/^http:\/\/[^/]+\/./.test(url) || !URL.canParse(url)) {
    throw new UsageError(`--url takes an address like http://127.0.0.1:8080/v1, not '${url}'`);
  }
  return [...targets, urlTarget(url, textFlag(flags, 'url-key'))];
}

/** Builds and fetches what is needed; a target that cannot run is listed with the reason. */
async function prepare(targets: readonly BenchTarget[]): Promise<TargetInfo[]> {
  const infos: TargetInfo[] = [];
  for (const target of targets) {
    const { name, about } = target;
    const skipped = await target.prepare();
    if (skipped !== null) process.stderr.write(`${name} is skipped: ${skipped}\n`);
    infos.push({ name, about, skipped, version: skipped === null ? await target.version() : '' });
  }
  return infos;
}

function report(result: SuiteResult, flags: Flags, saves: boolean): void {
  if (flags.values.json) process.stdout.write(`${JSON.stringify(result, null, 1)}\n`);
  else process.stdout.write(tables(result));
  const out = textFlag(flags, 'out');
  const folders = [...(out === undefined ? [] : [resolve(out)]), ...(saves ? [join(RESULTS, result.version)] : [])];
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'results.json'), `${JSON.stringify(result, null, 1)}\n`);
    writeFileSync(join(folder, 'index.html'), suitePage(result));
    process.stderr.write(`written: ${join(folder, 'index.html')}\n`);
  }
  if (saves) writeReadme();
}

function tables(result: SuiteResult): string {
  const parts = result.scenarios.map(
    (scenario) => `${scenario.name}: ${scenario.about}\n${terminalTable(scenarioTable(scenario))}`,
  );
  const { machine } = result;
  const where = `${machine.cpu}, ${machine.cores} cores${result.pinned ? ', target alone on one of them' : ', unpinned'}; medians of ${result.rounds} rounds of ${result.seconds} s; * best`;
  return `${parts.join('\n')}\nSummary\n${terminalTable(headlineTable(result))}${where}\n`;
}

function isModified(): boolean {
  const status = Bun.spawnSync(['git', 'status', '--porcelain', '--untracked-files=no'], {
    cwd: ROOT,
    stderr: 'ignore',
  });
  return status.stdout.toString().trim() !== '';
}

if (import.meta.main) await runMain('bench', main);
