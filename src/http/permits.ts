/**
 * A concurrency limit: counts what is in flight and refuses more than the limit.
 *
 * One key cannot starve the others: while others ask, too, the last tenth of the permits is for keys that hold less than a
 * tenth. Who is alone may take all of them.
 */
import { GatewayError } from '../errors.ts';

/** The refusal while the gateway stops. It closes the connection, so that the next request goes to another gateway. */
export function shuttingDown(): GatewayError {
  return new GatewayError('overloaded', 'The gateway is shutting down', {
    retryAfterS: 1,
    reason: 'draining',
    closes: true,
  });
}

/** A key that was refused for that long has gone elsewhere. */
const OTHERS_ASKED_WITHIN_MS = 30_000;

export class Permits {
  #inFlight = 0;
  #isClosed = false;
  #onIdle: (() => void)[] = [];
  readonly #max: number;
  /** For keys that hold less than this; none of a limit below ten. */
  readonly #reserve: number;
  readonly #held = new Map<string, number>();
  /** The key that asked last, and the last one before it that is another. */
  #last = { key: '', atMs: Number.NEGATIVE_INFINITY };
  #other = { key: '', atMs: Number.NEGATIVE_INFINITY };

  constructor(max: number) {
    this.#max = max;
    this.#reserve = Number.isFinite(max) ? Math.floor(max / 10) : 0;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** @param key whose share it is; none: it has no share. @throws GatewayError overloaded */
  take(key?: string): void {
    if (this.#isClosed) throw shuttingDown();
    const isScarce = this.#inFlight >= this.#max - this.#reserve;
    const isBeyondShare = key !== undefined && isScarce && this.#isBeyondShare(key);
    if (this.#inFlight >= this.#max || isBeyondShare)
      throw new GatewayError('overloaded', 'The gateway is at its concurrency limit', {
        retryAfterS: 1,
        reason: 'requests',
      });
    this.#inFlight++;
    if (key !== undefined) this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  /** @param key as in `take` */
  release(key?: string): void {
    this.#inFlight--;
    if (key !== undefined) {
      const held = this.#held.get(key)! - 1;
      if (held === 0) this.#held.delete(key);
      else this.#held.set(key, held);
    }
    if (this.#inFlight === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** Asked only when permits are scarce, so that it costs nothing at other times. */
  #isBeyondShare(key: string): boolean {
    if (this.#reserve === 0) return false;
    const nowMs = performance.now();
    if (this.#last.key !== key) {
      this.#other = this.#last;
      this.#last = { key, atMs: nowMs };
    } else {
      this.#last.atMs = nowMs;
    }
    if ((this.#held.get(key) ?? 0) < this.#reserve) return false;
    return this.#held.size > 1 || (this.#other.key !== '' && nowMs - this.#other.atMs < OTHERS_ASKED_WITHIN_MS);
  }

  /** Grants nothing from now on. */
  close(): void {
    this.#isClosed = true;
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }
}
