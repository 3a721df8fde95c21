/** `bve migrate`: everything from one database to another, of whichever kind. */
import { existsSync } from 'node:fs';
import { ConfigError } from '../config/config-error.ts';
import { loadDatabaseConfig } from '../config/load.ts';
import { complain, print, printJson } from '../output.ts';
import { type MovedCounts, moveDatabase } from '../store/move.ts';
import { databaseFacts, storeOptionsOf } from '../store/open-store.ts';
import type { StoreOptions } from '../store/store.ts';
import { StoreError } from '../store/store-error.ts';
import { spillFilesOf } from '../usage/open-usage.ts';
import { type Arguments, type Command, CommandFailure, textFlag, UsageError } from './command.ts';
import { CONFIG, JSON_OUTPUT } from './keys-database.ts';
import { textTable } from './text-table.ts';

/** Counting a large table takes its time, and nobody waits for an answer meanwhile. */
const STATEMENT_TIMEOUT_MS = 3_600_000;
const BUSY_TIMEOUT_MS = 5_000;
const PROGRESS_EVERY_MS = 2_000;

export const migrate: Command = {
  name: 'migrate',
  summary: 'move keys and usage from one database to another',
  options: {
    from: { type: 'string', value: 'URL', help: 'the database that has them: sqlite://PATH or postgres://…' },
    to: { type: 'string', value: 'URL', help: 'the database that gets them, an empty one [DATABASE_URL]' },
    json: { ...JSON_OUTPUT, help: 'rows and sums of each table as JSON, for scripts' },
    config: CONFIG,
  },
  details: `Keys, secrets, usage records and all totals are copied; the source stays as it is. Stop the gateways that use either of the
two. What was interrupted is run again, with the same flags. In the end rows and sums of both are compared.

  bve migrate --from sqlite://bve.db --to postgres://bve@db.internal/bve

Flags are seen by whoever lists the processes of the machine: give a URL with a password as DATABASE_URL (or DATABASE_URL_FILE),
which is what --to is without the flag. The other DATABASE_… options apply to whichever of the two is a Postgres.`,
  async run(args) {
    const config = loadDatabaseConfig({ configFile: textFlag(args, 'config') });
    const from = urlFrom(args, 'from');
    if (from === undefined) throw new UsageError('--from is missing: the database to move');
    const to = urlFrom(args, 'to') ?? config.databaseUrl;
    if (databaseFacts(from).id === databaseFacts(to).id) throw new UsageError('--from and --to are the same database');
    refuseMissing(from);
    refuseSpilled(from, config.usageSpillDir);
    const { postgres } = storeOptionsOf(config);
    const store: StoreOptions = {
      busyTimeoutMs: BUSY_TIMEOUT_MS,
      ...(postgres ? { postgres: { ...postgres, statementTimeoutMs: STATEMENT_TIMEOUT_MS } } : {}),
    };
    const counts = await moved(from, to, store);
    if (args.flags.json) printJson(Object.fromEntries(counts.map(({ table, to }) => [table, to])));
    else print(`${tableOf(counts)}\nAll of it is in both. The target is ready to be used.\n`);
    return 0;
  },
};

function urlFrom(args: Arguments, name: 'from' | 'to'): string | undefined {
  const url = textFlag(args, name);
  if (url === undefined) return undefined;
  try {
    databaseFacts(url);
    return url;
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new UsageError(`--${name}: ${error.message.replace(/^DATABASE_URL (cannot be used: )?/, '')}`);
  }
}

/** A store would make it. */
function refuseMissing(from: string): void {
  const { path } = databaseFacts(from);
  if (path !== null && !existsSync(path)) throw new CommandFailure(`the source ${path} does not exist`);
}

/** Records that wait in files would be left behind. */
function refuseSpilled(from: string, usageSpillDir: string | undefined): void {
  const files = spillFilesOf({ databaseUrl: from, usageSpillDir });
  if (files.problem() !== null || files.names().length === 0) return;
  throw new CommandFailure(
    'usage records of the source wait in spill files: start a gateway on it once, which takes them up, and stop it',
  );
}

async function moved(from: string, to: string, store: StoreOptions): Promise<MovedCounts[]> {
  let saidAtMs = performance.now();
  const onProgress = (records: number) => {
    if (performance.now() - saidAtMs < PROGRESS_EVERY_MS) return;
    saidAtMs = performance.now();
    complain(`${records} usage records moved\n`);
  };
  try {
    return await moveDatabase(from, to, { store, onProgress });
  } catch (error) {
    if (error instanceof ConfigError || error instanceof UsageError) throw error;
    throw new CommandFailure((error as Error).message);
  }
}

function tableOf(counts: readonly MovedCounts[]): string {
  const rows = counts.map(({ table, to }) => [table, to.rows ?? '', to.requests ?? '-', to.total_tokens ?? '-']);
  return textTable([['TABLE', 'ROWS', 'REQUESTS', 'TOKENS'], ...rows], [1, 2, 3]);
}
