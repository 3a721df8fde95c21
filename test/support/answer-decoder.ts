/**
 * Parses an HTTP/1.1 answer, independently of the product, to judge what the gateway and the mock write. Continues where it
 * stopped, because some answers come in 100,000 reads.
 */
export class AnswerDecoder {
  status = 0;
  /** As on the wire. */
  readonly headers: (readonly [name: string, value: string])[] = [];
  /** The chunks as framed; a single one for a body with a length. */
  readonly chunks: Buffer[] = [];
  /** Length of head and body with framing, once the answer is complete. */
  wireBytes = 0;
  complete = false;
  #hasHead = false;

  header(name: string): string | undefined {
    return this.headers.find(([given]) => given.toLowerCase() === name)?.[1];
  }

  /** Without length and chunks: the end of the connection is its end. */
  get endsWithConnection(): boolean {
    return this.#hasHead && !this.complete && this.#framing === undefined;
  }

  /**
   * Whether the answer is complete.
   * @param bytes everything received since the first call
   */
  read(bytes: Buffer): boolean {
    if (this.#hasHead || this.#readHead(bytes)) this.complete = this.#readBody(bytes);
    return this.complete;
  }

  get #framing(): string | undefined {
    return this.header('transfer-encoding') ?? this.header('content-length');
  }

  #readBody(bytes: Buffer): boolean {
    if (this.status === 204 || this.status === 304) return true;
    if (this.#framing === 'chunked') return this.#readChunks(bytes);
    const end = this.wireBytes + Number(this.#framing ?? Number.POSITIVE_INFINITY);
    if (bytes.length < end) return false;
    this.chunks.push(Buffer.from(bytes.subarray(this.wireBytes, end)));
    this.wireBytes = end;
    return true;
  }

  /** The part of the body that has come, of an incomplete answer. */
  bodySoFar(bytes: Buffer): Buffer {
    if (!this.#hasHead) return Buffer.alloc(0);
    if (this.#framing !== 'chunked') return bytes.subarray(this.wireBytes);
    const lineEnd = bytes.indexOf('\r\n', this.wireBytes);
    if (lineEnd < 0) return Buffer.concat(this.chunks);
    const size = Number.parseInt(bytes.toString('latin1', this.wireBytes, lineEnd), 16);
    return Buffer.concat([...this.chunks, bytes.subarray(lineEnd + 2, lineEnd + 2 + size)]);
  }

  #readHead(bytes: Buffer): boolean {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [statusLine, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
    this.status = Number(statusLine!.split(' ')[1]);
    for (const line of lines) {
      const colon = line.indexOf(':');
      this.headers.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
    }
    this.wireBytes = end + 4;
    this.#hasHead = true;
    return true;
  }

  #readChunks(bytes: Buffer): boolean {
    while (true) {
      const lineEnd = bytes.indexOf('\r\n', this.wireBytes);
      if (lineEnd < 0) return false;
      const size = Number.parseInt(bytes.toString('latin1', this.wireBytes, lineEnd), 16);
      const start = lineEnd + 2;
      if (bytes.length < start + size + 2) return false;
      this.wireBytes = start + size + 2;
      if (size === 0) return true;
      this.chunks.push(Buffer.from(bytes.subarray(start, start + size)));
    }
  }
}

/** Received bytes in one growing buffer. */
export class GrowingBytes {
  #memory = Buffer.alloc(4_096);
  #length = 0;

  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  append(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#memory.length) {
      const larger = Buffer.alloc(2 * length);
      this.bytes.copy(larger);
      this.#memory = larger;
    }
    bytes.copy(this.#memory, this.#length);
    this.#length = length;
  }

  dropFirst(count: number): void {
    this.#memory.copyWithin(0, count, this.#length);
    this.#length -= count;
  }
}
