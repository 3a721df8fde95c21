/** A concurrency limit: counts what is in flight and refuses more than the limit. */
import { GatewayError } from '../errors.ts';

/** The refusal while the gateway stops. It closes the connection, so that the next request goes to another gateway. */
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
