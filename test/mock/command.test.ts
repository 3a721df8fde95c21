import { afterEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMock } from '../../src/mock/server.ts';

const MAIN = join(import.meta.dir, '../../src/main.ts');
const running: ReturnType<typeof bve>[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const process of running.splice(0)) {
    process.kill('SIGKILL');
    await process.exited;
  }
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function bve(...args: string[]) {
  return Bun.spawn([process.execPath, '--no-env-file', MAIN, 'mock', ...args], { stdout: 'pipe', stderr: 'pipe' });
}

async function started(...args: string[]) {
  const child = bve('--port', '0', ...args);
  running.push(child);
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = '';
  const line = async (): Promise<string> => {
    while (!printed.includes('\n')) {
      const { value, done } = await lines.read();
      if (done) throw new Error(`ended: ${await new Response(child.stderr).text()}`);
      printed += value;
    }
    const [first, ...rest] = printed.split('\n');
    printed = rest.join('\n');
    return first!;
  };
  const url = /http:\S+/.exec(await line())![0];
  return { child, url, line };
}

const ask = (url: string, body: object) =>
  fetch(`${url}/chat/completions`, { method: 'POST', body: JSON.stringify(body) });

test('prints where it listens, answers, logs, and stops on a signal with exit code 0', async () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { child, url, line } = await started('--json-log', '--pace-ms', '1', '--scenario', '{"text":"a b"}');
    expect(await (await ask(url, { stream: true })).text()).toContain('{"content":" b"}');
    expect(JSON.parse(await line())).toMatchObject({ method: 'POST', path: '/v1/chat/completions', end: 'finished' });
    child.kill(signal);
    expect(await child.exited).toBe(0);
  }
});

test('takes scenario and recordings from files', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bve-mock-'));
  folders.push(folder);
  writeFileSync(join(folder, 'one.sse'), 'data: recorded\n\n');
  writeFileSync(join(folder, 'scenario.json'), '{"replay":"one.sse","status":203}');
  const { url } = await started('--replay', folder, '--scenario', `@${join(folder, 'scenario.json')}`, '--split', '3');
  const response = await ask(url, {});
  expect([response.status, await response.text()]).toEqual([203, 'data: recorded\n\n']);
});

test.each([
  [['--port', '70000'], 2, '--port takes a whole number from 0 to 65535'],
  [['--scenario', '{'], 2, '--scenario: not JSON'],
  [['--scenario', '{"evnts":1}'], 2, "unknown field 'evnts'"],
  [['--scenario', '@/does/not/exist'], 1, 'there is no such file'],
  [['--replay', '/does/not/exist'], 1, 'is not a folder'],
  [['--bogus'], 2, "Unknown option '--bogus'"],
] as const)('%j ends with exit code %d and one clear line', async (args, code, message) => {
  const child = bve(...args);
  expect(await child.exited).toBe(code);
  const [first, ...rest] = (await new Response(child.stderr).text()).trim().split('\n');
  expect(first).toContain(message);
  expect(rest).toEqual(code === 2 ? ["Try 'bve mock --help'."] : []);
});

test('a port in use is reported in one line', async () => {
  const taken = startMock();
  const child = bve('--port', String(taken.port));
  expect(await child.exited).toBe(1);
  expect(await new Response(child.stderr).text()).toBe(
    `bve mock: cannot listen on 127.0.0.1:${taken.port}: the port is in use\n`,
  );
  await taken.stop();
});

test('--help has examples', async () => {
  const child = bve('--help');
  expect(await new Response(child.stdout).text()).toContain('bve mock --port 0 --scenario');
  expect(await child.exited).toBe(0);
});
