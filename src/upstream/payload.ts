/**
 * The payload of one read without the framing around it, put together without making an object.
 *
 * A view of the read costs some 0.1 µs at once and as much again later: Bun hands over small reads (up to 1,000 bytes) in the
 * collector's own memory, and JavaScriptCore moves such an array to malloc memory when the first view of it is made. So small
 * payloads are copied (20 ns) into one buffer that all connections share, which is always in the cache, and handed on by
 * views of it that were made before.
 */

/** Reads above it have memory of their own; their chunks are moved together in place, since the read is ours. */
export const SHARED_BYTES = 8 * 1024;

const shared = Buffer.from(new ArrayBuffer(SHARED_BYTES));
/** By length. */
const views: (Uint8Array | undefined)[] = new Array(SHARED_BYTES + 1).fill(undefined);

/** There may be one for all connections, because a read is worked through before there is another. */
export class Payload {
  #length = 0;
  #start = 0;
  #isSmall = true;

  get length(): number {
    return this.#length;
  }

  /** A payload that is in one piece. */
  part(read: Uint8Array, from: number, to: number): Uint8Array {
    this.begin(read, from);
    this.add(read, from, to);
    return this.take(read);
  }

  /** @param from where in the read its payload may begin */
  begin(read: Uint8Array, from: number): void {
    this.#length = 0;
    this.#isSmall = read.length - from <= SHARED_BYTES;
  }

  /** The next part of it, behind those before. */
  add(read: Uint8Array, from: number, to: number): void {
    if (this.#isSmall) copy.call(read, shared, this.#length, from, to);
    else if (this.#length === 0) this.#start = from;
    else read.copyWithin(this.#start + this.#length, from, to);
    this.#length += to - from;
  }

  /** All of it, valid until the next `begin`. */
  take(read: Uint8Array): Uint8Array {
    const length = this.#length;
    this.#length = 0;
    if (!this.#isSmall) return read.subarray(this.#start, this.#start + length);
    // biome-ignore lint/suspicious/noAssignInExpressions: the usual way to fill a cache
    return (views[length] ??= new Uint8Array(shared.buffer, 0, length));
  }
}

const { copy } = Buffer.prototype;
