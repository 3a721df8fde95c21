/** Drives a ResponseReader as a connection does, and writes down what it says; every wrong order of events throws. */
import { type DataSink, ResponseReader } from '../../src/upstream/http1.ts';
import { Http1Error, type ResponseHead } from '../../src/upstream/http1-head.ts';

interface ReadResponse {
  head: ResponseHead;
  parts: Uint8Array[];
  complete: boolean;
}

/** A reader that tells others, in place of a connection. */
export class TellingReader extends ResponseReader {
  constructor(
    private readonly listener: {
      head?(head: ResponseHead): void;
      data(bytes: Uint8Array): void;
      end?(): void;
    },
  ) {
    super();
  }

  protected override onHead(head: ResponseHead): DataSink {
    this.listener.head?.(head);
    return this.listener;
  }

  protected override onEnd(): void {
    this.listener.end?.();
  }
}

export class ReaderLog {
  readonly reader: ResponseReader;
  readonly responses: ReadResponse[] = [];
  error: Http1Error | undefined;
  /** Whether the connection would be used again, as seen from within the last `end`. */
  reusableAtEnd = false;

  constructor(private readonly onEnd: (log: ReaderLog) => void = () => {}) {
    this.reader = new TellingReader({
      head: (head) => {
        if (this.last?.complete === false) throw new Error('a head within a response');
        this.responses.push({ head, parts: [], complete: false });
      },
      data: (bytes) => {
        if (this.last?.complete !== false) throw new Error('data outside of a response');
        if (bytes.length === 0) throw new Error('data without a byte');
        this.last.parts.push(bytes.slice());
      },
      end: () => {
        if (this.last?.complete !== false) throw new Error('end outside of a response');
        this.last.complete = true;
        this.reusableAtEnd = this.reader.reusable;
        this.onEnd(this);
      },
    });
  }

  get last(): ReadResponse | undefined {
    return this.responses.at(-1);
  }

  get body(): Buffer {
    return Buffer.concat(this.last?.parts ?? []);
  }

  get bytes(): number {
    return this.responses.reduce((sum, { parts }) => parts.reduce((all, part) => all + part.length, sum), 0);
  }

  /** One read after the other until one is refused. Each is copied first, since the reader moves bytes within them. */
  push(...reads: readonly Uint8Array[]): this {
    try {
      for (const read of reads) this.reader.push(Buffer.from(read));
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      this.error = error;
    }
    return this;
  }

  /** What must be the same however the bytes were cut. */
  get summary(): string {
    const told = this.responses.map(({ head, parts, complete }) => {
      return `${head.status} ${head.framing.kind} ${Buffer.concat(parts).toString('latin1')} ${complete}`;
    });
    return `${told.join('|')} ${this.error ? 'refused' : ''}`;
  }
}

/** The bytes of one connection on which one request was sent. */
export function readWire(wire: string | Uint8Array, cuts: readonly number[] = []): ReaderLog {
  const log = new ReaderLog();
  log.reader.expect();
  return log.push(...cut(typeof wire === 'string' ? Buffer.from(wire, 'latin1') : wire, cuts));
}

/** @param at ascending */
export function cut(wire: Uint8Array, at: readonly number[]): Uint8Array[] {
  const edges = [0, ...at, wire.length];
  const pieces: Uint8Array[] = [];
  for (let i = 1; i < edges.length; i++) {
    if (edges[i]! > edges[i - 1]!) pieces.push(wire.subarray(edges[i - 1], edges[i]));
  }
  return pieces;
}
