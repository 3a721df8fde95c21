/**
 * Whether a target gets requests: a circuit breaker with half-open probes. Pure arithmetic, times are arguments
 * (milliseconds since 1970).
 *
 * A target is `up`, `resting` until a time, or `probing`: its rest is over and one request finds out whether it works again.
 * Whether it may rest at all (another target must be there for its requests) is for the caller to say.
 */

type HealthState = 'up' | 'resting' | 'probing';

const FAILURES_IN_ROW_MAX = 5;
/** A rest doubles with each probe that fails. With the time of a probe the longest stays below 5 s. */
const REST_MIN_MS = 500;
const REST_MAX_MS = 2000;
/** A reset time beyond this is a mistake; the target is probed after it. */
const TOLD_REST_MAX_MS = 24 * 3_600_000;

export class TargetHealth {
  #failuresInRow = 0;
  /** Null while it is up. */
  #restsUntilMs: number | null = null;
  #restMs = 0;
  #isProbed = false;

  get state(): HealthState {
    if (this.#restsUntilMs === null) return 'up';
    return this.#isProbed ? 'probing' : 'resting';
  }

  get failuresInRow(): number {
    return this.#failuresInRow;
  }

  get restsUntilMs(): number | null {
    return this.#restsUntilMs;
  }

  isProbeDue(nowMs: number): boolean {
    return this.#restsUntilMs !== null && !this.#isProbed && nowMs >= this.#restsUntilMs;
  }

  /** Only when one is due. Ends with one of the calls below that say `isProbe`, or with `probeCancelled`. */
  beginProbe(): void {
    this.#isProbed = true;
  }

  /** The probe ended without an answer for a reason of our own: the next request is one. */
  probeCancelled(): void {
    this.#isProbed = false;
  }

  /**
   * @param onTrial it goes back to rest with the next failure
   * @returns whether it is up again
   */
  succeeded(isProbe: boolean, onTrial = false): boolean {
    if (this.#restsUntilMs !== null && !isProbe) return false;
    const returns = this.#restsUntilMs !== null;
    this.#failuresInRow = onTrial ? FAILURES_IN_ROW_MAX - 1 : 0;
    if (!onTrial) this.#restMs = 0;
    this.#restsUntilMs = null;
    this.#isProbed = false;
    return returns;
  }

  /** @returns whether it rests from now on */
  failed(nowMs: number, isProbe: boolean, mayRest: boolean): boolean {
    // What was under way when the rest began says nothing new.
    if (this.#restsUntilMs !== null && !isProbe) return false;
    this.#failuresInRow = Math.min(this.#failuresInRow + 1, FAILURES_IN_ROW_MAX);
    return (isProbe || this.#failuresInRow === FAILURES_IN_ROW_MAX) && this.#rest(nowMs, isProbe, mayRest);
  }

  /** Its key is refused: it rests at once. @returns whether it rests from now on */
  refused(nowMs: number, isProbe: boolean, mayRest: boolean): boolean {
    if (this.#restsUntilMs !== null && !isProbe) return false;
    return this.#rest(nowMs, isProbe, mayRest);
  }

  /** It has said until when it has nothing for us. @returns whether it rests from now on */
  restUntil(untilMs: number, nowMs: number, isProbe: boolean, mayRest: boolean): boolean {
    if (isProbe) this.#isProbed = false;
    const rested = this.#restsUntilMs !== null;
    const boundedMs = Math.min(untilMs, nowMs + TOLD_REST_MAX_MS);
    if (rested) {
      this.#restsUntilMs = Math.max(this.#restsUntilMs!, boundedMs);
      return isProbe;
    }
    if (!mayRest || boundedMs <= nowMs) return false;
    this.#restsUntilMs = boundedMs;
    return true;
  }

  /** There is no other target any more: it is asked, whatever it did. */
  wake(): void {
    this.#restsUntilMs = null;
    this.#isProbed = false;
    this.#failuresInRow = 0;
    this.#restMs = 0;
  }

  #rest(nowMs: number, isProbe: boolean, mayRest: boolean): boolean {
    if (isProbe) this.#isProbed = false;
    if (this.#restsUntilMs === null && !mayRest) return false;
    this.#restMs = Math.min(REST_MAX_MS, Math.max(REST_MIN_MS, this.#restMs * 2));
    this.#restsUntilMs = nowMs + this.#restMs;
    return true;
  }
}
