/**
 * The whole suite as CI runs it: `bun test` once. A few files that fail are run again, each alone: a test that passes then is
 * flaky, which is a bug of its own; it is named in the end, and does not hide what else was checked. More than a few are not
 * tried again: then something is broken.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TRIED_AGAIN_MAX = 3;
const TEST = [process.execPath, 'test', '--timeout', '30000'];

interface Outcome {
  readonly passed: number;
  /** Names of the tests that failed, by file. */
  readonly failed: ReadonlyMap<string, readonly string[]>;
}

const folder = mkdtempSync(join(tmpdir(), 'bve-ci-'));

/** Runs the tests and prints what they print. `undefined` when the run broke before it could report. */
async function run(args: readonly string[]): Promise<Outcome | undefined> {
  const report = join(folder, 'report.xml');
  rmSync(report, { force: true });
  const command = [...TEST, ...args, '--reporter=junit', `--reporter-outfile=${report}`];
  const exitCode = await Bun.spawn(command, { stdio: ['ignore', 'inherit', 'inherit'] }).exited;
  if (!existsSync(report)) return undefined;
  const outcome = outcomeOf(readFileSync(report, 'utf8'));
  // An error outside of any test is in no report.
  return exitCode !== 0 && outcome.failed.size === 0 ? undefined : outcome;
}

/** Reads the counts of a JUnit report, whose test cases are one element each. */
function outcomeOf(xml: string): Outcome {
  const failed = new Map<string, string[]>();
  let passed = 0;
  for (const [, attributes = '', end, content = ''] of xml.matchAll(
    /<testcase ([^>]*?)(\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    const attribute = (name: string) => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? '';
    if (end !== '/>' && content.includes('<skipped')) continue;
    if (end === '/>' || !content.includes('<failure')) passed++;
    else failed.set(attribute('file'), [...(failed.get(attribute('file')) ?? []), attribute('name')]);
  }
  return { passed, failed };
}

const first = await run(['--parallel=2']);
let failures = first ? [...first.failed.values()].flat().length : 1;
const flaky: string[] = [];
if (first && first.failed.size <= TRIED_AGAIN_MAX) {
  for (const [file, names] of first.failed) {
    console.log(`--- again, alone: ${file}`);
    const second = await run([`./${file}`]);
    if (!second || second.failed.size > 0) continue;
    failures -= names.length;
    flaky.push(...names.map((name) => `${file}: ${name}`));
  }
}
rmSync(folder, { recursive: true });
for (const test of flaky) console.log(`FLAKY (failed once, passed when run alone): ${test}`);
console.log(`${(first?.passed ?? 0) + flaky.length} passed, ${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
