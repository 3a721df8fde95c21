/** Limits as one would check them with pencil and paper: keeps every admission and counts them all anew each time. */
import type { ApiKey } from '../../src/keys/key.ts';
import type { Granted, LimitName } from '../../src/limits/limiter.ts';

interface KeptAdmission {
  readonly atMs: number;
  readonly day: string;
  readonly month: string;
  tokens: number;
}

export class LimitsOracle {
  readonly #admissions = new Map<string, KeptAdmission[]>();
  readonly #minutes = new Map<string, { readonly startMs: number; count: number }>();
  readonly #flying = new Map<string, { readonly granted: Granted; readonly kept: KeptAdmission }[]>();

  /** The limit that refuses and the wait it must tell, or null when all of them let the request in. */
  admit(key: ApiKey, nowMs: number): [LimitName, number] | null {
    const iso = new Date(nowMs).toISOString();
    const kept = listOf(this.#admissions, key.id);
    const today = kept.filter(({ day }) => day === iso.slice(0, 10)).length;
    const thisMonth = kept.filter(({ month }) => month === iso.slice(0, 7));
    const tokens = thisMonth.reduce((sum, admission) => sum + admission.tokens, 0);
    const minute = this.#minutes.get(key.id);
    const inMinute = minute && nowMs < minute.startMs + 60_000 ? minute : undefined;
    const dayEndMs = Date.parse(`${iso.slice(0, 10)}T00:00:00Z`) + 24 * 3_600_000;
    const monthEndMs = Date.UTC(Number(iso.slice(0, 4)), Number(iso.slice(5, 7)), 1);

    const exceeded: [LimitName, number][] = [];
    const check = (name: LimitName, limit: number | null, used: number, waitMs: number) => {
      if (limit !== null && used >= limit) exceeded.push([name, waitMs]);
    };
    check('requestsPerMinute', key.rpmLimit, inMinute?.count ?? 0, (inMinute?.startMs ?? 0) + 60_000 - nowMs);
    check('requestsPerDay', key.rpdLimit, today, dayEndMs - nowMs);
    check('requestsPerMonth', key.monthlyLimit, thisMonth.length, monthEndMs - nowMs);
    check('tokensPerMonth', key.monthlyTokenLimit, tokens, monthEndMs - nowMs);
    check('concurrent', key.maxConcurrent, listOf(this.#flying, key.id).length, 1_000);
    const longestMs = Math.max(...exceeded.map(([, waitMs]) => waitMs));
    const named = exceeded.find(([, waitMs]) => waitMs === longestMs);
    if (named) return [named[0], Math.max(1, Math.ceil(longestMs / 1000))];

    kept.push({ atMs: nowMs, day: iso.slice(0, 10), month: iso.slice(0, 7), tokens: 0 });
    if (inMinute) inMinute.count++;
    else this.#minutes.set(key.id, { startMs: nowMs, count: 1 });
    return null;
  }

  begun(key: ApiKey, granted: Granted): void {
    listOf(this.#flying, key.id).push({ granted, kept: listOf(this.#admissions, key.id).at(-1)! });
  }

  /** Ends the request of a key that has been in flight for the longest, if there is one. */
  endOne(key: ApiKey, tokens: number): void {
    const ended = listOf(this.#flying, key.id).shift();
    if (!ended) return;
    ended.kept.tokens = tokens;
    ended.granted.release({ tokens });
  }
}

function listOf<T>(lists: Map<string, T[]>, id: string): T[] {
  const list = lists.get(id) ?? [];
  lists.set(id, list);
  return list;
}
