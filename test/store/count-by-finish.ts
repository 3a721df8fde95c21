import type { UsageStore } from '../../src/store/store.ts';
import type { Finish } from '../../src/usage/usage-record.ts';

/** How many records ended in which way, of one key or of all; an ending that never happened is absent. */
export async function countByFinish(store: UsageStore, keyId?: string): Promise<Partial<Record<Finish, number>>> {
  const counts: Partial<Record<Finish, number>> = {};
  for (const { finish } of await store.recentUsage({ limit: 1_000_000, ...(keyId === undefined ? {} : { keyId }) })) {
    counts[finish] = (counts[finish] ?? 0) + 1;
  }
  return counts;
}
