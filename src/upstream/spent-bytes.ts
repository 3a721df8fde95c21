/**
 * Frees the memory of large pieces that have passed. The collector would find them only after some ten megabytes of others; a
 * download at full speed makes that in a few milliseconds.
 */

/** Smaller ones come from memory that is shared, or are not worth it. */
const LARGE_BYTES = 32 * 1024;

/** Nobody may look at the bytes any more; harmless when they are not alone in their memory. */
export function freeSpent(bytes: Uint8Array): void {
  // Looked at first: to ask a small array for its buffer makes one, in memory of its own.
  if (bytes.length < LARGE_BYTES) return;
  const { buffer } = bytes;
  if (bytes.length !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return;
  buffer.transfer(0);
}
