/**
 * A gateway in a process of its own, as a user starts it: from source, or the binary named by BVE_BIN.
 * Each has a database in a temporary folder and a free port; `stop` ends it and deletes the folder.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { eventually } from './eventually.ts';

const ROOT = resolve(import.meta.dir, '../..');
/** `bve` as a command line: what the tests run. */
export const BVE: readonly string[] = process.env.BVE_BIN
  ? [resolve(ROOT, process.env.BVE_BIN)]
  : [process.execPath, '--no-env-file', join(ROOT, 'src/main.ts')];

/** Cutting what is in flight and writing the last records takes a second at most; below the 25 s of DRAIN_TIMEOUT_MS. */
const STOPS_WITHIN_MS = 15_000;

/** Nothing of the machine's own but where to find programs; and no cache, which without a HOME would be written to the checkout. */
export const BARE_ENV: Readonly<Record<string, string>> = {
  PATH: process.env.PATH ?? '',
  BUN_RUNTIME_TRANSPILER_CACHE_PATH: '0',
};

export const PEPPER = 'test-pepper-0123456789';
export const FUELIX_KEY = 'fx-the-real-key';

export interface GatewayProcess {
  /** http://127.0.0.1:PORT */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** A key without limits. */
  readonly key: string;
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  /** Everything printed so far, stdout and stderr. */
  output(): string;
  /** The log lines so far. Lines come later than what they tell of: `logLine` waits for one. */
  logLines(): Record<string, unknown>[];
  /** Waits for a log line and resolves with it, the first of its kind. */
  logLine(matches: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** Resident memory, bytes. */
  rss(): number;
  /** The usage records so far, newest first. */
  usage(): Promise<UsageRecord[]>;
  /** Waits until there are at least `count` records. Newest first. */
  waitForUsage(count: number): Promise<UsageRecord[]>;
  createKey(...flags: string[]): Promise<{ id: string; key: string }>;
  signal(name: NodeJS.Signals): void;
  /** Its exit code, once all that it printed has been read. */
  readonly exited: Promise<number>;
  /** Ends it. Fails when it does not end by itself, with exit code 0 and nothing on stderr, unless `mayFail` said so. */
  stop(): Promise<void>;
}

interface GatewayOptions {
  readonly upstreamUrl: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of a temporary folder that is deleted in the end. */
  readonly folder?: string;
  /** What it is started with: a command that takes its place in the end. */
  readonly startedBy?: readonly string[];
  /** Behind `serve`. */
  readonly args?: readonly string[];
  /** Its exit code and what it prints on stderr are up to the test. */
  readonly mayFail?: boolean;
}

export async function startGatewayProcess(options: GatewayOptions): Promise<GatewayProcess> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'bve-test-'));
  const env: Record<string, string> = {
    ...BARE_ENV,
    HOST: '127.0.0.1',
    PORT: '0',
    FUELIX_BASE_URL: options.upstreamUrl,
    FUELIX_API_KEY: FUELIX_KEY,
    API_KEY_PEPPER: PEPPER,
    // Dozens of gateways are started in a run of the tests, and none of them is in a hurry.
    WARM_UP_REQUESTS: '0',
    DATABASE_URL: `sqlite://${join(folder, 'bve.db')}`,
    ...options.env,
  };
  const databaseUrl = env.DATABASE_URL!;
  const created = await runBve(['keys', 'create', '--name', 'test', '--unlimited', '--json'], env);
  if (created.exitCode !== 0) throw new Error(`keys create failed: ${created.stderr}`);
  const child = Bun.spawn([...(options.startedBy ?? []), ...BVE, 'serve', ...(options.args ?? [])], {
    env,
    stdout: 'pipe',
    stderr: 'pipe',
    cwd: folder,
  });
  const { output, errors, closed } = collect(child.stdout, child.stderr);
  const listening = await eventually(
    () => listeningLine(output()),
    () => `no listening line, output: ${output()}`,
  ).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  let store: Store | undefined;
  let killed = false;
  const ownStore = async () => (store ??= await openStore(databaseUrl));

  const usage = async () => (await ownStore()).recentUsage({ limit: 100_000 });
  return {
    url: listening.url,
    port: listening.port,
    pid: child.pid,
    key: (JSON.parse(created.stdout) as { key: string }).key,
    env,
    databaseUrl,
    output,
    logLines: () => jsonLines(output()),
    logLine: (matches) =>
      eventually(
        () => jsonLines(output()).find(matches),
        () => `no such log line; output: ${output().slice(-2000)}`,
      ),
    rss: () => rssOf(child.pid),
    usage,
    waitForUsage: (count) =>
      eventually(
        async () => {
          const records = await usage();
          return records.length >= count ? records : undefined;
        },
        () => `fewer than ${count} usage records; output: ${output().slice(-2000)}`,
      ),
    createKey: async (...flags) => {
      const result = await runBve(['keys', 'create', '--name', 'test', '--json', ...flags], env);
      if (result.exitCode !== 0) throw new Error(`keys create failed: ${result.stderr}`);
      return JSON.parse(result.stdout) as { id: string; key: string };
    },
    signal: (name) => {
      killed ||= name === 'SIGKILL';
      child.kill(name);
    },
    exited: closed.then(() => child.exited),
    stop: async () => {
      await store?.close();
      const kill = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS);
      child.kill('SIGTERM');
      // A second signal cuts what is still in flight; before the first was taken notice of, the kernel would make one of the two.
      await Promise.race([child.exited, noLongerReady(listening.url)]);
      child.kill('SIGTERM');
      await child.exited;
      // The last lines may still be in the pipes.
      await closed;
      clearTimeout(kill);
      if (!options.folder) rmSync(folder, { recursive: true, force: true });
      if (killed || options.mayFail) return;
      if (child.signalCode === 'SIGKILL') throw new Error(`the gateway did not stop: ${output().slice(-2000)}`);
      if (child.exitCode !== 0 || errors() !== '')
        throw new Error(`the gateway ended with ${child.exitCode}; stderr: ${errors().slice(-2000)}`);
    },
  };
}

/** Resolves when a gateway drains, or does not listen any more. */
async function noLongerReady(url: string): Promise<void> {
  const statusOf = () =>
    fetch(`${url}/ready`).then(
      (answer) => answer.status,
      () => 0,
    );
  while ((await statusOf()) === 200) await Bun.sleep(5);
}

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs one command of `bve` to its end. It is to end with exit code 0 and nothing on stderr: a test that means otherwise
 * looks at one of these before it looks at what was printed.
 */
export async function runBve(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<Ran> {
  const child = Bun.spawn([...BVE, ...args], {
    env: { ...BARE_ENV, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
    ...(cwd ? { cwd } : {}),
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return exitCode === 0 && stderr === '' ? { exitCode, stdout, stderr } : unclean(args, exitCode, stdout, stderr);
}

function unclean(args: readonly string[], exitCode: number, stdout: string, stderr: string): Ran {
  let isExpected = false;
  const seen = <T>(value: T): T => {
    isExpected = true;
    return value;
  };
  return {
    get exitCode() {
      return seen(exitCode);
    },
    get stderr() {
      return seen(stderr);
    },
    get stdout() {
      if (isExpected) return stdout;
      throw new Error(`bve ${args.join(' ')} ended with ${exitCode}; stderr: ${stderr}`);
    },
  };
}

export function rssOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)![1]) * 1024;
}

function collect(stdout: ReadableStream<Uint8Array>, stderr: ReadableStream<Uint8Array>) {
  let output = '';
  let errors = '';
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const part of stream) {
      const text = decoder.decode(part, { stream: true });
      output += text;
      if (stream === stderr) errors += text;
    }
  };
  return { closed: Promise.all([read(stdout), read(stderr)]), output: () => output, errors: () => errors };
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Record<string, unknown>];
      } catch {
        // The last line may still be on its way.
        return [];
      }
    });
}

function listeningLine(output: string): { url: string; port: number } | undefined {
  // In either LOG_FORMAT.
  const [, url, port] = /listening on (http:\/\/[^\s"]+:(\d+))["\s]/.exec(output) ?? [];
  return url === undefined ? undefined : { url, port: Number(port) };
}
