/** What is around a relay in its fuzz: deadlines without a ticker, a filter, and Bun's end of a body. */
import type { BodyFilter } from '../../src/gateway/body-filter.ts';
import { Deadlines, NOT_WATCHED, type Watched } from '../../src/http/deadlines.ts';

/** Which are watched, and no ticker. */
export class Watching extends Deadlines {
  constructor() {
    super(1000);
  }
  override add(watched: Watched): void {
    watched.watchIndex = 0;
  }
  override delete(watched: Watched): void {
    watched.watchIndex = NOT_WATCHED;
  }
}

/** Lets whole events pass. */
export class HoldingFilter implements BodyFilter {
  #held = '';

  push(bytes: Uint8Array): Uint8Array | null {
    this.#held += Buffer.from(bytes).toString('latin1');
    return /(\n\n|\r\r)$/.test(this.#held) ? this.end() : null;
  }

  end(): Uint8Array | null {
    const held = Buffer.from(this.#held, 'latin1');
    this.#held = '';
    return held.length > 0 ? held : null;
  }

  drop(): boolean {
    this.#held = '';
    return true;
  }
}

/** The end of a body in Bun's hands. */
export class Controller {
  text = '';
  closed: 'no' | 'in order' | 'reset' = 'no';
  isFull = false;
  readonly #onFull: () => void;
  readonly pending: { resolve(bytes: number): void; reject(error: Error): void }[] = [];

  /** @param onFull a write waits for room */
  constructor(onFull: () => void) {
    this.#onFull = onFull;
  }

  start(): void {
    if (this.text !== '') throw new Error('started behind a write');
  }

  write(bytes: Uint8Array): number | Promise<number> {
    if (this.closed !== 'no') throw new Error('written behind the end');
    this.text += Buffer.from(bytes).toString('latin1');
    if (!this.isFull) return bytes.length;
    this.#onFull();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.pending.push({ resolve, reject });
    return promise;
  }

  close(error?: Error): void {
    if (this.closed === 'no') this.closed = error ? 'reset' : 'in order';
  }
}
