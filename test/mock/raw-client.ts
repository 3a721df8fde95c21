/** A TCP client that shows what really came over the wire: every read, and how the connection ended. */
import net from 'node:net';

interface WireEnd {
  /** The peer sent FIN. */
  readonly fin: boolean;
  /** e.g. ECONNRESET */
  readonly error: string | undefined;
}

export class RawClient {
  /** Every read on its own, since the beginning or the last `answer`. */
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

  /** The next whole answer, off the front of what was received. */
  async answer(): Promise<Answer> {
    const decoder = new AnswerDecoder();
    while (!decoder.done(this.bytes)) await this.#more();
    this.reads.length = 0;
    this.#received.dropFirst(decoder.wireBytes);
    return decoder.answer();
  }

  /** Forgets what was received so far. */
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

/** A strict decoder for correct answers, length or chunked; goes on where it stopped, as there are 100,000 reads in some tests. */
class AnswerDecoder {
  #head: { status: number; headers: (readonly [string, string])[] } | undefined;
  #chunks: Buffer[] = [];
  wireBytes = 0;

  /** @param bytes everything since the first call, and more each time */
  done(bytes: Buffer): boolean {
    if (!this.#head && !this.#readHead(bytes)) return false;
    if (this.#header('transfer-encoding') === 'chunked') return this.#readChunks(bytes);
    const end = this.wireBytes + Number(this.#header('content-length') ?? 0);
    if (bytes.length < end) return false;
    this.#chunks.push(Buffer.from(bytes.subarray(this.wireBytes, end)));
    this.wireBytes = end;
    return true;
  }

  answer(): Answer {
    const { status, headers } = this.#head!;
    const body = Buffer.concat(this.#chunks);
    return {
      status,
      headers,
      header: (name) => this.#header(name),
      body,
      text: body.toString('utf8'),
      get json() {
        return JSON.parse(this.text);
      },
      chunks: this.#chunks,
    };
  }

  #header(name: string): string | undefined {
    return this.#head!.headers.find(([given]) => given === name)?.[1];
  }

  #readHead(bytes: Buffer): boolean {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [statusLine, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
    const headers = lines.map((line) => [line.split(': ')[0]!, line.slice(line.indexOf(': ') + 2)] as const);
    this.#head = { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine!)![1]), headers };
    this.wireBytes = end + 4;
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
      this.#chunks.push(Buffer.from(bytes.subarray(start, start + size)));
    }
  }
}

class GrowingBytes {
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

/** Turns the event loop until something holds that announces itself to nobody. */
export async function turnsUntil(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise<void>((resolve) => setImmediate(resolve));
}
