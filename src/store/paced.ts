/**
 * Reading much on the event loop's own thread: in pieces, each of about 2 ms, with the event loop running in between.
 * Owns how large a piece is; what is counted in it (days, rows, segments) is the caller's.
 */

const PIECE_MS = 2;

export class PacedRead {
  #size: number;
  readonly #sizeMax: number;

  /** @param size of the first piece: so few that they are read in no time */
  constructor(size: number, sizeMax: number) {
    this.#size = size;
    this.#sizeMax = sizeMax;
  }

  /** Of the next piece. */
  get size(): number {
    return this.#size;
  }

  /** Reads one piece. The next is larger or smaller, and what waits on the event loop comes first. */
  async piece<T>(read: () => Promise<T>): Promise<T> {
    const startedAtMs = performance.now();
    const result = await read();
    const tookMs = performance.now() - startedAtMs;
    if (tookMs < PIECE_MS / 2) this.#size = Math.min(this.#size * 2, this.#sizeMax);
    else if (tookMs > PIECE_MS * 2) this.#size = Math.max(this.#size >> 1, 1);
    await new Promise((resolve) => setImmediate(resolve));
    return result;
  }
}
