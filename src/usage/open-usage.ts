/** The usage writer and the retention of usage records as the configuration wants them, with their lines in the log. */
import { dirname } from 'node:path';
import type { Config } from '../config/schema.ts';
import { messageOf } from '../observe/failure-report.ts';
import type { Log } from '../observe/log.ts';
import { databaseFacts } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { StoreError } from '../store/store-error.ts';
import { DiskSpillFolder } from './spill-folder.ts';
import { UsageRetention } from './usage-retention.ts';
import { UsageSpill } from './usage-spill.ts';
import { UsageWriter } from './usage-writer.ts';

/** What an earlier process left in files is in the store before the first request; if there is more of it, soon after. */
const TAKE_UP_WITHIN_MS = 5000;

/** Of a database: where its records go when it does not take them. */
export function spillFilesOf(config: Pick<Config, 'databaseUrl' | 'usageSpillDir'>): DiskSpillFolder {
  const { id, path } = databaseFacts(config.databaseUrl);
  return new DiskSpillFolder(config.usageSpillDir ?? (path === null ? '.' : dirname(path)), id);
}

/** @throws StoreError 'unusable' for a USAGE_SPILL_DIR that cannot be used */
export async function openUsage(config: Config, store: Store, log: Log): Promise<UsageWriter> {
  const files = spillFilesOf(config);
  const writer = new UsageWriter(store, {
    spill: new UsageSpill(files, config.usageSpillBytesMax),
    onTrouble: ({ error, spillError, ...rows }) => {
      const reason = error === null ? {} : { reason: error.message };
      const spillReason = spillError === null ? {} : { spill_reason: messageOf(spillError) };
      log.warn({ ...rows, ...reason, ...spillReason }, 'usage records wait or are lost');
    },
  });
  const problem = files.problem();
  if (problem !== null) {
    if (config.usageSpillDir !== undefined) throw new StoreError('unusable', `USAGE_SPILL_DIR ${problem}`);
    log.warn({ reason: problem }, 'usage records that the database does not take cannot be put into a file');
    return writer;
  }
  if (files.others() > 0) log.warn({ files: files.others() }, 'usage records of another database are in spill files');
  const records = writer.takeUpSpilled();
  const done = await writer.flush(TAKE_UP_WITHIN_MS);
  if (records > 0 || writer.skippedLines > 0) {
    log.warn({ records, skipped: writer.skippedLines, done }, 'usage records of an earlier run are taken up');
  }
  return writer;
}

export function retentionOf(config: Config, store: Store, log: Log): UsageRetention | null {
  if (config.usageRetentionDays === 0) return null;
  return new UsageRetention(store, {
    keepDays: config.usageRetentionDays,
    onRound: (deleted, error) => {
      if (error === undefined) log.info({ deleted }, 'old usage records deleted');
      else log.warn({ deleted, err: error }, 'old usage records could not be deleted');
    },
  });
}
