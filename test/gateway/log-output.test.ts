/** A gateway whose stdout is blocked, full or gone goes on serving, with bounded memory. */
import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { openFifo } from '../support/fifo.ts';
import { BARE_ENV, BVE, FUELIX_KEY, PEPPER, rssOf, runBve } from '../support/gateway.ts';

/** A megabyte and a half of log lines. */
const REQUESTS = 4_000;
const CONCURRENCY = 50;
const MB = 1024 * 1024;

async function serveTo(stdout: number) {
  const folder = mkdtempSync(join(tmpdir(), 'bve-log-'));
  const mock = startMock({ port: 0, requestsMax: 0 });
  const env = {
    ...BARE_ENV,
    API_KEY_PEPPER: PEPPER,
    FUELIX_API_KEY: FUELIX_KEY,
    FUELIX_BASE_URL: mock.url,
    DATABASE_URL: `sqlite://${folder}/bve.db`,
    HOST: '127.0.0.1',
    PORT: '0',
    WARM_UP_REQUESTS: '0',
  };
  const created = await runBve(['keys', 'create', '--name', 'n', '--unlimited', '--json'], env);
  const child = Bun.spawn([...BVE, 'serve'], { env, stdin: 'ignore', stdout, stderr: 'pipe' });
  return {
    key: (JSON.parse(created.stdout) as { key: string }).key,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await child.exited;
      await mock.stop();
      rmSync(folder, { recursive: true });
    },
    /** What it said on stderr, and how it ended. */
    async stop() {
      child.kill('SIGTERM');
      const [stderr, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
      return { stderr, exitCode };
    },
  };
}

async function ask(url: string, key: string, requests: number): Promise<void> {
  let left = requests;
  const worker = async () => {
    while (left-- > 0) {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'x-request-id': 'r'.repeat(128) },
        body: '{"model":"m","messages":[]}',
      });
      expect(response.status).toBe(200);
      await response.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

async function urlFrom(read: () => string): Promise<string> {
  let text = '';
  const line = await eventually(() => {
    text += read();
    return text.split('\n').find((candidate) => candidate.endsWith('}') && candidate.includes('listening on'));
  });
  return (JSON.parse(line) as { url: string }).url;
}

test('a pipe that nobody reads stops no request and takes no memory, and what was dropped is counted', async () => {
  using fifo = openFifo();
  await using gateway = await serveTo(fifo.writer);
  const url = await urlFrom(fifo.read);
  await ask(url, gateway.key, REQUESTS);
  const before = rssOf(gateway.pid);
  await ask(url, gateway.key, REQUESTS);
  expect(rssOf(gateway.pid) - before).toBeLessThan(30 * MB);
  let text = '';
  const dropped = await eventually(() => {
    text += fifo.read();
    return text.split('\n').find((line) => line.includes('log lines were dropped'));
  });
  expect((JSON.parse(dropped) as { lines: number }).lines).toBeGreaterThan(1_000);
  const { stderr, exitCode } = await gateway.stop();
  expect(exitCode).toBe(0);
  expect(stderr).toBe('bve: cannot write the log: stdout is not read, lines are dropped. The gateway keeps serving.\n');
}, 60_000);

test('when the reader of its log goes, it says so once and serves on', async () => {
  using fifo = openFifo();
  await using gateway = await serveTo(fifo.writer);
  const url = await urlFrom(fifo.read);
  fifo.closeReader();
  await ask(url, gateway.key, 200);
  const { stderr, exitCode } = await gateway.stop();
  expect(exitCode).toBe(0);
  expect(stderr).toBe('bve: cannot write the log: the pipe is closed. The gateway keeps serving.\n');
}, 60_000);

test('a log line holds no control or direction character, and says the same', async () => {
  using fifo = openFifo();
  await using gateway = await serveTo(fifo.writer);
  const url = await urlFrom(fifo.read);
  const model = 'a\u001b\u007f\u009b31m\u202e\u2028z';
  await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.key}` },
    body: JSON.stringify({ model, messages: [] }),
  });
  let text = '';
  const line = await eventually(() => {
    text += fifo.read();
    return text.split('\n').find((candidate) => candidate.endsWith('"msg":"request"}'));
  });
  expect(line).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
  expect((JSON.parse(line) as { model: string }).model).toBe(model);
}, 60_000);
