/** What docs/clients.md tells people to paste, run as it stands there, with address and key filled in. */
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guideBlocks } from '../../src/dashboard/app/pages/connect/guides.ts';
import { launchBrowser, WITHOUT_BROWSER } from '../dashboard/browser.ts';
import { pair } from '../support/pair.ts';
import { endpointsOf, RUNS, versionOf, writeRuns } from './harness.ts';
import { CACHE, pythonWithPackages } from './toolchains.ts';

const bench = pair();
setDefaultTimeout(60_000);
afterAll(writeRuns);

const TEXT = 'Every-byte-in-order.';
const PATH = `${join(import.meta.dir, 'node_modules/.bin')}:${process.env.PATH ?? ''}`;
const python = await pythonWithPackages();

/** The code of a guide. @param index among the blocks of this language */
function codeOf(guide: string, label: string, index = 0): string {
  const blocks = guideBlocks(guide, { origin: bench.gateway.url, key: bench.gateway.key });
  const code = blocks.filter((block) => block.label === label)[index]?.text;
  if (code === undefined) throw new Error(`docs/clients.md has no block ${index} of ${label} under ${guide}`);
  return code;
}

/** Runs a command in a home of its own, which `files` are written into; what it printed. */
async function printed(
  command: readonly string[],
  files: Record<string, string> = {},
  env: Record<string, string> = {},
) {
  const home = mkdtempSync(join(tmpdir(), 'bve-guide-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(home, name, '..'), { recursive: true });
      writeFileSync(join(home, name), text);
    }
    const child = Bun.spawn([...command], {
      cwd: home,
      env: { PATH, HOME: home, NO_COLOR: '1', ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [out, problem] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    if ((await child.exited) !== 0) throw new Error(`it ended with ${child.exitCode}: ${(problem + out).slice(-1500)}`);
    return out;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

const shell = (script: string, files = {}, env = {}) => printed(['bash', '-ec', script], files, env);

test('curl', async () => {
  bench.mock.script({ text: TEXT });
  const streamed = await shell(codeOf('curl', 'Shell'));
  expect(streamed).toContain(TEXT);
  expect(streamed).toEndWith('data: [DONE]\n\n');
  expect(await shell(codeOf('curl', 'Shell', 1))).toContain('requests_per_minute');
});

for (const guide of ['OpenAI SDK', 'Anthropic SDK', 'AI SDK', 'LangChain']) {
  test(`${guide}, TypeScript`, async () => {
    bench.mock.script({ text: TEXT });
    // Where its packages are found.
    const file = join(CACHE, 'guides', `${guide.replaceAll(' ', '-')}.ts`);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, codeOf(guide, 'TypeScript'));
    expect(await printed([process.execPath, '--no-env-file', file])).toContain(TEXT);
  });
}

for (const guide of ['OpenAI SDK', 'Anthropic SDK', 'LangChain', 'LiteLLM']) {
  test.if(python !== null)(`${guide}, Python`, async () => {
    bench.mock.script({ text: TEXT });
    // LiteLLM's list of prices would be fetched from elsewhere.
    const env = { LITELLM_LOCAL_MODEL_COST_MAP: 'True' };
    expect(await printed([python!, '-c', codeOf(guide, 'Python')], {}, env)).toContain(TEXT);
  });
}

/** Agents: what the page says to type in the end is replaced by the same with one prompt. */
const AGENTS = [
  {
    guide: 'Claude Code',
    pkg: '@anthropic-ai/claude-code',
    files: () => ({}),
    script: () => codeOf('Claude Code', 'Shell').replace(/^claude$/m, 'claude -p Hello'),
    env: { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1' },
  },
  {
    guide: 'Codex',
    pkg: '@openai/codex',
    files: () => ({ '.codex/config.toml': codeOf('Codex', 'TOML') }),
    script: () => codeOf('Codex', 'Shell').replace(/^codex$/m, 'codex exec --skip-git-repo-check Hello'),
    env: {},
  },
  {
    guide: 'opencode',
    pkg: 'opencode-ai',
    files: () => ({ 'opencode.json': codeOf('opencode', 'JSON') }),
    script: () => codeOf('opencode', 'Shell').replace(/^opencode$/m, 'opencode run Hello'),
    env: {},
  },
  {
    guide: 'Continue',
    pkg: '@continuedev/cli',
    files: () => ({ '.continue/config.yaml': codeOf('Continue', 'YAML') }),
    script: () => 'cn -p Hello --config .continue/config.yaml',
    env: { CONTINUE_TELEMETRY_ENABLED: '0' },
  },
] as const;

for (const { guide, pkg, files, script, env } of AGENTS) {
  test(guide, async () => {
    bench.mock.script({ text: TEXT });
    expect(await shell(script(), files(), env)).toContain(TEXT);
    const run = { client: guide, version: versionOf(pkg), runsOn: 'print mode, set up as above', cases: ['a prompt'] };
    RUNS.push({ ...run, endpoints: endpointsOf(bench) });
  });
}

test.if(WITHOUT_BROWSER === null)('Browser', async () => {
  bench.mock.script({ text: TEXT });
  const entry = join(import.meta.dir, 'guide-page.mjs');
  const rest = `globalThis.ask = async () =>
    (await client.chat.completions.create({ model: 'gpt-4o', messages: [] })).choices[0].message.content;`;
  const code = `${codeOf('Browser', 'JavaScript')}\n${rest}`;
  const built = await Bun.build({ entrypoints: [entry], files: { [entry]: code }, target: 'browser' });
  const script = await built.outputs[0]!.text();
  using server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ url }) =>
      url.endsWith('.js')
        ? new Response(script, { headers: { 'content-type': 'text/javascript' } })
        : new Response('<!doctype html><script type="module" src="/page.js"></script>', {
            headers: { 'content-type': 'text/html' },
          }),
  });
  const browser = await launchBrowser();
  try {
    const tab = await browser.newPage();
    await tab.goto(server.url.href);
    await tab.waitForFunction('globalThis.ask');
    expect(await tab.evaluate<string>('ask()')).toBe(TEXT);
  } finally {
    await browser.close();
  }
});
