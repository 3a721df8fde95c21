/**
 * All tests of clients, and whether docs/clients.md still tells what they do.
 *
 *     bun run build && BVE_BIN=dist/bve bun run test:clients
 *
 * UPDATE_DOCS=1 writes the tables of docs/clients.md. CUTS=all cuts the recorded streams at every place.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientRun } from './harness.ts';
import { differenceFromSaved, saveRuns, writeTables } from './tables.ts';
import { goProgram, pythonWithPackages } from './toolchains.ts';

const folder = mkdtempSync(join(tmpdir(), 'bve-client-runs-'));
// Before the files run side by side: each of them would make them.
await Promise.all([pythonWithPackages(), goProgram()]);
const files = [...new Bun.Glob('*.clients.ts').scanSync(import.meta.dir)].map((file) => join(import.meta.dir, file));
const command = [process.execPath, 'test', '--parallel=2', '--timeout', '300000', ...files];
const env = { ...process.env, CLIENT_RUNS: folder };
const exitCode = await Bun.spawn(command, { env, stdio: ['ignore', 'inherit', 'inherit'] }).exited;
const runs = readdirSync(folder).flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as ClientRun[]);
rmSync(folder, { recursive: true });
process.exitCode = exitCode;
if (exitCode === 0) {
  if (process.env.UPDATE_DOCS === '1') {
    saveRuns(runs);
    writeTables();
  }
  const difference = differenceFromSaved(runs);
  if (difference !== null) {
    console.log(`FAILED test/clients/results.json is not current, run this with UPDATE_DOCS=1: ${difference}`);
    process.exitCode = 1;
  }
}
