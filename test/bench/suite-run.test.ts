import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { run } from '../../bench/suite/child.ts';
import type { SuiteResult } from '../../bench/suite/results.ts';
import { compareRuntimes, runtimeText } from '../../bench/suite/runtimes.ts';

const ROOT = resolve(import.meta.dir, '../..');
const folder = mkdtempSync(join(tmpdir(), 'bve-suite-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the suite runs: direct and this gateway, one scenario, for a moment', async () => {
  const flags = ['--targets', 'direct,bve-source', '--scenario', 'burst', '--rounds', '1', '--seconds', '0.5'];
  const { exitCode, stdout, stderr } = await bench('suite/main.ts', ...flags, '--json', '--out', folder);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.stringContaining('bve-source') });
  const result = JSON.parse(stdout) as SuiteResult;
  const [direct, source] = result.scenarios[0]!.targets;
  for (const own of [direct!, source!]) {
    expect(own.notTimed).toBeNull();
    expect(Object.values(own.faults)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    expect(own.figures!.ttfbP50Ms).toBeGreaterThan(0);
    expect(own.figures!.streamsPerS).toBeGreaterThan(0);
  }
  expect(source!.hashes).toEqual(direct!.hashes);
  if (process.platform === 'linux') {
    expect(source!.figures!.cpuUsPerEvent).toBeGreaterThan(0);
    expect(source!.figures!.memoryPeakMb).toBeGreaterThan(10);
  }
  const written = readFileSync(join(folder, 'results.json'), 'utf8') + readFileSync(join(folder, 'index.html'), 'utf8');
  for (const secret of [ROOT, homedir(), hostname()]) expect(written.includes(`${secret}/`)).toBeFalse();
  expect(written).not.toContain('sk-bve-');
  expect(written).toContain('Time to first byte');
}, 60_000);

test('every micro bench still runs', async () => {
  const { exitCode, stdout } = await bench('micro/main.ts', '--tiny', '--json');
  expect(exitCode).toBe(0);
  const timings = JSON.parse(stdout) as { name: string; nsP50: number }[];
  for (const piece of ['scanner', 'meter', 'header filter', 'key hash', 'key cache']) {
    expect(timings.some(({ name, nsP50 }) => name.includes(piece) && nsP50 > 0)).toBeTrue();
  }
});

test.skipIf(Bun.which('node') === null)(
  'autocannon counts the same under Bun and under Node',
  async () => {
    const check = await compareRuntimes(60);
    console.log(runtimeText(check).trimEnd());
    expect(check.differences).toEqual([]);
    expect(check.bun.answers).toBe(60);
  },
  60_000,
);

describe('a wrong call ends with one clear line and exit code 2', () => {
  const calls: readonly (readonly [string, ...string[]])[] = [
    ["bench: unknown scenario 'nope'; there are short-chat,", 'suite/main.ts', '--scenario', 'nope'],
    ["bench: unknown target 'apache'; there are direct,", 'suite/main.ts', '--targets', 'direct,apache'],
    ["bench: --rounds takes a number from 1 to 100, not 'x'", 'suite/main.ts', '--rounds', 'x'],
    ['bench: --url takes an address like', 'suite/main.ts', '--url', 'localhost'],
    ["bench: Unknown option '--fast'", 'suite/main.ts', '--fast'],
    ['bench:compare: REV is missing', 'suite/compare.ts'],
    ["bench:compare: 'no-such-rev' is not a revision", 'suite/compare.ts', 'no-such-rev'],
    ["bench:micro: unexpected argument 'x'", 'micro/main.ts', 'x'],
  ];
  test.each(calls)('%s', async (line, script, ...args) => {
    const { exitCode, stdout, stderr } = await bench(script!, ...args);
    expect({ exitCode, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({
      exitCode: 2,
      stdout: '',
      lines: 1,
    });
    expect(stderr).toStartWith(line);
  });
});

function bench(script: string, ...args: string[]) {
  return run([process.execPath, '--no-env-file', join(ROOT, 'bench', script), ...args], { cwd: ROOT });
}
