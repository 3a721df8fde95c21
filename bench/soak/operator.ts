/** Somebody who has the dashboard open: watches the live feed, and asks for reports now and then. */
import type { AdminClient } from './admin-client.ts';

const REPORTS = [
  '/usage/summary?group_by=model',
  '/usage/summary?group_by=key,day',
  '/usage',
  '/requests?limit=200',
  '/api-keys',
  '/targets',
  '/config',
];
const LIVE_AGAIN_MS = 200;

export class Operator {
  /** Events of the live feed: records and snapshots. */
  readonly seen = { request: 0, snapshot: 0, dropped: 0 };
  reports = 0;
  readonly #admin: AdminClient;
  readonly #leaves = new AbortController();

  constructor(admin: AdminClient) {
    this.#admin = admin;
  }

  /** One report. @throws Error when it is not answered as it must be */
  async look(): Promise<void> {
    await this.#admin.call('GET', REPORTS[this.reports++ % REPORTS.length]!, 200);
  }

  /** Watches until `leave`, and begins again when the gateway was away. */
  async watch(): Promise<void> {
    while (!this.#leaves.signal.aborted) {
      try {
        for await (const name of this.#admin.events('/live', this.#leaves.signal)) {
          if (name in this.seen) this.seen[name as keyof typeof this.seen]++;
        }
      } catch {
        // The gateway is away: so often it is stopped or killed.
      }
      await Bun.sleep(LIVE_AGAIN_MS);
    }
  }

  leave(): void {
    this.#leaves.abort();
  }
}
