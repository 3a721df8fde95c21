/** version, check --health, demo and mock as processes; keys has a file of its own, serve is what test/gateway runs. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import manifest from '../../package.json';
import { startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { BARE_ENV, BVE, runBve, startGatewayProcess } from '../support/gateway.ts';

setDefaultTimeout(30_000);

const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const it of running.splice(0).reverse()) await it.stop();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bve-cli-'));
  running.push({ stop: () => rmSync(folder, { recursive: true }) });
  return folder;
}

/** A command that goes on until it is told to stop, and what it has printed. */
function start(args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([...BVE, ...args], {
    env: { ...BARE_ENV, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  running.push({
    stop: () => {
      child.kill('SIGKILL');
      return child.exited;
    },
  });
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let printed = '';
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const found = pattern.exec(printed);
      if (found) return found;
      const { value, done } = await reader.read();
      if (done) throw new Error(`ended after: ${printed}${await child.stderr.text()}`);
      printed += value;
    }
  };
  /** Everything printed, once it has ended. */
  const rest = async (): Promise<string> => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return printed;
      printed += value;
    }
  };
  return { child, until, rest };
}

/** A port on which nobody listens: one that was free a moment ago. */
function deadPort(): number {
  const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

describe('bve version', () => {
  test.each([['version'], ['--version'], ['-v']])(
    'bve %s says version, commit and Bun version in one line',
    async (word) => {
      const { exitCode, stdout, stderr } = await runBve([word]);
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(
        new RegExp(
          `^bve ${RegExp.escape(manifest.version)} \\(commit [0-9a-z]+, Bun ${RegExp.escape(Bun.version)}\\)\n$`,
        ),
      );
    },
  );

  test('--json says the same for programs', async () => {
    const { exitCode, stdout } = await runBve(['version', '--json']);
    expect([exitCode, JSON.parse(stdout)]).toEqual([
      0,
      { version: manifest.version, commit: expect.stringMatching(/^([0-9a-f]{40}|unknown)$/), bun: Bun.version },
    ]);
  });
});

describe('bve check --health', () => {
  test('exits 0 without a word when the gateway answers, and needs none of its secrets', async () => {
    const mock = startMock();
    running.push(mock);
    const gateway = await startGatewayProcess({ upstreamUrl: mock.url });
    running.push(gateway);
    const port = String(gateway.port);
    const calls = [
      { HOST: '127.0.0.1', PORT: port },
      { PORT: port },
      { HOST: '0.0.0.0', PORT: port, HTTP_PROXY: `http://127.0.0.1:${deadPort()}` },
    ];
    for (const env of calls) {
      expect(await runBve(['check', '--health'], env)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    }
    expect((await runBve(['check', '--health', '--port', port])).exitCode).toBe(0);
  });

  test('exits 1 with one line when nobody listens', async () => {
    const port = String(deadPort());
    const { exitCode, stdout, stderr } = await runBve(['check', '--health', '--host', '127.0.0.1', '--port', port]);
    expect([exitCode, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(new RegExp(`^bve check: .*\\b${port}\\b.*\n$`));
  });

  test('exits 1 with one line when something else listens', async () => {
    const mock = startMock();
    running.push(mock);
    const { exitCode, stderr } = await runBve([
      'check',
      '--health',
      '--host',
      '127.0.0.1',
      '--port',
      String(mock.port),
    ]);
    expect([exitCode, stderr.trimEnd().split('\n').length]).toEqual([1, 1]);
    expect(stderr).toContain('404');
  });

  test('exits 1 when what listens says nothing', async () => {
    const mock = startMock({ scenario: { fault: { kind: 'hang' } } });
    running.push(mock);
    const { exitCode, stderr } = await runBve([
      'check',
      '--health',
      '--host',
      '127.0.0.1',
      '--port',
      String(mock.port),
    ]);
    expect([exitCode, stderr.trimEnd().split('\n').length]).toEqual([1, 1]);
  });
});

describe('bve serve', () => {
  test.each([
    [12, true],
    [15, true],
    [16, false],
  ])('with a pepper of %d characters on a loopback address starts, and warns: %p', async (characters, warns) => {
    const folder = temporaryFolder();
    const { until } = start(['serve'], {
      HOST: '127.0.0.1',
      PORT: '0',
      FUELIX_API_KEY: 'fx-key',
      // Never called: a request without a key is refused before.
      FUELIX_BASE_URL: 'http://127.0.0.1:1/v1',
      API_KEY_PEPPER: 'p'.repeat(characters),
      DATABASE_URL: `sqlite://${folder}/bve.db`,
      LOG_LEVEL: 'info',
    });
    const [, url] = await until(/"msg":"listening on (\S+)"/);
    // The warnings of the start come before the first request's line.
    await fetch(`${url}/v1/models`);
    const printed = (await until(/[\s\S]*"msg":"request"/))[0];
    expect(printed.includes('API_KEY_PEPPER is shorter than 16 characters')).toBe(warns);
    expect(printed).not.toContain('pppp');
  });
});

describe('bve demo', () => {
  test('--once shows an answer whose bytes are equal and whose usage is recorded, and leaves nothing behind', async () => {
    const TMPDIR = temporaryFolder();
    const folder = temporaryFolder();
    // Neither the user's key nor the user's database may be touched.
    const env = { TMPDIR, DATABASE_URL: `sqlite://${folder}/mine.db`, FUELIX_API_KEY: 'fx-mine', PORT: '1' };
    const { exitCode, stdout, stderr } = await runBve(['demo', '--once'], env, folder);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain('A gateway should be like a good window');
    expect(stdout).toMatch(/bytes equal +yes /);
    expect(stdout).toMatch(
      /usage recorded +prompt [1-9]\d*, completion [1-9]\d*, total [1-9]\d* tokens \(source: upstream, finish: complete\)/,
    );
    expect(stdout).not.toContain('fx-mine');
    expect([readdirSync(TMPDIR), readdirSync(folder)]).toEqual([[], []]);
  });

  test('the curl line that it prints works, and Ctrl-C ends it with exit code 0 and nothing left', async () => {
    const TMPDIR = temporaryFolder();
    const { child, until } = start(['demo'], { TMPDIR });
    const [, url, key] = await until(/curl -N (\S+) -H 'Authorization: Bearer (\S+)'/);
    await until(/Ctrl-C ends the demo/);
    const response = await fetch(url!, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ model: 'demo-model', stream: true, messages: [] }),
    });
    expect([response.status, (await response.text()).endsWith('data: [DONE]\n\n')]).toEqual([200, true]);
    child.kill('SIGINT');
    expect([await child.exited, readdirSync(TMPDIR)]).toEqual([0, []]);
  });

  test('then a gentle load goes on, which the admin key that it prints shows', async () => {
    // A proxy of the machine has no business between the demo and itself.
    const { child, until } = start(['demo'], { TMPDIR: temporaryFolder(), HTTP_PROXY: 'http://127.0.0.1:1' });
    const [, url] = await until(/base URL +(\S+)\/v1/);
    const [, adminKey] = await until(/admin key +(\S+)/);
    const models = async () => {
      const headers = { authorization: `Bearer ${adminKey}` };
      const records = (await (await fetch(`${url}/admin/requests`, { headers })).json()) as { model: string }[];
      return new Set(records.map(({ model }) => model));
    };
    await eventually(async () => (await models()).size >= 3);
    child.kill('SIGINT');
    expect([await child.exited, await child.stderr.text()]).toEqual([0, '']);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s in the middle of its answer leaves nothing behind, either',
    async (signal) => {
      for (let tries = 1; ; tries++) {
        const TMPDIR = temporaryFolder();
        const { child, until, rest } = start(['demo'], { TMPDIR });
        await until(/A gateway should/);
        child.kill(signal);
        const exitCode = await child.exited;
        expect(readdirSync(TMPDIR)).toEqual([]);
        expect(await child.stderr.text()).toBe('');
        // The answer takes a second and a half: when it was whole before the signal, this was not its middle.
        if ((await rest()).includes('bytes equal') && tries < 5) continue;
        expect(exitCode).toBe(1);
        break;
      }
    },
  );
});

describe('bve mock', () => {
  test('prints its URL, answers there, and ends on a signal with exit code 0', async () => {
    const { child, until } = start(['mock', '--port', '0', '--scenario', '{"text":"Good morning"}']);
    const [url] = await until(/http:\/\/127\.0\.0\.1:\d+\/v1/);
    const response = await fetch(`${url}/chat/completions`, { method: 'POST', body: '{"model":"m","messages":[]}' });
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'Good morning' } }] });
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
  });
});
