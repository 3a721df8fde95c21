/**
 * Writes the table of the newest results into README.md, between two markers.
 *
 *     bun run bench:readme
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RESULTS, ROOT } from '../suite/folders.ts';
import type { SuiteResult } from '../suite/results.ts';
import { headlineTable, markdownTable } from './suite-table.ts';

const START = '<!-- bench:start -->';
const END = '<!-- bench:end -->';

/** @throws when the text has no markers */
export function withTable(readme: string, result: SuiteResult): string {
  const start = readme.indexOf(START);
  const end = readme.indexOf(END);
  if (start < 0 || end < start) throw new Error(`README.md has no lines ${START} and ${END}`);
  return `${readme.slice(0, start + START.length)}\n${tableText(result)}${readme.slice(end)}`;
}

/** @throws when there are no results or no markers */
export function writeReadme(): void {
  const path = join(ROOT, 'README.md');
  writeFileSync(path, withTable(readFileSync(path, 'utf8'), newestResult()));
}

function tableText(result: SuiteResult): string {
  const { machine, version, commit, rounds, seconds, startedAt } = result;
  const modified = result.modified ? ', modified' : '';
  const what = `bve ${version} (${commit.slice(0, 12)}${modified}), ${startedAt.slice(0, 10)}: ${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Bun ${machine.bun}.`;
  const how = `Medians of ${rounds} interleaved rounds of ${seconds} s; every event of every stream was checked.`;
  const link = `[All scenarios, plots and machine](bench/results/${version}/index.html) · \`bun run bench\` measures yours.`;
  return `${markdownTable(headlineTable(result))}\n${what} ${how}\n${link}\n`;
}

function newestResult(): SuiteResult {
  const versions = existsSync(RESULTS) ? readdirSync(RESULTS).sort((a, b) => Bun.semver.order(a, b)) : [];
  const newest = versions.findLast((version) => existsSync(join(RESULTS, version, 'results.json')));
  if (newest === undefined) throw new Error('no results yet: bun run bench --save');
  return JSON.parse(readFileSync(join(RESULTS, newest, 'results.json'), 'utf8')) as SuiteResult;
}

if (import.meta.main) {
  try {
    writeReadme();
  } catch (error) {
    process.stderr.write(`bench:readme: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
