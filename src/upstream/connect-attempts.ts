/**
 * Bounds the attempts to connect that were given up.
 *
 * Bun.connect cannot be cancelled (Bun 1.4.5 ignores a `signal`, and there is no socket before `open`). An attempt that was
 * given up keeps its file descriptor until the kernel gives up too: two minutes on Linux for an address that does not answer
 * (tcp_syn_retries). Without a bound such an upstream takes all descriptors, and the gateway can accept no more clients.
 * Beyond the bound a few attempts run at a time, to notice when upstream answers again. The others fail at once.
 */
import { ConnectError } from './connect-error.ts';

/** Attempts given up and still under way: more than some clients that disconnect can cause. */
export const GIVEN_UP_MAX = 256;
/** Attempts at a time beyond that. When upstream answers again each makes room for the next within a round trip. */
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

  /** One that is under way is not needed any more. */
  giveUp(): void {
    this.#awaited--;
    this.#givenUp++;
  }

  /** One has succeeded or failed. @param givenUp it was given up before */
  end(givenUp: boolean): void {
    if (givenUp) this.#givenUp--;
    else this.#awaited--;
  }
}
