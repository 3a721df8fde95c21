/**
 * Deletes usage records that are older than the operator wants them kept. Days and months stay: they are what limits and
 * reports need.
 *
 * SQLite runs on the event loop, so a backlog goes in small transactions with pauses for the streams between them, and
 * a database in trouble is left alone until the next round.
 */
interface RecordSource {
  /** Deletes at most `limit` of the oldest records before a time. @returns how many */
  deleteUsageBefore(timeMs: number, limit: number): Promise<number>;
}

interface UsageRetentionOptions {
  /** Records are kept for this long. */
  readonly keepDays: number;
  /** Between two rounds. Default an hour; the first comes after a minute, when a start has other things to do. */
  readonly intervalMs?: number;
  readonly firstRoundMs?: number;
  /** Between two transactions of a round. Default 100. */
  readonly pauseMs?: number;
  /** Told how many records a round deleted, if any, or why it ended early. */
  readonly onRound?: (deleted: number, error: unknown) => void;
}

/** About 3 ms on the event loop. */
const BATCH_ROWS = 250;
const DAY_MS = 86_400_000;

export class UsageRetention {
  readonly #source: RecordSource;
  readonly #options: UsageRetentionOptions;
  #timer: Timer | undefined;
  #stopped = false;
  #round: Promise<void> = Promise.resolve();

  constructor(source: RecordSource, options: UsageRetentionOptions) {
    this.#source = source;
    this.#options = options;
    this.#schedule(options.firstRoundMs ?? 60_000);
  }

  /** Resolves when nothing of it uses the database any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#round = this.#run().finally(() => this.#schedule(this.#options.intervalMs ?? 3_600_000));
    }, delayMs);
    // It is no reason for a process to live on.
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const beforeMs = Date.now() - this.#options.keepDays * DAY_MS;
    let deleted = 0;
    let failure: unknown;
    try {
      for (;;) {
        const rows = await this.#source.deleteUsageBefore(beforeMs, BATCH_ROWS);
        deleted += rows;
        if (rows < BATCH_ROWS || this.#stopped) break;
        await Bun.sleep(this.#options.pauseMs ?? 100);
      }
    } catch (error) {
      failure = error;
    }
    if (deleted > 0 || failure !== undefined) this.#options.onRound?.(deleted, failure);
  }
}
