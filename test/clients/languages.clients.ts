/** The clients of other languages, where their tools are: Python's packages, and openai-go. */
import { afterAll, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pair } from '../support/pair.ts';
import { expectSame, outcomesOf, writeRuns } from './harness.ts';
import { goProgram, pythonVersionOf, pythonWithPackages } from './toolchains.ts';

const bench = pair();
setDefaultTimeout(300_000);
afterAll(writeRuns);

const [python, program] = await Promise.all([pythonWithPackages(), goProgram()]);

for (const suite of ['openai', 'anthropic', 'litellm']) {
  test.if(python !== null)(`${suite} for Python sees what it sees without the gateway`, async () => {
    const on = { client: `${suite} (Python)`, version: pythonVersionOf(suite), runsOn: 'Python' };
    const script = join(import.meta.dir, 'python/cases.py');
    // Its list of prices would be fetched from elsewhere.
    const env = { LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
    await expectSame(bench, on, ({ baseUrl, apiKey }) => outcomesOf([python!, script, suite, baseUrl, apiKey], env));
  });
}

test.if(program !== null)('openai-go sees what it sees without the gateway', async () => {
  const goModule = readFileSync(join(import.meta.dir, 'go/go.mod'), 'utf8');
  const on = { client: 'openai-go', version: /openai-go\/v3 v(\S+)/.exec(goModule)![1]!, runsOn: 'Go' };
  await expectSame(bench, on, ({ baseUrl, apiKey }) => outcomesOf([program!, baseUrl, apiKey]));
});
