/** What keys used by UTC day as of one moment: what is in the store, and the records on their way there. */
import type { UsedDay, UseSource } from '../limits/memory.ts';
import type { UsageWriter } from './usage-writer.ts';

/** A write that begins during a read makes it outdated: it is repeated. Writes take 1 ms in every 60. */
const TRIES = 10;

export class RecordedUse implements UseSource {
  readonly #store: { usageDays(keyId: string, first: number, last: number): Promise<readonly UsedDay[]> };
  readonly #writer: Pick<UsageWriter, 'betweenWrites' | 'writesBegun' | 'unwrittenUse'>;

  constructor(
    store: { usageDays(keyId: string, first: number, last: number): Promise<readonly UsedDay[]> },
    writer: Pick<UsageWriter, 'betweenWrites' | 'writesBegun' | 'unwrittenUse'>,
  ) {
    this.#store = store;
    this.#writer = writer;
  }

  async usedDays(keyId: string, first: number, last: number, done: (days: readonly UsedDay[]) => void): Promise<void> {
    for (let i = 0; i < TRIES; i++) {
      await this.#writer.betweenWrites();
      const writes = this.#writer.writesBegun;
      const stored = await this.#store.usageDays(keyId, first, last);
      if (this.#writer.writesBegun !== writes) continue;
      const unwritten = [...this.#writer.unwrittenUse(keyId).of(keyId)].filter(([day]) => day >= first && day <= last);
      done(
        merge(
          stored,
          unwritten.map(([day, { requests, tokens }]) => ({ day, requests, totalTokens: tokens })),
        ),
      );
      return;
    }
    throw new Error('records are written without a pause');
  }
}

function merge(stored: readonly UsedDay[], unwritten: readonly UsedDay[]): UsedDay[] {
  const days = new Map(stored.map((day) => [day.day, day]));
  for (const { day, requests, totalTokens } of unwritten) {
    const known = days.get(day);
    days.set(day, {
      day,
      requests: requests + (known?.requests ?? 0),
      totalTokens: totalTokens + (known?.totalTokens ?? 0),
    });
  }
  return [...days.values()];
}
