/**
 * LIMITS_ON_FAILURE: decides about requests when the counters cannot be reached in time. A decorator of any limiter, whose
 * calls never throw or reject for that reason.
 */
import type { ApiKey } from '../keys/key.ts';
import type { FailureReport } from '../observe/failure-report.ts';
import { type Admission, type KeyLimitStatus, type Limiter, LimitsUnavailable, type Refused } from './limiter.ts';

interface FailurePolicyOptions {
  /** Decides, by the counts of this process, while the limiter cannot be reached. */
  readonly fallback: Limiter;
  /** Whether requests are refused instead; `fallback` then only tells the status. */
  readonly deny: boolean;
  /** How long to wait for an answer; null: the limiter answers or rejects in time by itself. */
  readonly timeoutMs: number | null;
  /** Called for each request whose counters could not be reached. */
  readonly failures: FailureReport;
}

const UNREACHABLE: Refused = {
  granted: false,
  limit: null,
  message: 'The limits of this API key cannot be checked at the moment',
  retryAfterS: 1,
};

export class FailurePolicy implements Limiter {
  readonly #limiter: Limiter;
  readonly #options: FailurePolicyOptions;

  constructor(limiter: Limiter, options: FailurePolicyOptions) {
    this.#limiter = limiter;
    this.#options = options;
  }

  admit(key: ApiKey, nowMs: number): Admission | Promise<Admission> {
    try {
      const admission = this.#limiter.admit(key, nowMs);
      return admission instanceof Promise ? this.#settled(admission, key, nowMs) : admission;
    } catch (error) {
      return this.#admitWithout(error, key, nowMs);
    }
  }

  status(key: ApiKey, nowMs: number): KeyLimitStatus | Promise<KeyLimitStatus> {
    try {
      const status = this.#limiter.status(key, nowMs);
      if (!(status instanceof Promise)) return status;
      return this.#inTime(status).catch((error) => this.#statusWithout(error, key, nowMs));
    } catch (error) {
      return this.#statusWithout(error, key, nowMs);
    }
  }

  async #settled(admission: Promise<Admission>, key: ApiKey, nowMs: number): Promise<Admission> {
    try {
      return await this.#inTime(admission);
    } catch (error) {
      // Granted too late: its request is already decided.
      admission.then(
        (late) => late.granted && late.release(null),
        () => {},
      );
      return this.#admitWithout(error, key, nowMs);
    }
  }

  #admitWithout(error: unknown, key: ApiKey, nowMs: number): Admission | Promise<Admission> {
    if (!(error instanceof LimitsUnavailable)) throw error;
    const { fallback, deny, failures } = this.#options;
    failures.count(error);
    return deny ? UNREACHABLE : fallback.admit(key, nowMs);
  }

  #statusWithout(error: unknown, key: ApiKey, nowMs: number): KeyLimitStatus | Promise<KeyLimitStatus> {
    if (!(error instanceof LimitsUnavailable)) throw error;
    return this.#options.fallback.status(key, nowMs);
  }

  #inTime<T>(answer: Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options;
    if (timeoutMs === null) return answer;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new LimitsUnavailable(`no answer within ${timeoutMs} ms`)), timeoutMs);
    return Promise.race([answer, late.promise]).finally(() => clearTimeout(timer));
  }
}
