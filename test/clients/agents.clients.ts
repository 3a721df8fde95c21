/** Claude Code and Codex, in their print modes, through the gateway. */
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pair } from '../support/pair.ts';
import { endpointsOf, RUNS, versionOf, writeRuns } from './harness.ts';

const bench = pair();
setDefaultTimeout(60_000);
afterAll(writeRuns);

const home = mkdtempSync(join(tmpdir(), 'bve-agents-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const binaries = join(import.meta.dir, 'node_modules/.bin');
const TEXT = 'Every byte, in order.';

/** A program in a home of its own, that reads nothing: what it printed. */
async function printed(program: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  const child = Bun.spawn([join(binaries, program), ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: home, ...env },
    cwd: home,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, problem] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  expect({ code: await child.exited, problem: child.exitCode === 0 ? '' : out + problem }).toEqual({
    code: 0,
    problem: '',
  });
  return out;
}

const claude = (...args: string[]) =>
  printed('claude', ['-p', ...args], {
    ANTHROPIC_BASE_URL: bench.gateway.url,
    ANTHROPIC_AUTH_TOKEN: bench.gateway.key,
    ANTHROPIC_MODEL: 'claude-sonnet-4',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
  });

test('Claude Code answers a prompt, calls a tool, and counts its context without a paid request', async () => {
  bench.mock.script({ text: TEXT });
  expect(await claude('Hello')).toContain(TEXT);

  const file = join(home, 'secret.txt');
  writeFileSync(file, 'the word is xylophone');
  bench.mock.script((request) => {
    if (!request.path.includes('/messages') || request.path.includes('count_tokens')) return undefined;
    if (!request.text.includes('"name":"Read"')) return { text: TEXT };
    return { text: TEXT, tool: { name: 'Read', arguments: { file_path: file } } };
  });
  expect(await claude('--allowedTools', 'Read', '--', 'What is the word?')).toContain(TEXT);
  expect(bench.mock.requests.some(({ text }) => text.includes('xylophone'))).toBe(true);
  const endpoints = endpointsOf(bench);

  bench.mock.reset();
  expect(await claude('/context')).toContain('claude-sonnet-4');
  const paths = bench.mock.requests.map(({ path }) => path.split('?')[0]);
  expect(paths.length).toBeGreaterThan(5);
  expect(new Set(paths)).toEqual(new Set(['/v1/messages/count_tokens']));
  RUNS.push({
    client: 'Claude Code',
    version: versionOf('@anthropic-ai/claude-code'),
    runsOn: 'print mode',
    cases: ['a prompt', 'a tool call', '/context'],
    endpoints: [...endpoints, ...endpointsOf(bench)],
  });
});

test('Codex answers a prompt, and runs a command', async () => {
  mkdirSync(join(home, '.codex'), { recursive: true });
  writeFileSync(
    join(home, '.codex/config.toml'),
    `model = "gpt-4o"\nmodel_provider = "bve"\n\n[model_providers.bve]\nname = "BVE Gateway"\nbase_url = "${bench.gateway.url}/v1"\nenv_key = "BVE_API_KEY"\nwire_api = "responses"\n`,
  );
  // The command is `echo`: it needs no sandbox, which is not to be had on every machine.
  const options = ['--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox'];
  const codex = (prompt: string) => printed('codex', ['exec', ...options, prompt], { BVE_API_KEY: bench.gateway.key });
  bench.mock.script({ text: TEXT });
  expect(await codex('Hello')).toContain(TEXT);
  bench.mock.script({ text: TEXT, tool: { name: 'exec_command', arguments: { cmd: 'echo $((6*7))-from-the-tool' } } });
  expect(await codex('Run it')).toContain(TEXT);
  expect(bench.mock.requests.some(({ text }) => text.includes('42-from-the-tool'))).toBe(true);
  RUNS.push({
    client: 'Codex',
    version: versionOf('@openai/codex'),
    runsOn: 'exec',
    cases: ['a prompt', 'a command'],
    endpoints: endpointsOf(bench),
  });
});
