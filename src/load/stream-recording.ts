/** Bytes and times of the reads of one stream, in memory until the stream has ended. */

export const STREAM_BYTES_MAX = 16_777_216;

export class StreamRecording {
  readonly reads: { readonly atUs: number; readonly bytes: Buffer }[] = [];
  #bytes = 0;

  add(atUs: number, bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (!this.tooLarge) this.reads.push({ atUs, bytes: Buffer.from(bytes) });
  }

  get tooLarge(): boolean {
    return this.#bytes > STREAM_BYTES_MAX;
  }
}
