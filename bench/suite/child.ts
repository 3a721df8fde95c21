/**
 * Child processes of a bench: pinned to a core, waited for, and always ended.
 */
import { connect, createServer } from 'node:net';

interface ChildOptions {
  /** Null: not pinned. */
  readonly core: number | null;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Child {
  readonly pid: number;
  readonly process: Bun.Subprocess<'pipe', 'pipe', 'pipe'>;
  /** What it printed on both outputs; complete once it has ended. Without stdout when the caller reads that. */
  output(): string;
  stop(): Promise<void>;
}

const END_TIMEOUT_MS = 5000;
const LISTEN_TIMEOUT_MS = 20_000;
const OUTPUT_CHARS_MAX = 20_000;

const alive = new Set<Bun.Subprocess>();
// However this process ends, it leaves no children.
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** @param readsStdout the caller reads standard output itself */
export function spawnChild(command: readonly string[], options: ChildOptions, readsStdout = false): Child {
  const pinned = options.core === null ? command : ['taskset', '-c', String(options.core), ...command];
  const child = Bun.spawn([...pinned], {
    cwd: options.cwd,
    // Without proxy settings of this shell, which would apply on loopback, too.
    env: { PATH: process.env.PATH ?? '', HOME: options.cwd, NODE_ENV: 'production', ...options.env },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  alive.add(child);
  void child.exited.then(() => alive.delete(child));
  let output = '';
  const keep = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const part of stream) {
      output = (output + decoder.decode(part, { stream: true })).slice(-OUTPUT_CHARS_MAX);
    }
  };
  void keep(child.stderr);
  if (!readsStdout) void keep(child.stdout);
  return {
    pid: child.pid,
    process: child,
    output: () => output,
    stop: async () => {
      child.kill('SIGTERM');
      // The second signal ends the drain of a gateway.
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
      await child.exited;
      clearTimeout(timer);
    },
  };
}

/** Resolves when the port is listened on. @throws when the child ends before, with the end of its output */
export async function waitForPort(port: number, child: Child): Promise<void> {
  const untilMs = performance.now() + LISTEN_TIMEOUT_MS;
  while (performance.now() < untilMs) {
    if (child.process.exitCode !== null) {
      throw new Error(`ended with exit code ${child.process.exitCode}: ${child.output().trim().slice(-400)}`);
    }
    if (await listens(port)) return;
    await Bun.sleep(20);
  }
  throw new Error(`does not listen: ${child.output().trim().slice(-400)}`);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function run(
  command: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Ran> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd,
    env: options.env ? { PATH: process.env.PATH ?? '', ...options.env } : process.env,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exitCode, stdout, stderr };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
