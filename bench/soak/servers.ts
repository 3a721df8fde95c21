/** PostgreSQL and Redis for one soak: Debian's binaries, on free ports of 127.0.0.1, as a user without privileges. */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { type Child, freePort, run, spawnChild, waitForPort } from '../suite/child.ts';

interface Server {
  readonly url: string;
  stop(): Promise<void>;
}

const POSTGRES_FOLDER = '/usr/lib/postgresql';
const NOBODY = 65_534;
const STARTS_WITHIN_MS = 20_000;
const ENDS_WITHIN_MS = 10_000;

/** Where initdb and postgres are, newest version first; undefined: nowhere. */
function postgresBinaries(): string | undefined {
  if (!existsSync(POSTGRES_FOLDER)) return undefined;
  return readdirSync(POSTGRES_FOLDER)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(POSTGRES_FOLDER, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'postgres')));
}

/** Why they cannot be started here; null: they can. */
export function missingServers(): string | null {
  if (postgresBinaries() === undefined) return 'there is no PostgreSQL server (Debian: postgresql)';
  if (Bun.which('redis-server') === null) return 'there is no Redis server (Debian: redis-server)';
  if (userInfo().uid === 0 && Bun.which('setpriv') === null) return 'there is no setpriv to give up root with';
  return null;
}

export async function startPostgres(folder: string): Promise<Server> {
  const binaries = postgresBinaries()!;
  const data = ownFolder(join(folder, 'postgres'));
  const initdb = ['initdb', '-D', data, '-U', 'bve', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  const made = await run(unprivileged([join(binaries, initdb[0]!), ...initdb.slice(1)]), { cwd: data, env: {} });
  if (made.exitCode !== 0) throw new Error(`initdb: ${made.stderr.trim().slice(-400)}`);
  const port = await freePort();
  // The machine does not lose its power meanwhile.
  const settings = ['listen_addresses=127.0.0.1', 'fsync=off', 'shared_buffers=32MB', 'max_connections=100'];
  const child = spawnChild(
    unprivileged([
      join(binaries, 'postgres'),
      '-D',
      data,
      '-p',
      String(port),
      '-k',
      data,
      ...settings.flatMap((each) => ['-c', each]),
    ]),
    { core: null, cwd: data },
  );
  await waitForPort(port, child);
  await isReady(join(binaries, 'pg_isready'), port);
  const url = `postgres://bve@127.0.0.1:${port}/postgres`;
  // SIGINT ends it with its clients still there.
  return { url, stop: () => ended(child, 'SIGINT') };
}

/** It listens before it serves. */
async function isReady(pgIsReady: string, port: number): Promise<void> {
  const untilMs = performance.now() + STARTS_WITHIN_MS;
  while (performance.now() < untilMs) {
    const { exitCode } = await run([pgIsReady, '-h', '127.0.0.1', '-p', String(port)], { cwd: '/' });
    if (exitCode === 0) return;
    await Bun.sleep(20);
  }
  throw new Error('PostgreSQL does not get ready');
}

export async function startRedis(folder: string): Promise<Server> {
  const data = ownFolder(join(folder, 'redis'));
  const port = await freePort();
  const child = spawnChild(
    unprivileged([
      'redis-server',
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      data,
      '--save',
      '',
      '--appendonly',
      'no',
    ]),
    { core: null, cwd: data },
  );
  await waitForPort(port, child);
  return { url: `redis://127.0.0.1:${port}`, stop: () => ended(child, 'SIGTERM') };
}

/** PostgreSQL refuses to run as root. */
function unprivileged(command: readonly string[]): readonly string[] {
  if (userInfo().uid !== 0) return command;
  return ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...command];
}

function ownFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (userInfo().uid === 0) {
    chownSync(path, NOBODY, NOBODY);
    // Made by mkdtemp for its owner alone: others may pass through.
    chmodSync(dirname(path), 0o711);
  }
  return path;
}

async function ended({ process: child }: Child, signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS);
  await child.exited;
  clearTimeout(timer);
}
