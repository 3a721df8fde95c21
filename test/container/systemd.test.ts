/** deploy/systemd, as far as it can be looked at where systemd does not run. */
import { expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const UNIT = resolve(import.meta.dir, '../../deploy/systemd/bve.service');
const ANALYZE = Bun.which('systemd-analyze');
if (ANALYZE === null) console.log('skipped: systemd-analyze is not installed (Debian: systemd)');
/** Of 10, which is worst; without any hardening it is 9.6. */
const EXPOSURE_MAX = 2;

test.skipIf(ANALYZE === null)('systemd understands the unit, and finds it hardened', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bve-unit-'));
  const file = join(folder, 'bve.service');
  writeFileSync(file, readFileSync(UNIT, 'utf8').replaceAll('/usr/local/bin/bve', '/bin/true'));
  const run = (...args: string[]) => {
    const { stdout, stderr, exitCode } = Bun.spawnSync([ANALYZE!, ...args, file]);
    return { exitCode, text: `${stdout}${stderr}` };
  };
  const verified = run('verify');
  expect(verified.text.split('\n').filter((line) => line.includes('bve.service'))).toEqual([]);
  const { text } = run('security', '--offline=true');
  expect(Number(/exposure level for bve\.service: ([0-9.]+)/.exec(text)?.[1])).toBeLessThanOrEqual(EXPOSURE_MAX);
  rmSync(folder, { recursive: true });
});

test('it waits longer than the gateway may take to drain', () => {
  const text = readFileSync(UNIT, 'utf8');
  const value = (name: string) => Number(new RegExp(`${name}=(\\d+)`).exec(text)![1]);
  expect(value('TimeoutStopSec') * 1000).toBeGreaterThan(value('DRAIN_TIMEOUT_MS') + value('READY_GRACE_MS'));
});
