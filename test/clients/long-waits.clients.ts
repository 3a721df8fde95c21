/**
 * A refusal of the gateway that lasts longer than a minute (`x-should-retry: false`): who reads that header raises at once, with
 * its usual number of retries. cuts.clients.ts has openai and @anthropic-ai/sdk.
 */
import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { ChatOpenAI } from '@langchain/openai';
import { generateText } from 'ai';
import { pair } from '../support/pair.ts';
import { goProgram, pythonWithPackages } from './toolchains.ts';

const bench = pair();
setDefaultTimeout(60_000);
const RAISES_WITHIN_MS = 2_000;

let key: string;
const [python, program] = await Promise.all([pythonWithPackages(), goProgram()]);

beforeAll(async () => {
  key = (await bench.gateway.createKey('--unlimited', '--monthly-limit', '1')).key;
  await fetch(`${bench.gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } }).then((r) => r.bytes());
});

const baseUrl = () => `${bench.gateway.url}/v1`;

/** Milliseconds until it was raised; it must be. */
async function raisedAfter(call: () => PromiseLike<unknown>): Promise<number> {
  const since = performance.now();
  const error = await call().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(String(error)).toContain('Monthly request limit exceeded');
  return performance.now() - since;
}

test('@langchain/openai raises it at once', async () => {
  const chat = new ChatOpenAI({ model: 'gpt-4o', apiKey: key, configuration: { baseURL: baseUrl() } });
  expect(await raisedAfter(() => chat.invoke('Hello'))).toBeLessThan(RAISES_WITHIN_MS);
});

/** It does not read the header: it knows retry-after only up to a minute, and else waits 2 s, then 4 s. */
test('ai raises it at once with maxRetries: 0, and by default after two more tries', async () => {
  const model = createOpenAICompatible({ name: 'bve', baseURL: baseUrl(), apiKey: key })('gpt-4o');
  const once = () => generateText({ model, prompt: 'Hello', maxRetries: 0 });
  expect(await raisedAfter(once)).toBeLessThan(RAISES_WITHIN_MS);
  const before = bench.mock.requests.length;
  expect(await raisedAfter(() => generateText({ model, prompt: 'Hello' }))).toBeGreaterThan(RAISES_WITHIN_MS);
  expect(bench.mock.requests.length).toBe(before);
});

const PYTHON = {
  openai: `OpenAI(base_url=url + "/v1", api_key=key).models.list()`,
  anthropic: `Anthropic(base_url=url, api_key=key).messages.create(model="m", max_tokens=9, messages=messages)`,
  litellm: `completion(model="openai/m", api_base=url + "/v1", api_key=key, messages=messages)`,
};

for (const [name, call] of Object.entries(PYTHON)) {
  test.if(python !== null)(`${name} for Python raises it at once`, async () => {
    const imports = { openai: 'OpenAI', anthropic: 'Anthropic', litellm: 'completion' }[name];
    const script = `import sys, time
from ${name} import ${imports}
url, key = sys.argv[1:]
messages = [{"role": "user", "content": "Hello"}]
since = time.monotonic()
try:
    ${call}
except Exception as error:
    print(time.monotonic() - since, error)
`;
    const [seconds, said] = await run([python!, '-c', script, bench.gateway.url, key]);
    expect(said).toContain('Monthly request limit exceeded');
    expect(seconds * 1000).toBeLessThan(RAISES_WITHIN_MS);
  });
}

test.if(program !== null)('openai-go raises it at once', async () => {
  const [seconds, said] = await run([program!, baseUrl(), key, 'refused']);
  expect(said).toContain('Monthly request limit exceeded');
  expect(seconds * 1000).toBeLessThan(RAISES_WITHIN_MS);
});

/** Of a program that prints the seconds it took, and the error. */
async function run(command: readonly string[]): Promise<[seconds: number, said: string]> {
  const env = { ...process.env, LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
  const child = Bun.spawn([...command], { env, stdout: 'pipe', stderr: 'inherit' });
  const lines = (await new Response(child.stdout).text()).trim().split('\n');
  const line = lines.find((each) => /^[\d.]+ /.test(each)) ?? '';
  return [Number.parseFloat(line), lines.join('\n')];
}
