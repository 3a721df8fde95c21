/**
 * What limits a key (contract, section 5), as the data plane sees it: `admit` before a request, `release` after it.
 *
 * Guarantees of every implementation, held to by `test/limits/contract.ts`: all limits are decided at once, and a request
 * refused by one is counted by none; a granted request holds a permit of the key's concurrency limit until it is
 * released. Times are arguments (milliseconds since 1970), so that a shared counter store can count by them as well.
 */
import type { ApiKey } from '../keys/key.ts';
import { retryAfterS } from './windows.ts';

export interface Limiter {
  /**
   * Answers at once when it can; with a promise only when counters have to be fetched first.
   * @throws LimitsUnavailable, or rejects with it
   */
  admit(key: ApiKey, nowMs: number): Admission | Promise<Admission>;
  /** What each limit has counted; counts nothing. @throws LimitsUnavailable, or rejects with it */
  status(key: ApiKey, nowMs: number): KeyLimitStatus | Promise<KeyLimitStatus>;
}

/** The counters cannot be reached. `failure-policy.ts` decides about requests then. */
export class LimitsUnavailable extends Error {
  override readonly name = 'LimitsUnavailable';
}

/** The counters answer, and will never do their work as they are configured. For the person who configured them. */
export class LimitsMisconfigured extends Error {
  override readonly name = 'LimitsMisconfigured';
}

export type Admission = Granted | Refused;

export interface Granted {
  readonly granted: true;
  readonly admittedAtMs: number;
  /**
   * Reserves the tokens that the request is going to use, once that is known: other requests cannot use them until the
   * release. A refused reservation reserves nothing; the request must still be released.
   */
  reserve(reservation: Reservation): Refused | null | Promise<Refused | null>;
  /**
   * Ends the request: gives its permit and its reservations back and counts what it used, from this moment on and in the
   * month of its admission. Calling it again does nothing.
   * @param used null: not known
   */
  release(used: Used | null): void;
}

export interface Reservation {
  readonly tokens: number;
}

export interface Used {
  readonly tokens: number;
}

export interface Refused {
  readonly granted: false;
  /** null: the counters could not be reached, and the operator wants requests refused then. */
  readonly limit: LimitName | null;
  readonly message: string;
  readonly retryAfterS: number;
}

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

export interface LimitStatus {
  readonly limit: number | null;
  readonly used: number;
  /** null: no window is open, or it is the end of a request that makes room. */
  readonly resetsAtMs: number | null;
}

export type KeyLimitStatus = Readonly<Record<LimitName, LimitStatus>>;

/** When a request in flight will end is not known: try again soon. */
const CONCURRENT_WAIT_MS = 1_000;

/**
 * The refusal a request gets, or null. Of several exceeded limits the one with the longest wait is named: after any
 * shorter one the client would only be refused again. Of equal waits the first in the contract's table.
 */
export function refusalOf(status: KeyLimitStatus, nowMs: number): Refused | null {
  let name: LimitName | null = null;
  let waitMs = 0;
  for (const candidate of LIMIT_NAMES) {
    const { limit, used, resetsAtMs } = status[candidate];
    if (limit === null || used < limit) continue;
    const candidateMs = resetsAtMs === null ? CONCURRENT_WAIT_MS : Math.max(0, resetsAtMs - nowMs);
    if (name !== null && candidateMs <= waitMs) continue;
    name = candidate;
    waitMs = candidateMs;
  }
  return name === null ? null : refused(name, waitMs);
}

export function refused(limit: LimitName, waitMs: number): Refused {
  return { granted: false, limit, message: LIMIT_MESSAGES[limit], retryAfterS: retryAfterS(waitMs) };
}
