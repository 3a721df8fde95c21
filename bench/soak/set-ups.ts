/** What a soak runs on: where the gateway keeps keys and usage, and how many processes it has. */
import { join } from 'node:path';
import { missingServers, startPostgres, startRedis } from './servers.ts';

/** Servers that run beside the gateway for one soak. */
interface Services {
  readonly env: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  stop(): Promise<void>;
}

export interface SetUp {
  readonly name: string;
  readonly about: string;
  /** How long a change of a key may take to be in effect everywhere, beyond its answer. */
  readonly keyLagMs: number;
  /** Minute windows and permits outlive a process. */
  readonly countersAreShared: boolean;
  /** A reload replaces the processes that serve. */
  readonly reloadRestarts: boolean;
  /** Why it cannot run on this machine; null: it can. */
  missing(): string | null;
  start(folder: string): Promise<Services>;
}

const sqlite: SetUp = {
  name: 'sqlite',
  about: 'one process, SQLite',
  keyLagMs: 0,
  countersAreShared: false,
  reloadRestarts: false,
  missing: () => null,
  start: async (folder) => {
    const databaseUrl = `sqlite://${join(folder, 'bve.db')}`;
    return { databaseUrl, env: { DATABASE_URL: databaseUrl }, stop: async () => {} };
  },
};

const postgres: SetUp = {
  name: 'postgres',
  about: 'two workers, PostgreSQL and Redis',
  // The contract gives other processes a second; the rest is for the way there.
  keyLagMs: 1_250,
  countersAreShared: true,
  reloadRestarts: true,
  missing: missingServers,
  start: async (folder) => {
    const database = await startPostgres(folder);
    const counters = await startRedis(folder);
    return {
      databaseUrl: database.url,
      env: { WORKERS: '2', DATABASE_URL: database.url, REDIS_URL: counters.url },
      stop: async () => {
        await database.stop();
        await counters.stop();
      },
    };
  },
};

export const SET_UPS: readonly SetUp[] = [sqlite, postgres];
