/** Lets a list of models pass as it is, and tells of it when it is whole. */
import type { BodyFilter } from './body-filter.ts';

/** A list of models has some kilobytes; of what is larger nothing is told. */
const LIST_BYTES_MAX = 256 * 1024;

export class ModelListTap implements BodyFilter {
  #parts: Uint8Array[] = [];
  #bytes = 0;
  readonly #onList: (body: Uint8Array) => void;

  constructor(onList: (body: Uint8Array) => void) {
    this.#onList = onList;
  }

  push(bytes: Uint8Array): Uint8Array {
    this.#bytes += bytes.length;
    // The bytes belong to the one who reads them for the length of this call.
    if (this.#bytes <= LIST_BYTES_MAX) this.#parts.push(new Uint8Array(bytes));
    return bytes;
  }

  end(): null {
    if (this.#bytes <= LIST_BYTES_MAX) this.#onList(Buffer.concat(this.#parts));
    this.#parts = [];
    return null;
  }

  drop(): boolean {
    this.#parts = [];
    return true;
  }
}
