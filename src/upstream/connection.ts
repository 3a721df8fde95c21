/**
 * One connection to upstream, and the one exchange that may be on it. Owns the socket: connecting, writing the request
 * with its backpressure, handing reads to the response reader, and the decision whether the connection may be used again.
 */
import type { Socket, SocketHandler } from 'bun';
import { UpstreamError } from './client.ts';
import { ResponseReader } from './http1.ts';
import { Http1Error, type ResponseHead } from './http1-head.ts';

/** What a connection tells the exchange that is on it. After `done` or `broken` it has forgotten the exchange. */
export interface ConnectionUser {
  head(head: ResponseHead): void;
  data(bytes: Uint8Array): void;
  done(): void;
  broken(error: UpstreamError): void;
}

export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
  readonly tls: Bun.TLSOptions | undefined;
  readonly connectTimeoutMs: number;
}

export interface ConnectionOwner {
  /** The response is complete and the connection can carry another. */
  released(connection: Connection): void;
  closed(connection: Connection): void;
}

export class Connection {
  readonly bornAtMs = performance.now();
  idleSinceMs = 0;
  /** Exchanges begun on it: a failure of the first is never a stale connection. */
  exchanges = 0;
  #socket: Socket<Connection> | undefined;
  #user: ConnectionUser | null = null;
  #reader: ResponseReader;
  #unsent: Uint8Array | null = null;
  #paused = false;
  #closed = false;
  #gotBytes = false;
  #connectTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    endpoint: Endpoint,
    private readonly owner: ConnectionOwner,
  ) {
    this.#reader = new ResponseReader({
      head: (head) => this.#user?.head(head),
      data: (bytes) => this.#user?.data(bytes),
      end: () => this.#responseEnded(),
    });
    this.#connect(endpoint);
  }

  /** Whether the response under way has begun: nothing may be sent a second time after that. */
  get gotBytes(): boolean {
    return this.#gotBytes;
  }

  get usable(): boolean {
    return !this.#closed;
  }

  /** Writes a request. Only while no other exchange is on the connection. */
  send(request: Uint8Array, user: ConnectionUser): void {
    this.#user = user;
    this.#gotBytes = false;
    this.exchanges++;
    this.#reader.expect();
    this.#unsent = request;
    if (this.#socket) this.#write();
  }

  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#socket?.resume();
  }

  /** Ends the connection and whatever is on it, without telling the exchange. */
  destroy(): void {
    this.#user = null;
    this.#close();
    this.#socket?.terminate();
  }

  #connect({ hostname, port, tls, connectTimeoutMs }: Endpoint): void {
    this.#connectTimer = setTimeout(() => this.refused(new Error('connect timeout')), connectTimeoutMs);
    const target = { hostname, port, data: this as Connection, socket: HANDLERS };
    Bun.connect<Connection>(tls ? { ...target, tls } : target).catch((error) => this.refused(error));
  }

  opened(socket: Socket<Connection>): void {
    if (this.#closed) {
      socket.terminate();
      return;
    }
    clearTimeout(this.#connectTimer);
    this.#socket = socket;
    socket.setNoDelay(true);
    if (this.#paused) socket.pause();
    this.#write();
  }

  received(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#gotBytes = true;
    try {
      this.#reader.push(bytes);
    } catch (error) {
      // Anything else was thrown by the receiver: a bug of ours, which must end this exchange only.
      const message =
        error instanceof Http1Error ? 'Upstream sent an invalid answer' : 'The receiver of the answer failed';
      this.#break('protocol', message, error);
    }
  }

  /** FIN: for a body without length this is its end. */
  ended(): void {
    if (this.#closed) return;
    if (!this.#reader.close()) this.#break('reset', 'Upstream closed the connection');
    else this.destroy();
  }

  lost(error: Error | undefined): void {
    this.#break('reset', 'Upstream closed the connection', error);
  }

  refused(error: Error): void {
    this.#break('unreachable', 'Upstream cannot be reached', error);
  }

  drained(): void {
    this.#write();
  }

  #write(): void {
    if (!this.#unsent || !this.#socket) return;
    const written = this.#socket.write(this.#unsent);
    if (written < 0) return;
    this.#unsent = written < this.#unsent.length ? this.#unsent.subarray(written) : null;
  }

  #responseEnded(): void {
    const user = this.#user;
    this.#user = null;
    // An answer that came before the whole request was sent leaves the rest of it on the connection.
    const reusable = this.#reader.reusable && this.#unsent === null && !this.#closed;
    if (reusable) {
      if (this.#paused) this.resume();
      this.owner.released(this);
    } else {
      this.destroy();
    }
    user?.done();
  }

  #break(kind: UpstreamError['kind'], message: string, cause?: unknown): void {
    if (this.#closed) return;
    const user = this.#user;
    this.destroy();
    user?.broken(new UpstreamError(kind, message, { cause }));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsent = null;
    clearTimeout(this.#connectTimer);
    this.owner.closed(this);
  }
}

/**
 * One set of handlers for all connections. Without a `handshake` handler Bun calls `open` on a TLS socket only when the
 * handshake is over, and a certificate that does not verify never gets that far.
 */
const HANDLERS: SocketHandler<Connection> = {
  open: (socket) => socket.data.opened(socket),
  data: (socket, bytes) => socket.data.received(bytes),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.lost(error),
  error: (socket, error) => socket.data.lost(error),
  connectError: (socket, error) => socket.data.refused(error),
};
