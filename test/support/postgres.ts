/**
 * A Postgres server of the tests' own: Debian's binaries, a folder in /tmp, a free port on 127.0.0.1, nothing synced to disk:
 * what it committed survives its own crash, not the machine's.
 * Postgres refuses to run as root, so it runs as an ordinary user then.
 */
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const PACKAGED = '/usr/lib/postgresql';
const OLDEST = 15;
/** "postgres" of Debian's package, else nobody. */
const USER = Number(Bun.spawnSync(['id', '-u', 'postgres']).stdout.toString()) || 65_534;

function binaries(): string | null {
  const versions = existsSync(PACKAGED)
    ? readdirSync(PACKAGED)
        .map(Number)
        .sort((a, b) => b - a)
    : [];
  const newest = versions.find((version) => version >= OLDEST && existsSync(join(PACKAGED, `${version}/bin/initdb`)));
  return newest === undefined ? null : join(PACKAGED, `${newest}/bin`);
}

const BINARIES = binaries();

/** Why there is no Postgres to test with; null when there is one. */
export const WITHOUT_POSTGRES: string | null =
  BINARIES === null ? `skipped: Postgres ${OLDEST} or newer is not installed (Debian: postgresql)` : null;
if (WITHOUT_POSTGRES !== null) console.log(WITHOUT_POSTGRES);

export interface PostgresServer {
  readonly port: number;
  readonly folder: string;
  /** Of the database `bve`, as its owner. */
  readonly url: string;
  /** Of the server process, which gets signals. */
  readonly pid: number;
  /** A new empty database, and its URL. */
  createDatabase(): Promise<string>;
  /** `immediate` is a crash. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
  /** On the same port and folder. */
  start(): Promise<void>;
  /** Stops it and all its processes as a frozen machine does: connections stay, nothing answers. */
  freeze(): void;
  thaw(): void;
  /** A streaming replica of it on another port, read-only until it is promoted. */
  replica(): Promise<PostgresServer & { promote(): Promise<void> }>;
  [Symbol.asyncDispose](): Promise<void>;
}

export const asServerUser = (command: readonly string[]) =>
  process.getuid?.() === 0
    ? ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups', '--', ...command]
    : [...command];

async function run(command: readonly string[], cwd: string): Promise<void> {
  const child = Bun.spawn(asServerUser(command), { cwd, stdout: 'ignore', stderr: 'pipe' });
  const problem = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${command[0]} failed: ${problem}`);
}

/** @param settings lines of postgresql.conf */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  const folder = ownFolder();
  await run(
    [program('initdb'), '-D', dataIn(folder), '-U', 'bve', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '-N'],
    folder,
  );
  const server = await serve(folder, settings);
  const sql = new SQL(server.url.replace(/bve$/, 'postgres'), { max: 1 });
  await sql.unsafe('CREATE DATABASE bve');
  await sql.close();
  return server;
}

/** Of the tests' own, and the server's user's. */
function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bve-postgres-'));
  giveToServer(folder);
  return folder;
}

/** The server reads only its own user's keys. */
export function giveToServer(path: string): void {
  if (process.getuid?.() === 0) chownSync(path, USER, USER);
}

function program(name: string): string {
  if (BINARIES === null) throw new Error(WITHOUT_POSTGRES!);
  return join(BINARIES, name);
}

const dataIn = (folder: string) => join(folder, 'data');

/** Serves the data in a folder. */
async function serve(folder: string, settings: readonly string[]): Promise<PostgresServer> {
  const data = dataIn(folder);
  const port = freePort();
  const lines = [
    `port = ${port}`,
    "listen_addresses = '127.0.0.1'",
    `unix_socket_directories = '${folder}'`,
    'fsync = off',
    'full_page_writes = off',
    'max_connections = 200',
    ...settings,
  ];
  writeFileSync(join(data, 'postgresql.conf'), `${lines.join('\n')}\n`);
  let child: Bun.Subprocess | undefined;
  const urlOf = (database: string) => `postgres://bve@127.0.0.1:${port}/${database}`;

  const start = async () => {
    child = Bun.spawn(asServerUser([program('postgres'), '-D', data]), {
      cwd: folder,
      stdout: 'ignore',
      stderr: 'ignore',
    });
    await eventually(() => answers(urlOf('postgres')));
  };
  const stop = async (mode: 'fast' | 'immediate' = 'fast') => {
    signalAll('SIGCONT');
    child?.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    await child?.exited;
    child = undefined;
  };
  const signalAll = (signal: NodeJS.Signals) => {
    if (child === undefined || child.exitCode !== null) return;
    for (const pid of [child.pid, ...childrenOf(child.pid)]) {
      try {
        process.kill(pid, signal);
      } catch {
        // One that has just ended.
      }
    }
  };
  await start();
  return {
    port,
    folder,
    url: urlOf('bve'),
    get pid() {
      return child!.pid;
    },
    createDatabase: async () => {
      const name = `bve_${crypto.randomUUID().replaceAll('-', '')}`;
      const sql = new SQL(urlOf('postgres'), { max: 1 });
      await sql.unsafe(`CREATE DATABASE ${name}`);
      await sql.close();
      return urlOf(name);
    },
    stop,
    start,
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    replica: async () => {
      const copy = ownFolder();
      await run(
        [program('pg_basebackup'), '-d', urlOf('postgres'), '-D', dataIn(copy), '-R', '-X', 'stream', '-c', 'fast'],
        copy,
      );
      const replica = await serve(copy, settings);
      return {
        ...replica,
        promote: () => run([program('pg_ctl'), 'promote', '-D', dataIn(copy), '-w'], copy),
      };
    },
    [Symbol.asyncDispose]: async () => {
      await stop('immediate');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

export async function answers(url: string): Promise<boolean> {
  const sql = new SQL(url, { max: 1, connectionTimeout: 2 });
  try {
    await sql`SELECT 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.close({ timeout: 0 }).catch(() => {});
  }
}
