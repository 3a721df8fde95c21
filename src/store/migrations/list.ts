/** Every step of the schema. A new one is a file here and a line at the end of this list. */
import { keysAndUsage } from './0001-keys-and-usage.ts';
import { usageDays } from './0002-usage-days.ts';
import { usageMonths } from './0003-usage-months.ts';
import { keyFields } from './0004-key-fields.ts';
import { keyChanges } from './0005-key-changes.ts';
import { usageByModel } from './0006-usage-by-model.ts';
import { recordsByRequest } from './0007-records-by-request.ts';
import type { Migration } from './migration.ts';

/** In order, without gaps. */
export const MIGRATIONS: readonly Migration[] = [
  keysAndUsage,
  usageDays,
  usageMonths,
  keyFields,
  keyChanges,
  usageByModel,
  recordsByRequest,
];
