/**
 * Binary bodies of any size whose bytes can be verified: each block of 64 kB is the same noise, with the block number in its
 * first eight bytes. A block is created when it is sent, so memory does not grow with the size.
 */
import type { BinaryBody, Piece } from './content.ts';

export function binaryBody(totalBytes: number): BinaryBody {
  return { totalBytes, pieces: () => blocks(totalBytes) };
}

/** The same bytes, in memory. */
export function binaryBytes(totalBytes: number): Buffer {
  return Buffer.concat(Array.from(blocks(totalBytes), (make) => make()));
}

const BLOCK_BYTES = 65_536;
const NOISE = noise(BLOCK_BYTES);

function* blocks(totalBytes: number): Generator<Piece> {
  for (let at = 0; at < totalBytes; at += BLOCK_BYTES) {
    yield () => block(at / BLOCK_BYTES).subarray(0, totalBytes - at);
  }
}

function block(number: number): Buffer {
  const bytes = Buffer.from(NOISE);
  bytes.writeBigUInt64BE(BigInt(number), 0);
  return bytes;
}

/** xorshift32 */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 0x9e3779b9;
  for (let i = 0; i < length; i += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes.writeInt32LE(state, i);
  }
  return bytes;
}
