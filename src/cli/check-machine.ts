/** Checks for `bve check` that need the machine: the address, the CA files, the database, the folder of spill files. */
import { createServer } from 'node:net';
import { ConfigError } from '../config/config-error.ts';
import { type Loaded, proxyVariables, readCaFile } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { LimitsMisconfigured } from '../limits/limiter.ts';
import { databaseProblem, storeOptionsOf } from '../store/open-store.ts';
import { proxyFor } from '../upstream/proxy.ts';
import { DiskSpillFolder } from '../usage/spill-folder.ts';

/** Returns one line for each problem, with the name of the variable. */
export async function problemsOfMachine({ config, targets }: Loaded): Promise<string[]> {
  const problems = [
    await hostProblem(config.host),
    ...caProblems('FUELIX_CA_FILE', config.fuelixCaFile),
    ...caProblems('DATABASE_CA_FILE', config.databaseCaFile),
    ...new Set(targets.map(({ baseUrl }) => proxyProblem(baseUrl))),
    ...(await databaseProblems(config)),
    ...caProblems('REDIS_CA_FILE', config.redisCaFile),
    await redisProblem(config),
    spillProblem(config.usageSpillDir),
  ];
  return problems.filter((problem) => problem !== null);
}

/** Listens on a free port: a running gateway may already use PORT. */
function hostProblem(host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) =>
      resolve(`HOST ${host} is no address of this machine, or no name of one (${error.code ?? error.message})`),
    );
    server.listen({ host: host.replace(/^\[(.*)\]$/, '$1'), port: 0 }, () => server.close(() => resolve(null)));
  });
}

/** A bad CA file is told of by itself. */
async function databaseProblems(config: Config): Promise<(string | null)[]> {
  if (caProblems('DATABASE_CA_FILE', config.databaseCaFile).length > 0) return [];
  return [await databaseProblem(config.databaseUrl, storeOptionsOf(config))];
}

/** A Redis that is away stops no start; one that will never do its work does. */
async function redisProblem({ redisUrl, redisTimeoutMs, redisCaFile }: Config): Promise<string | null> {
  if (redisUrl === undefined || caProblems('REDIS_CA_FILE', redisCaFile).length > 0) return null;
  const { RedisLink, parseRedisUrl } = await import('../limits/redis/redis.ts');
  const ca = readCaFile('REDIS_CA_FILE', redisCaFile);
  const link = new RedisLink(parseRedisUrl(redisUrl), { timeoutMs: redisTimeoutMs, ca });
  try {
    await link.start();
    return null;
  } catch (error) {
    if (error instanceof LimitsMisconfigured) return error.message;
    throw error;
  } finally {
    await link.close();
  }
}

function spillProblem(folder: string | undefined): string | null {
  const problem = folder === undefined ? null : new DiskSpillFolder(folder, '').problem();
  return problem === null ? null : `USAGE_SPILL_DIR ${problem}`;
}

function caProblems(...[option, path]: Parameters<typeof readCaFile>): readonly string[] {
  try {
    readCaFile(option, path);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function proxyProblem(baseUrl: string): string | null {
  try {
    proxyFor(new URL(baseUrl), proxyVariables());
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
