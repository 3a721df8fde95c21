/**
 * The admin API against its own description: schemathesis makes requests from /openapi.json, valid ones and invalid ones, and
 * holds each answer to what the document says of it.
 *
 *     bun run test:schemathesis [--cases 500] [--seed N]
 *
 * Not called are the live view, which does not end, and the drain, which ends everything else. schemathesis (PyPI) is installed
 * into an environment of its own; where that cannot be done the exit code is 75. With --cases below 500 the cases are the same
 * each time.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startMock } from '../../src/mock/server.ts';
import { ADMIN_KEY } from '../admin/admin-client.ts';
import { startGatewayProcess } from '../support/gateway.ts';

const FOLDER = import.meta.dir;
const REQUIREMENTS = join(FOLDER, 'requirements.txt');
const CANNOT = 75;
const CASES = '500';
const KEYS = 40;

const { values } = parseArgs({ options: { cases: { type: 'string', default: CASES }, seed: { type: 'string' } } });
const schemathesis = installed();
if (schemathesis === null) process.exit(CANNOT);

const mock = startMock();
const gateway = await startGatewayProcess({ upstreamUrl: mock.url, env: { ADMIN_API_KEY: ADMIN_KEY } });
const keyIds: string[] = [];
for (let i = 0; i < KEYS; i++) keyIds.push(await newKey(i));
// It keeps what it found in its working directory.
const scratch = mkdtempSync(join(tmpdir(), 'bve-schemathesis-'));
const random = ['--generation-database', 'none', ...(values.seed ? ['--seed', values.seed] : [])];
const child = Bun.spawn(
  [
    schemathesis,
    ...['--config-file', join(FOLDER, 'schemathesis.toml'), 'run', `${gateway.url}/openapi.json`],
    ...['--url', gateway.url, '--include-path-regex', '^/admin/(?!live$|drain$)'],
    ...['--header', `Authorization: Bearer ${ADMIN_KEY}`, '--checks', 'all', '--max-examples', values.cases],
    ...['--phases', 'examples,coverage,fuzzing', '--no-color'],
    ...(values.seed || values.cases === CASES ? random : ['--generation-deterministic']),
  ],
  {
    cwd: scratch,
    env: { ...process.env, SCHEMATHESIS_HOOKS: join(FOLDER, 'hooks.py'), KEY_IDS: keyIds.join(',') },
    stdio: ['ignore', 'inherit', 'inherit'],
  },
);
const exitCode = await child.exited;
const bugs = gateway.logLines().filter(({ msg, level }) => msg === 'internal error' || level === 'error');
for (const bug of bugs) console.log(JSON.stringify(bug));
await gateway.stop();
await mock.stop();
rmSync(scratch, { recursive: true });
const failed = exitCode !== 0 || bugs.length > 0;
console.log(failed ? '0 passed, 1 failed' : '1 passed, 0 failed');
process.exit(failed ? 1 : 0);

async function newKey(i: number): Promise<string> {
  const answer = await fetch(`${gateway.url}/admin/api-keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: `key ${i}` }),
  });
  return ((await answer.json()) as { id: string }).id;
}

/** The program, in an environment that is made once and kept. Null, and the reason printed, where it cannot be made. */
function installed(): string | null {
  const pinned = readFileSync(REQUIREMENTS, 'utf8');
  const folder = join(FOLDER, '../../node_modules/.cache', `schemathesis-${Bun.hash(pinned).toString(36)}`);
  const program = join(folder, 'bin/schemathesis');
  if (existsSync(join(folder, 'complete'))) return program;
  if (Bun.which('python3') === null) return cannot('python3 is not installed');
  rmSync(folder, { recursive: true, force: true });
  for (const command of [
    ['python3', '-m', 'venv', folder],
    [join(folder, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check', '--requirement', REQUIREMENTS],
  ]) {
    const { exitCode, stderr, stdout } = Bun.spawnSync(command);
    if (exitCode !== 0) return cannot((stderr.toString() || stdout.toString()).trim().slice(-500));
  }
  writeFileSync(join(folder, 'complete'), '');
  return program;
}

function cannot(reason: string): null {
  console.log(`skipped: schemathesis, which cannot be installed here: ${reason}`);
  return null;
}
