/** A Redis (or Valkey) server of the tests' own: Debian's binary, a free port on 127.0.0.1, nothing on disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'iovalkey';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const PROGRAM = Bun.which('redis-server') ?? Bun.which('valkey-server');

/** Why there is no Redis to test with; null when there is one. */
export const WITHOUT_REDIS: string | null =
  PROGRAM === null ? 'skipped: neither redis-server nor valkey-server is installed (Debian: redis-server)' : null;
if (WITHOUT_REDIS !== null) console.log(WITHOUT_REDIS);

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  /** A client of the test's own. */
  client(options?: RedisOptions): Redis;
  /** `kill` is a crash. What was in memory is gone either way. */
  stop(how?: 'term' | 'kill'): Promise<void>;
  /** On the same port. */
  start(): Promise<void>;
  /** Connections stay, nothing answers. */
  freeze(): void;
  thaw(): void;
}

interface RedisServerOptions {
  /** Lines of redis.conf as arguments: `['--requirepass', 'x']`. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** How to ask whether it answers. */
  readonly clientOptions?: RedisOptions;
  /** Default: a free one. With TLS the plain port is 0. */
  readonly port?: number;
  readonly portOption?: '--port' | '--tls-port';
  /** The sentinel of the same binary. */
  readonly sentinelConfig?: string;
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  if (PROGRAM === null) throw new Error(WITHOUT_REDIS!);
  const folder = mkdtempSync(join(tmpdir(), 'bve-redis-'));
  const port = options.port ?? freePort();
  const clients: Redis[] = [];
  let child: Bun.Subprocess | undefined;

  const client = (more: RedisOptions = {}) => {
    const made = new Redis({ host: '127.0.0.1', port, ...options.clientOptions, ...more });
    made.on('error', () => {});
    clients.push(made);
    return made;
  };
  const answers = async () => {
    const probe = new Redis({
      host: '127.0.0.1',
      port,
      ...options.clientOptions,
      lazyConnect: true,
      retryStrategy: () => null,
    });
    probe.on('error', () => {});
    try {
      await probe.connect();
      return (await probe.ping()) === 'PONG';
    } catch {
      return false;
    } finally {
      probe.disconnect();
    }
  };
  const start = async () => {
    const own =
      options.sentinelConfig === undefined
        ? ['--save', '', '--appendonly', 'no', '--bind', '127.0.0.1', '--dir', folder]
        : [];
    const command = [PROGRAM, ...(options.sentinelConfig === undefined ? [] : [options.sentinelConfig, '--sentinel'])];
    child = Bun.spawn([...command, options.portOption ?? '--port', String(port), ...own, ...(options.args ?? [])], {
      stdout: 'ignore',
      stderr: 'ignore',
      cwd: folder,
      ...(options.env ? { env: { PATH: process.env.PATH ?? '', ...options.env } } : {}),
    });
    await eventually(answers, () => `redis-server on port ${port} does not answer`);
  };
  const stop = async (how: 'term' | 'kill' = 'term') => {
    child?.kill('SIGCONT');
    child?.kill(how === 'kill' ? 'SIGKILL' : 'SIGTERM');
    await child?.exited;
    child = undefined;
  };
  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    folder,
    client,
    stop,
    start,
    freeze: () => child?.kill('SIGSTOP'),
    thaw: () => child?.kill('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      for (const made of clients) made.disconnect();
      await stop('kill');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
