/** Requests and tokens by key and UTC day, added up and taken off again: the use that is recorded and not in the store. */
import { dayOf } from '../limits/windows.ts';
import type { UsageRecord } from './usage-record.ts';

interface UseOfDay {
  readonly requests: number;
  readonly tokens: number;
}

export class UseTally {
  readonly #keys = new Map<string, Map<number, UseOfDay>>();

  /** Negative amounts take off; a day that comes to nothing takes no room. */
  add(keyId: string, day: number, requests: number, tokens: number): void {
    const days = this.#keys.get(keyId) ?? new Map<number, UseOfDay>();
    const before = days.get(day);
    const after = { requests: (before?.requests ?? 0) + requests, tokens: (before?.tokens ?? 0) + tokens };
    if (after.requests === 0 && after.tokens === 0) days.delete(day);
    else days.set(day, after);
    if (days.size === 0) this.#keys.delete(keyId);
    else this.#keys.set(keyId, days);
  }

  /** @param sign -1 takes it off again */
  addRecord({ keyId, admittedAt, totalTokens }: UsageRecord, sign: 1 | -1): void {
    if (admittedAt !== null) this.add(keyId, dayOf(admittedAt), sign, sign * (totalTokens ?? 0));
  }

  clear(): void {
    this.#keys.clear();
  }

  of(keyId: string): ReadonlyMap<number, UseOfDay> {
    return this.#keys.get(keyId) ?? NONE;
  }
}

const NONE: ReadonlyMap<number, UseOfDay> = new Map();
