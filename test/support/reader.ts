/** A client of one streamed answer on a bare socket, which reads on demand, or not at all. */
import type { Socket } from 'node:net';
import { connectTo, parse, type RawAnswer, type RawRequest, requestBytes } from './raw-client.ts';

export class StreamReader {
  readonly #parts: Buffer[] = [];
  #bytes = 0;
  #ended: RawAnswer['ended'] | undefined;
  #changed: (() => void)[] = [];

  private constructor(readonly socket: Socket) {
    socket.on('data', (part: Buffer) => {
      this.#parts.push(part);
      this.#bytes += part.length;
      this.#wake();
    });
    socket.once('error', () => this.#end('reset'));
    socket.once('close', () => this.#end('closed'));
  }

  static async open(port: number, request: RawRequest): Promise<StreamReader> {
    const socket = await connectTo(port);
    const reader = new StreamReader(socket);
    socket.write(requestBytes(request));
    return reader;
  }

  /** Bytes received so far, head and framing included. */
  get bytes(): number {
    return this.#bytes;
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString('latin1');
  }

  get answer(): RawAnswer {
    return parse(Buffer.concat(this.#parts), this.#ended ?? 'keep-alive');
  }

  /** How the connection ended. */
  async ended(): Promise<RawAnswer['ended']> {
    while (!this.#ended) await this.#change();
    return this.#ended;
  }

  /** Waits until a text has come; fails when the connection ends before that. */
  async until(text: string): Promise<void> {
    let tail = Buffer.alloc(0);
    for (let seen = 0; ; ) {
      // The text may be split over two reads, so the end of what was searched is searched again.
      const fresh = Buffer.concat([tail, ...this.#parts.slice(seen)]);
      if (fresh.includes(text)) return;
      seen = this.#parts.length;
      tail = Buffer.from(fresh.subarray(Math.max(0, fresh.length - text.length)));
      if (this.#ended)
        throw new Error(`the connection ended (${this.#ended}) before '${text}': ${this.text.slice(-500)}`);
      await this.#change();
    }
  }

  /** Waits until any client takes the answer for complete; fails when the connection ends before that. */
  async whole(): Promise<RawAnswer> {
    for (;;) {
      const { answer } = this;
      if (answer.complete) return answer;
      if (this.#ended) throw new Error(`the connection ended (${this.#ended}) within: ${this.text.slice(-500)}`);
      await this.#change();
    }
  }

  /** Waits for the head. */
  head(): Promise<void> {
    return this.until('\r\n\r\n');
  }

  leave(): void {
    this.socket.destroy();
  }

  /** Sends RST instead of FIN. */
  vanish(): void {
    this.socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#changed.splice(0)) resolve();
  }

  #end(how: RawAnswer['ended']): void {
    this.#ended ??= how;
    this.#wake();
  }
}
