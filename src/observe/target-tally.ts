/** What the only target was asked so far, and how often it failed. */
import type { ExchangeObserver, SettledExchange } from './observer.ts';

const TARGET = 'fuelix';

export class TargetTally implements ExchangeObserver {
  #attempts = 0;
  #failures = 0;

  settled({ attempts, finish, headMs, status }: SettledExchange): void {
    this.#attempts += attempts;
    if (attempts === 0 || finish === 'client_closed') return;
    if (headMs === null || status >= 500 || finish === 'upstream_interrupted') this.#failures++;
  }

  /** As GET /admin/live tells it. @param inFlight requests that are in flight */
  toJson(inFlight: number) {
    return {
      name: TARGET,
      state: 'up',
      in_flight: inFlight,
      attempts: this.#attempts,
      failures: this.#failures,
      quota_available: null,
      quota_reset: null,
      rests_until: null,
    };
  }
}
