/**
 * The upstream client directly on sockets: HTTP/1.1 over Bun.connect, in the thread of the gateway. A chunk costs no
 * promise, no second thread and no copy, and nothing bounds the requests in flight in silence.
 *
 * TLS is verified, chain and host name; with FUELIX_CA_FILE against that CA instead of the built-in ones. It knows no HTTP proxy: fetch-client.ts does.
 */
import {
  type BodySink,
  type UpstreamCall,
  type UpstreamClient,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamSink,
} from './client.ts';
import type { Connection, ConnectionUser } from './connection.ts';
import { createDecoder, type DecodedSink, type Decoder, isEncoded } from './decoding.ts';
import type { DataSink } from './http1.ts';
import { Http1Error, type ResponseHead } from './http1-head.ts';
import { Pool } from './pool.ts';
import { RequestBodyPump } from './request-body-pump.ts';
import { requestBytes } from './request-bytes.ts';
import { StreamedBody } from './streamed-body.ts';

export interface SocketClientOptions {
  readonly connectTimeoutMs: number;
  readonly idleConnectionsMax: number;
  readonly idleLimitMs: number;
  readonly ageMaxMs: number;
  /** PEM of a CA to trust instead of the built-in ones. */
  readonly ca?: string | undefined;
}

/**
 * A stale pooled connection breaks within a round trip. One that breaks later may mean that upstream had begun to work
 * on the request (and to charge for it), so it is not sent again.
 */
const STALE_WITHIN_MS = 1000;

export class SocketClient implements UpstreamClient {
  readonly #pool: Pool;
  readonly #basePath: string;
  readonly #host: string;

  /** @param baseUrl without a trailing slash */
  constructor(baseUrl: string, options: SocketClientOptions) {
    const url = new URL(baseUrl);
    const secure = url.protocol === 'https:';
    const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
    const tls: Bun.TLSOptions = {
      rejectUnauthorized: true,
      serverName: hostname,
      ...(options.ca ? { ca: options.ca } : {}),
    };
    this.#basePath = url.pathname === '/' ? '' : url.pathname;
    this.#host = url.host;
    this.#pool = new Pool(
      {
        hostname,
        port: Number(url.port) || (secure ? 443 : 80),
        tls: secure ? tls : undefined,
        connectTimeoutMs: options.connectTimeoutMs,
      },
      { idleMax: options.idleConnectionsMax, idleLimitMs: options.idleLimitMs, ageMaxMs: options.ageMaxMs },
    );
  }

  send(request: UpstreamRequest, sink: UpstreamSink, signal?: AbortSignal): UpstreamCall {
    const call = new SocketCall(this.#pool, request.method === 'HEAD', sink);
    const streamed = StreamedBody.of(request);
    if (streamed) call.upload(streamed);
    const bytes = this.#bytesOf(request, streamed);
    if (signal?.aborted) queueMicrotask(() => call.abort());
    else if (bytes instanceof UpstreamError) queueMicrotask(() => call.broken(bytes));
    else {
      signal?.addEventListener('abort', call, ONCE);
      call.start(bytes);
    }
    return call;
  }

  close(): void {
    this.#pool.close();
  }

  #bytesOf(request: UpstreamRequest, streamed: StreamedBody | null): Uint8Array | UpstreamError {
    try {
      streamed?.open();
      return requestBytes(request, this.#basePath, this.#host);
    } catch (error) {
      return new UpstreamError('protocol', 'The request cannot be sent', { cause: error });
    }
  }
}

const NOTHING = new Uint8Array(0);
const ONCE = { once: true };

class SocketCall implements UpstreamCall, ConnectionUser, EventListenerObject {
  #connection: Connection | undefined;
  /** Kept whole for the second attempt; of a streamed request only the head, and there is none. */
  #request: Uint8Array = NOTHING;
  #pump: RequestBodyPump | null = null;
  #over = false;
  #retried = false;
  #paused = false;
  /** Once `head` has returned. */
  #body: BodySink | null = null;
  #decoder: Decoder | null = null;
  #decoderFull = false;
  #sentAtMs = 0;

  constructor(
    private readonly pool: Pool,
    private readonly bodiless: boolean,
    private readonly sink: UpstreamSink,
  ) {}

  /** The request has a streamed body. Before `start`. */
  upload(body: StreamedBody): void {
    this.#pump = new RequestBodyPump(body, (error) => this.#fail(error));
  }

  start(request: Uint8Array): void {
    this.#request = request;
    this.#sentAtMs = performance.now();
    // A streamed body cannot be sent again, so a stale connection would be its end: it gets a new one, and pays a
    // handshake where it takes many round trips anyway. Never pooled before, it is never taken for stale either.
    const idle = this.#pump ? null : this.pool.takeIdle(this.#sentAtMs);
    this.#sendOn(idle ?? this.pool.connect());
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
    if (this.#over) return;
    this.#fail(new UpstreamError('aborted', 'The upstream request was aborted'));
  }

  head({ status, headers }: ResponseHead): DataSink {
    // Nothing is sent again once an answer has begun, and a long stream must not hold on to its prompt.
    this.#request = NOTHING;
    const encoding = headers.get('content-encoding');
    if (isEncoded(encoding)) {
      this.#decoder = createDecoder(encoding, this.#decoded());
      if (!this.#decoder) throw new Http1Error('unknown content-encoding');
      if (this.#paused) this.#decoder.pause();
    }
    const body = this.sink.head(status, headers);
    this.#body = body;
    return this.#decoder ?? body;
  }

  taken(): void {
    if (this.#connection) this.#pump?.next(this.#connection);
  }

  done(): void {
    this.#connection = undefined;
    this.#pump?.stop();
    if (this.#decoder) this.#decoder.end();
    else this.#end();
  }

  broken(error: UpstreamError): void {
    if (this.#over) return;
    if (this.#isStale(error)) {
      this.#retried = true;
      // Not another pooled one, which may be as stale.
      this.#sendOn(this.pool.connect());
    } else if (this.#decoder) {
      this.#pump?.stop();
      this.#decoder.break(error);
    } else {
      this.#fail(error);
    }
  }

  #sendOn(connection: Connection): void {
    this.#connection = connection;
    connection.send(this.#request, this, this.bodiless, this.#pump !== null);
    if (this.#paused) connection.pause();
  }

  /** RFC 9110, section 9.2.2: sent again only when it is all but certain that upstream has not begun on it. */
  #isStale(error: UpstreamError): boolean {
    const connection = this.#connection;
    const pooled = connection !== undefined && connection.exchanges > 1 && !connection.gotBytes;
    return pooled && !this.#retried && error.kind === 'reset' && performance.now() - this.#sentAtMs < STALE_WITHIN_MS;
  }

  #decoded(): DecodedSink {
    return {
      data: (bytes) => {
        if (!this.#over) this.#body!.data(bytes);
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
    if (this.#over) return;
    this.#over = true;
    this.#body!.end();
  }

  #fail(error: UpstreamError): void {
    if (this.#over) return;
    this.#over = true;
    this.#pump?.stop();
    this.#decoder?.discard();
    this.#connection?.destroy();
    try {
      (this.#body ?? this.sink).fail(error);
    } catch {
      // A bug of ours in the very last call: nobody is left to be told, and whoever aborts must not pay for it.
    }
  }
}
