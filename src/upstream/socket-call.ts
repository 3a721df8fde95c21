/**
 * One request and its answer on a connection: what the sink is told and when, the second attempt when a pooled connection
 * turns out to be closed, and the decoder of an answer that came compressed.
 */
import { type BodySink, type UpstreamCall, UpstreamError, type UpstreamRequest, type UpstreamSink } from './client.ts';
import type { Connection, ConnectionUser } from './connection.ts';
import { codingOf, createDecoder, type DecodedSink, type Decoder } from './decoding.ts';
import type { DataSink } from './http1.ts';
import { Http1Error, type ResponseHead } from './http1-head.ts';
import type { Pool } from './pool.ts';
import { RequestBodyPump } from './request-body-pump.ts';
import type { RequestBytes } from './request-bytes.ts';
import type { StreamedBody } from './streamed-body.ts';

/**
 * A pooled connection that upstream has closed breaks within a round trip. One that breaks later broke under work, and
 * whether that is done once more is not decided here.
 */
const STALE_WITHIN_MS = 1000;
/** RFC 9110, section 9.2.2: these may be repeated. */
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
const NOTHING: RequestBytes = { first: new Uint8Array(0), rest: null };

enum Phase {
  /** For the head. */
  Waiting,
  Body,
  /** Upstream is done, and the decoder is not. */
  Decoding,
  Over,
}

const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
  [Phase.Waiting]: [Phase.Body, Phase.Over],
  [Phase.Body]: [Phase.Decoding, Phase.Over],
  [Phase.Decoding]: [Phase.Over],
  [Phase.Over]: [],
};

export class SocketCall implements UpstreamCall, ConnectionUser, EventListenerObject {
  #phase = Phase.Waiting;
  #connection: Connection | undefined;
  /** Once `head` has returned. */
  #body: BodySink | null = null;
  /** Of a compressed answer, until the first of it is decoded: one that cannot be is no answer. */
  #heldHead: ResponseHead | null = null;
  #decoder: Decoder | null = null;
  #decoderFull = false;
  #paused = false;
  /** An attempt before this one may have been read. */
  #mayHaveBegun = false;
  #sentAtMs = 0;
  /** Kept whole for a second attempt; of a streamed request only the head, and there is none. */
  #bytes = NOTHING;
  #pump: RequestBodyPump | null = null;
  #request: UpstreamRequest | null;

  constructor(
    private readonly pool: Pool,
    request: UpstreamRequest,
    private readonly sink: UpstreamSink,
  ) {
    this.#request = request;
  }

  /** The request has a streamed body. Before `start`. */
  upload(body: StreamedBody): void {
    this.#pump = new RequestBodyPump(body, (error) => this.#fail(error));
  }

  start(bytes: RequestBytes): void {
    this.#bytes = bytes;
    this.#sentAtMs = performance.now();
    // A streamed body cannot be sent again, so a closed connection would be its end: it gets a new one, and pays a
    // handshake where it takes many round trips anyway.
    const idle = this.#pump ? null : this.pool.takeIdle(this.#sentAtMs);
    this.#sendOn(idle ?? this.pool.connect(this.#request!.refusedForMs));
  }

  pause(): void {
    this.#paused = true;
    this.#decoder?.pause();
    this.#connection?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#decoder?.resume();
    if (!this.#decoderFull) this.#connection?.resume();
  }

  /** The signal. An object in place of a listener: one closure less for each open stream. */
  handleEvent(): void {
    this.abort();
  }

  abort(): void {
    this.#fail(new UpstreamError('aborted', 'The upstream request was aborted'));
  }

  head(head: ResponseHead): DataSink {
    // Nothing is sent again once an answer has begun, and a long stream must not hold on to its prompt.
    this.#bytes = NOTHING;
    this.#request = null;
    const coding = codingOf(head.headers.get('content-encoding'));
    if (coding === null) {
      const body = this.sink.head(head.status, head.headers);
      if (this.#phase === Phase.Waiting) {
        this.#body = body;
        this.#enter(Phase.Body);
      }
      return body;
    }
    this.#decoder = createDecoder(coding, this.#decoded());
    if (!this.#decoder) throw new Http1Error('unknown content-encoding');
    if (this.#paused) this.#decoder.pause();
    this.#heldHead = head;
    this.#enter(Phase.Body);
    return this.#decoder;
  }

  #releaseHead(): void {
    const head = this.#heldHead;
    if (head === null) return;
    this.#heldHead = null;
    const body = this.sink.head(head.status, head.headers);
    // The sink may have called it off.
    if (this.#phase !== Phase.Over) this.#body = body;
  }

  writable(): void {
    if (this.#connection) this.#pump?.next(this.#connection);
  }

  done(): void {
    this.#connection = undefined;
    this.#pump?.stop();
    if (this.#phase !== Phase.Body) return;
    if (this.#decoder) {
      this.#enter(Phase.Decoding);
      this.#decoder.end();
    } else {
      this.#end();
    }
  }

  broken(error: UpstreamError): void {
    if (this.#phase === Phase.Over) return;
    if (this.#mayResend(error)) {
      this.#mayHaveBegun = !error.safeToResend;
      // Not another pooled one, which may be closed as well.
      this.#sendOn(this.pool.connect(this.#request!.refusedForMs));
    } else if (this.#decoder && this.#phase === Phase.Body) {
      this.#connection = undefined;
      this.#pump?.stop();
      this.#enter(Phase.Decoding);
      this.#decoder.break(error);
    } else {
      this.#fail(this.#mayHaveBegun && error.safeToResend ? unsafe(error) : error);
    }
  }

  #sendOn(connection: Connection): void {
    this.#connection = connection;
    connection.send(this.#bytes, this, this.#request!.method === 'HEAD', this.#pump !== null);
    if (this.#paused) connection.pause();
  }

  /**
   * On a pooled connection that upstream closed: when it cannot have begun, or may begin twice. Once, because the second
   * attempt has a new connection; so has a streamed request, which cannot be sent again.
   */
  #mayResend(error: UpstreamError): boolean {
    const connection = this.#connection;
    if (!connection?.reused || connection.gotBytes || error.kind !== 'reset') return false;
    if (error.safeToResend) return true;
    return performance.now() - this.#sentAtMs < STALE_WITHIN_MS && isIdempotent(this.#request!);
  }

  #decoded(): DecodedSink {
    return {
      data: (bytes) => {
        if (this.#phase !== Phase.Over) this.#releaseHead();
        if (this.#phase !== Phase.Over) this.#body!.data(bytes);
      },
      end: () => this.#end(),
      fail: (error) => this.#fail(error),
      full: () => {
        this.#decoderFull = true;
        this.#connection?.pause();
      },
      drained: () => {
        this.#decoderFull = false;
        if (!this.#paused) this.#connection?.resume();
      },
    };
  }

  #end(): void {
    if (this.#phase !== Phase.Over) this.#releaseHead();
    if (this.#phase === Phase.Over) return;
    this.#enter(Phase.Over);
    this.#body!.end();
  }

  #fail(error: UpstreamError): void {
    if (this.#phase === Phase.Over) return;
    this.#enter(Phase.Over);
    this.#pump?.stop();
    this.#decoder?.discard();
    this.#connection?.destroy();
    try {
      (this.#body ?? this.sink).fail(error);
    } catch {
      // A bug of ours in the very last call. There is nobody to tell, and it must not reach the caller of `abort`.
    }
  }

  #enter(phase: Phase): void {
    if (!NEXT[this.#phase].includes(phase)) throw new Error(`upstream call: ${Phase[this.#phase]} to ${Phase[phase]}`);
    this.#phase = phase;
  }
}

function unsafe({ kind, message, cause }: UpstreamError): UpstreamError {
  return new UpstreamError(kind, message, { cause });
}

function isIdempotent({ method, headers }: UpstreamRequest): boolean {
  return IDEMPOTENT_METHODS.has(method) || headers.some(([name]) => name.toLowerCase() === 'idempotency-key');
}
