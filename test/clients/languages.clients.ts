/** The clients of other languages, where their tools are: Python's packages in an environment made here, and openai-go. */
import { afterAll, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pair } from '../support/pair.ts';
import { expectSame, outcomesOf, writeRuns } from './harness.ts';

const bench = pair();
setDefaultTimeout(300_000);
afterAll(writeRuns);
const folder = mkdtempSync(join(tmpdir(), 'bve-languages-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function succeeds(command: readonly string[], cwd = folder): Promise<boolean> {
  const child = Bun.spawn([...command], { cwd, stdout: 'ignore', stderr: 'ignore' });
  return (await child.exited) === 0;
}

const python = join(folder, 'venv/bin/python');
const requirements = join(import.meta.dir, 'python/requirements.txt');
const hasPython =
  Bun.which('python3') !== null &&
  (await succeeds(['python3', '-m', 'venv', 'venv'])) &&
  (await succeeds([python, '-m', 'pip', 'install', '--quiet', '--requirement', requirements]));
if (!hasPython)
  console.log('skipped: the clients in Python, whose packages cannot be installed here (python3, python3-venv, PyPI)');

const VERSIONS = Object.fromEntries(
  readFileSync(requirements, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split('==') as [string, string]),
);

for (const suite of ['openai', 'anthropic', 'litellm']) {
  test.if(hasPython)(`${suite} for Python sees what it sees without the gateway`, async () => {
    const on = { client: `${suite} (Python)`, version: VERSIONS[suite]!, runsOn: 'Python' };
    const script = join(import.meta.dir, 'python/cases.py');
    // Its list of prices would be fetched from elsewhere.
    const env = { LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
    await expectSame(bench, on, ({ baseUrl, apiKey }) => outcomesOf([python, script, suite, baseUrl, apiKey], env));
  });
}

const program = join(folder, 'clients');
const goFolder = join(import.meta.dir, 'go');
const hasGo = Bun.which('go') !== null && (await succeeds(['go', 'build', '-o', program, '.'], goFolder));
if (!hasGo) console.log('skipped: openai-go, which cannot be built here (go, and its module proxy)');

test.if(hasGo)('openai-go sees what it sees without the gateway', async () => {
  const version = /openai-go\/v3 v(\S+)/.exec(readFileSync(join(goFolder, 'go.mod'), 'utf8'))![1]!;
  const on = { client: 'openai-go', version, runsOn: 'Go' };
  await expectSame(bench, on, ({ baseUrl, apiKey }) => outcomesOf([program, baseUrl, apiKey]));
});
