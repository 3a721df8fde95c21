/** Bytes collected for one write, and which of them are body, so that the body bytes of a partial write can be counted. */
import type { WireFormat } from './framing.ts';

export interface Write {
  readonly bytes: Uint8Array;
  /** Lengths of alternating runs: framing, body, framing, body, … */
  readonly runs: readonly number[];
}

/** How many body bytes are among the first `taken` bytes of a write. */
export function bodyBytesIn(write: Write, taken: number): number {
  let at = 0;
  let body = 0;
  for (let i = 0; i < write.runs.length && at < taken; i++) {
    const run = Math.min(write.runs[i]!, taken - at);
    if (i % 2 === 1) body += run;
    at += run;
  }
  return body;
}

export class Batch {
  #parts: Uint8Array[] = [];
  #runs: number[] = [];
  /** Framing bytes since the last piece of body. */
  #framing = 0;
  bytes = 0;

  framing(part: Uint8Array | string): void {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'latin1') : part;
    if (bytes.byteLength === 0) return;
    this.#parts.push(bytes);
    this.#framing += bytes.byteLength;
    this.bytes += bytes.byteLength;
  }

  /** Adds a piece of the body, as a chunk if the framing has chunks. */
  piece(piece: Uint8Array, wire: WireFormat): void {
    // An empty chunk would be the end of the body.
    if (piece.byteLength === 0) return;
    this.framing(wire.chunkStart(piece.byteLength));
    this.#parts.push(piece);
    this.#runs.push(this.#framing, piece.byteLength);
    this.#framing = 0;
    this.bytes += piece.byteLength;
    this.framing(wire.chunkEnd);
  }

  take(): Write {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts, this.bytes);
    const write = { bytes, runs: [...this.#runs, this.#framing] };
    this.#parts = [];
    this.#runs = [];
    this.#framing = 0;
    this.bytes = 0;
    return write;
  }
}
