/**
 * Counts a body of known length as it passes, and tells when all of it is here.
 *
 * Bun announces a length only for what it has whole when it is asked for the answer's head; what comes later goes out in
 * chunks, whatever the headers say (BUN 1.4.5). So an answer that fits into the client's queue is waited for a moment.
 */
import type { BodyFilter } from './body-filter.ts';
import { QUEUED_BYTES_MAX } from './client-body.ts';

const WAIT_MS = 250;

export class AnnouncedBody implements BodyFilter {
  #left: number;
  readonly #here = Promise.withResolvers<void>();

  private constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @param length as upstream announced it @returns null when it is not worth waiting for */
  static of(length: string | null): AnnouncedBody | null {
    const bytes = Number(length ?? Number.NaN);
    return bytes > 0 && bytes < QUEUED_BYTES_MAX ? new AnnouncedBody(bytes) : null;
  }

  /** Resolves when the body is here, or has broken off, or takes its time; undefined when there is nothing to wait for. */
  wait(): Promise<void> | undefined {
    if (this.#left <= 0) return undefined;
    const timer = setTimeout(this.#here.resolve, WAIT_MS);
    return this.#here.promise.finally(() => clearTimeout(timer));
  }

  push(bytes: Uint8Array): Uint8Array {
    this.#left -= bytes.length;
    if (this.#left <= 0) this.#here.resolve();
    return bytes;
  }

  end(): null {
    this.#here.resolve();
    return null;
  }

  drop(): boolean {
    return false;
  }
}
