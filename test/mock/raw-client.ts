/** A TCP client that shows every read, and how the connection ended. */
import net from 'node:net';
import { AnswerDecoder, GrowingBytes } from '../support/answer-decoder.ts';

interface WireEnd {
  /** The peer sent FIN. */
  readonly fin: boolean;
  /** e.g. ECONNRESET */
  readonly error: string | undefined;
}

export class RawClient {
  /** Each read since the start or the last `answer`. */
  readonly reads: Buffer[] = [];
  readonly #received = new GrowingBytes();
  readonly closed: Promise<WireEnd>;
  #fin = false;
  #error: string | undefined;
  #waiting: (() => void)[] = [];

  private constructor(readonly socket: net.Socket) {
    this.closed = new Promise((resolve) => {
      socket.on('data', (bytes) => {
        const copy = Buffer.from(bytes);
        this.reads.push(copy);
        this.#received.append(copy);
        this.#wake();
      });
      socket.on('end', () => {
        this.#fin = true;
        socket.end();
        this.#wake();
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        this.#error = error.code;
      });
      socket.on('close', () => {
        resolve({ fin: this.#fin, error: this.#error });
        this.#wake();
      });
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const client = new RawClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  get bytes(): Buffer {
    return this.#received.bytes;
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  send(data: string | Uint8Array): this {
    this.socket.write(data);
    return this;
  }

  post(body: unknown, path = '/v1/chat/completions', headers: readonly string[] = []): this {
    const json = JSON.stringify(body);
    const head = [`POST ${path} HTTP/1.1`, 'Host: mock', `Content-Length: ${Buffer.byteLength(json)}`, ...headers];
    return this.send(`${head.join('\r\n')}\r\n\r\n${json}`);
  }

  get(path: string, headers: readonly string[] = []): this {
    return this.send(`${[`GET ${path} HTTP/1.1`, 'Host: mock', ...headers].join('\r\n')}\r\n\r\n`);
  }

  /** Resolves when what was received satisfies the predicate. @throws when the connection ends before */
  async until(satisfied: (text: string) => boolean): Promise<void> {
    while (!satisfied(this.text)) await this.#more();
  }

  /** The next complete answer; removes it from what was received. */
  async answer(): Promise<Answer> {
    const decoder = new AnswerDecoder();
    while (!decoder.read(this.bytes)) await this.#more();
    this.reads.length = 0;
    this.#received.dropFirst(decoder.wireBytes);
    const { status, headers, chunks } = decoder;
    const body = Buffer.concat(chunks);
    const text = body.toString('utf8');
    return {
      status,
      headers,
      header: (name) => decoder.header(name),
      body,
      text,
      get json() {
        return JSON.parse(text);
      },
      chunks,
    };
  }

  /** Discards what was received so far. */
  forget(): void {
    this.reads.length = 0;
    this.#received.dropFirst(this.bytes.length);
  }

  leave(): void {
    this.socket.destroy();
  }

  async #more(): Promise<void> {
    if (this.socket.destroyed) throw new Error(`connection ended (${this.#error}) after: ${this.text.slice(-300)}`);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  header(name: string): string | undefined;
  readonly body: Buffer;
  readonly text: string;
  readonly json: unknown;
  readonly chunks: readonly Buffer[];
}

/** Runs iterations of the event loop until a condition without an event holds. */
export async function iterateUntil(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}
