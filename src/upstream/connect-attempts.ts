/**
 * Bounds the attempts to connect that nobody waits for any more.
 *
 * Bun.connect cannot be cancelled (BUN 1.4.5: it ignores a `signal`, and there is no socket before `open`), so an attempt
 * that was given up keeps its file descriptor until the kernel gives it up too: two minutes on Linux for an address that does
 * not answer (tcp_syn_retries). Without a bound such an upstream takes all descriptors, and then the gateway cannot even
 * accept the clients it would have to tell. Beyond the bound only a few try at a time, which shows when upstream answers
 * again, and the others fail at once.
 */
import { ConnectError } from './connect-error.ts';

/** So many given up and still under way are more than some clients that left. */
export const GIVEN_UP_MAX = 256;
/** So many try at a time beyond that; with an upstream that answers again each makes room for another within a round trip. */
export const TRIES_MAX = 16;

/** Each attempt is begun, perhaps given up, and ended. */
export class ConnectAttempts {
  #awaited = 0;
  #givenUp = 0;

  /** @throws ConnectError TOO_MANY_ATTEMPTS */
  begin(): void {
    if (this.#givenUp >= GIVEN_UP_MAX && this.#awaited >= TRIES_MAX) {
      throw new ConnectError('TOO_MANY_ATTEMPTS', `${this.#givenUp} attempts to connect are still without an answer`);
    }
    this.#awaited++;
  }

  /** Nobody waits any more for one that is under way. */
  giveUp(): void {
    this.#awaited--;
    this.#givenUp++;
  }

  /** One has succeeded or failed. @param givenUp nobody waited for it any more */
  end(givenUp: boolean): void {
    if (givenUp) this.#givenUp--;
    else this.#awaited--;
  }
}
