/**
 * What limits a key (contract, section 5), as the data plane sees it: one question before a request, one word after it.
 *
 * Guarantees of every implementation, held to by `test/limits/contract.ts`: all limits are decided at once, and a request
 * refused by one is counted by none; a granted admission holds a place among the concurrent ones until it is released;
 * no call throws or rejects, because whether limits that cannot be counted let requests through is decided in here.
 * Times are arguments (milliseconds since 1970), so that a shared counter store can count by them as well.
 */
import type { ApiKey } from '../keys/key.ts';
import { retryAfterS } from './windows.ts';

export interface Limiter {
  /** Answers at once when it can; with a promise only when counters have to be fetched first. */
  admit(key: ApiKey, nowMs: number): Admission | Promise<Admission>;
  /**
   * Tokens count in the month in which their request was admitted, from the moment they are known: the next request is
   * the first that they can refuse.
   * @param admittedAtMs from the admission
   */
  charge(keyId: string, tokens: number, admittedAtMs: number): void;
  /** Where a key stands; counts nothing. */
  status(key: ApiKey, nowMs: number): KeyStanding | Promise<KeyStanding>;
}

export type Admission = Granted | Refused;

export interface Granted {
  readonly granted: true;
  readonly admittedAtMs: number;
  /** Gives the place among the concurrent requests back; calling it again does nothing. */
  release(): void;
}

export interface Refused {
  readonly granted: false;
  /** null: the counters could not be reached, and the operator wants requests refused then. */
  readonly limit: LimitName | null;
  readonly message: string;
  readonly retryAfterS: number;
}

/** What becomes of requests whose counters cannot be reached. */
export type OnFailure = 'allow' | 'deny';

export const LIMIT_NAMES = [
  'requestsPerMinute',
  'requestsPerDay',
  'requestsPerMonth',
  'tokensPerMonth',
  'concurrent',
] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

/** Clients may match on these. */
export const LIMIT_MESSAGES: Readonly<Record<LimitName, string>> = {
  requestsPerMinute: 'Rate limit exceeded: requests per minute',
  requestsPerDay: 'Rate limit exceeded: requests per day',
  requestsPerMonth: 'Monthly request limit exceeded',
  tokensPerMonth: 'Monthly token limit exceeded',
  concurrent: 'Rate limit exceeded: concurrent requests',
};

export interface LimitStanding {
  readonly limit: number | null;
  readonly used: number;
  /** null: no window is open, or nothing but the end of a request frees a place. */
  readonly resetsAtMs: number | null;
}

export type KeyStanding = Readonly<Record<LimitName, LimitStanding>>;

/** How long a place among the concurrent requests takes to become free is not known: try again soon. */
const CONCURRENT_WAIT_MS = 1_000;

/**
 * The refusal a request gets, or null. Of several exceeded limits the one with the longest wait is named: after any
 * shorter one the client would only be refused again. Of equal waits the first in the contract's table.
 */
export function refusalOf(standing: KeyStanding, nowMs: number): Refused | null {
  let name: LimitName | null = null;
  let waitMs = 0;
  for (const candidate of LIMIT_NAMES) {
    const { limit, used, resetsAtMs } = standing[candidate];
    if (limit === null || used < limit) continue;
    const candidateMs = resetsAtMs === null ? CONCURRENT_WAIT_MS : Math.max(0, resetsAtMs - nowMs);
    if (name !== null && candidateMs <= waitMs) continue;
    name = candidate;
    waitMs = candidateMs;
  }
  if (name === null) return null;
  return { granted: false, limit: name, message: LIMIT_MESSAGES[name], retryAfterS: retryAfterS(waitMs) };
}

export const UNREACHABLE: Refused = {
  granted: false,
  limit: null,
  message: 'The limits of this API key cannot be checked at the moment',
  retryAfterS: 1,
};
