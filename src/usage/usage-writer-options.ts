/** How a usage writer works; the defaults are what a gateway uses, with what was measured for them. */
import type { Scheduler } from './scheduler.ts';
import type { UsageTrouble } from './trouble-report.ts';
import type { UsageSpill } from './usage-spill.ts';

export interface UsageWriterOptions {
  /** Where records go that the store does not take; without it they wait in memory. */
  readonly spill?: UsageSpill;
  /**
   * How long a record may wait for others. Default 60, to keep what is promised, 100 with the write itself: that takes
   * 0.2 ms for ten records and 15 when SQLite moves its log into the file. With 75 a few of 2,000 a second took 100.
   */
  readonly flushIntervalMs?: number;
  /**
   * Default 250: of ten keys they take 1.3 ms on the event loop, 15 ms when SQLite moves its log into the file; 500 rows
   * take 2.3 and 15 ms.
   */
  readonly transactionRows?: number;
  /** As many waiting rows are written at once, without waiting for the interval. Default 1,000. */
  readonly flushRows?: number;
  /** Default 100,000, about 50 MB. */
  readonly queueRowsMax?: number;
  /** The pause after the first failure; it doubles up to a second. Default 20. */
  readonly retryMs?: number;
  /** A write that takes longer counts as a failure for those who wait behind it. Default 1,000. */
  readonly slowWriteMs?: number;
  /** Told of trouble once a second at the most. */
  readonly onTrouble?: (trouble: UsageTrouble) => void;
  readonly scheduler?: Scheduler;
}
