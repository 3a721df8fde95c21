/**
 * How many connections begin in one turn of the event loop. When thousands of requests come at once and each needs a
 * connection, work that was begun goes on before more is begun: otherwise all of them connect, then all of them send, then
 * all are answered, and every client waits as long as the last. It does not wait for the network: the next turn is at once.
 *
 * 4,000 clients at once (streambench.py `open`): median of the time to first byte 0.75 of what it is without, the 99th
 * percentile 0.94, chunk age p99 4 ms instead of 120, because the streams do not march in step.
 */

/** Of 32, 64 and 256 the middle one: the smaller, the more even are the chunks; the larger, the fewer turns. */
export const CONNECTS_PER_TURN = 64;

export interface Beginner {
  begin(): void;
}

export class ConnectPace {
  #begun = 0;
  #waiting: Beginner[] = [];

  /** Begins it now or, behind those that wait already, in one of the next turns. */
  begin(beginner: Beginner): void {
    if (this.#begun === 0) setImmediate(this.#nextTurn);
    if (this.#begun < CONNECTS_PER_TURN) {
      this.#begun++;
      beginner.begin();
    } else {
      this.#waiting.push(beginner);
    }
  }

  readonly #nextTurn = () => {
    const next = this.#waiting.splice(0, CONNECTS_PER_TURN);
    this.#begun = next.length;
    if (next.length > 0) setImmediate(this.#nextTurn);
    for (const beginner of next) beginner.begin();
  };
}
