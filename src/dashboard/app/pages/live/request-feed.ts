/**
 * The last finished requests, newest first, bounded. While it is held (paused, or scrolled away from the top) new ones are
 * collected out of sight and counted.
 */
import type { RequestRecord } from '../../api/api-types.ts';

export const FEED_ROWS_MAX = 1000;

export class RequestFeed {
  /** Oldest first, so that adding one costs nothing. */
  #shown: RequestRecord[] = [];
  #waiting: RequestRecord[] = [];
  #held = false;
  #newCount = 0;
  #droppedCount = 0;
  /** Grows with each change of what is to be drawn. */
  revision = 0;

  get held(): boolean {
    return this.#held;
  }

  /** How many came since it was held. */
  get newCount(): number {
    return this.#newCount;
  }

  /** How many the gateway did not send, because this page was too slow. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  add(record: RequestRecord): void {
    if (this.#held) this.#newCount++;
    keep(this.#held ? this.#waiting : this.#shown, record);
    this.revision++;
  }

  dropped(count: number): void {
    this.#droppedCount += count;
    this.revision++;
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    if (!this.#held) return;
    for (const record of this.#waiting) keep(this.#shown, record);
    this.#waiting = [];
    this.#held = false;
    this.#newCount = 0;
    this.revision++;
  }

  clear(): void {
    this.#shown = [];
    this.#waiting = [];
    this.#newCount = 0;
    this.#droppedCount = 0;
    this.revision++;
  }

  /** Newest first. */
  rows(matches: (record: RequestRecord) => boolean): RequestRecord[] {
    const rows: RequestRecord[] = [];
    for (let i = this.#shown.length - 1; i >= 0 && rows.length < FEED_ROWS_MAX; i--) {
      if (matches(this.#shown[i]!)) rows.push(this.#shown[i]!);
    }
    return rows;
  }
}

/** Cuts only now and then: a shift for each of 500 records a second would move the whole list each time. */
function keep(list: RequestRecord[], record: RequestRecord): void {
  list.push(record);
  if (list.length >= FEED_ROWS_MAX * 2) list.splice(0, list.length - FEED_ROWS_MAX);
}
