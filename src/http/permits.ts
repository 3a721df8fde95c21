/** How much is in flight at once, and whether more is let in. */
import { GatewayError } from '../errors.ts';

/** What is refused because the gateway stops: the next request belongs on another connection, to another gateway. */
export function shuttingDown(): GatewayError {
  return new GatewayError('overloaded', 'The gateway is shutting down', {
    retryAfterS: 1,
    reason: 'draining',
    closes: true,
  });
}

export class Permits {
  #inFlight = 0;
  #isClosed = false;
  #onIdle: (() => void)[] = [];
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** @throws GatewayError overloaded */
  take(): void {
    if (this.#isClosed) throw shuttingDown();
    if (this.#inFlight >= this.#max)
      throw new GatewayError('overloaded', 'The gateway is at its concurrency limit', {
        retryAfterS: 1,
        reason: 'requests',
      });
    this.#inFlight++;
  }

  release(): void {
    this.#inFlight--;
    if (this.#inFlight === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** Lets nothing in any more. */
  close(): void {
    this.#isClosed = true;
  }

  /** Resolves when nothing is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }
}
