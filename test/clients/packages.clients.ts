/**
 * Clients that nobody here wrote, against the gateway and against upstream itself: what their users see must be the same. Run by
 * `bun run test:clients`, which installs their packages.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import OpenAI from 'openai';
import { pair } from '../support/pair.ts';
import { expectSame, RUNS, suiteRunner, versionOf, writeRuns } from './harness.ts';

const bench = pair();
setDefaultTimeout(120_000);
afterAll(writeRuns);

const PACKAGES = [
  { suite: 'openai', client: 'openai' },
  { suite: 'anthropic', client: '@anthropic-ai/sdk' },
  { suite: 'ai-sdk', client: 'ai' },
  { suite: 'langchain', client: '@langchain/openai' },
];
const NODE = Bun.which('node');
if (NODE === null) console.log('skipped: the clients in Node, which is not installed');

describe('JavaScript packages', () => {
  for (const { suite, client } of PACKAGES) {
    test(`${client} in Bun sees what it sees without the gateway`, async () => {
      const on = { client, version: versionOf(client), runsOn: 'Bun' };
      await expectSame(bench, on, await suiteRunner('bun', suite));
    });
    test.if(NODE !== null)(`${client} in Node sees what it sees without the gateway`, async () => {
      const on = { client, version: versionOf(client), runsOn: 'Node' };
      await expectSame(bench, on, await suiteRunner('node', suite));
    });
  }
});

test('legacy completions, which upstream does not have, are what the openai package expects', async () => {
  const client = new OpenAI({ baseURL: `${bench.gateway.url}/v1`, apiKey: bench.gateway.key, maxRetries: 0 });
  const answer = await client.completions.create({ model: 'gpt-4o', prompt: 'Hello' });
  expect(answer).toMatchObject({ object: 'text_completion', choices: [{ index: 0, finish_reason: 'stop' }] });
  expect([answer.id.slice(0, 5), answer.choices[0]!.text]).toEqual(['cmpl-', expect.stringContaining('Hello')]);
  const streamed = client.completions.create({ model: 'gpt-4o', prompt: 'Hello', stream: true });
  expect(await Promise.resolve(streamed).catch((error: { code?: string }) => error.code)).toBe(
    'unsupported_streaming_completion',
  );
  const on = { client: 'openai', version: versionOf('openai'), runsOn: 'Bun, without a counterpart upstream' };
  RUNS.push({ ...on, cases: ['legacy completions'], endpoints: ['POST /v1/completions'] });
});
