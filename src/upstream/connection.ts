/**
 * One connection to upstream, and the one exchange that may be on it. Owns the socket: connecting, writing the request
 * with its backpressure, handing reads to the response reader, and the decision whether the connection may be used again.
 */
import type { Socket, SocketHandler } from 'bun';
import { UpstreamError } from './client.ts';
import { type ConnectAttempts, ConnectError } from './connect-attempts.ts';
import { type DataSink, ResponseReader } from './http1.ts';
import { Http1Error, type ResponseHead } from './http1-head.ts';
import { boundReceiveBuffer } from './receive-buffer.ts';

/** What a connection tells the exchange that is on it. After `done` or `broken` it has forgotten the exchange. */
export interface ConnectionUser {
  /** @returns who takes the body; nothing is given to it once `destroy` was called */
  head(head: ResponseHead): DataSink;
  /** The kernel has taken all of the request so far, and it is not whole: time for the next `write`. */
  taken(): void;
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
  readonly attempts: ConnectAttempts;
  /** The response is complete and the connection can carry another. */
  released(connection: Connection): void;
  closed(connection: Connection): void;
}

export class Connection extends ResponseReader {
  readonly bornAtMs = performance.now();
  idleSinceMs = 0;
  /** Exchanges begun on it: a failure of the first is never a stale connection. */
  exchanges = 0;
  #socket: Socket<Connection> | undefined;
  /** Connected and, over TLS, verified: only now may a byte of a request leave us. */
  #ready = false;
  #user: ConnectionUser | null = null;
  #unsent: Uint8Array | null = null;
  /** More of the request is to come. */
  #open = false;
  #paused = false;
  #closed = false;
  #connectTimer: ReturnType<typeof setTimeout> | undefined;
  /** The attempt to connect is under way; when it is closed meanwhile, it has been given up. */
  #connecting = false;

  constructor(
    endpoint: Endpoint,
    private readonly owner: ConnectionOwner,
  ) {
    super();
    this.#connect(endpoint);
  }

  get usable(): boolean {
    return !this.#closed;
  }

  /**
   * Writes a request. Only while no other exchange is on the connection.
   * @param bodiless it is a HEAD
   * @param open its body follows by `write`
   */
  send(request: Uint8Array, user: ConnectionUser, bodiless: boolean, open = false): void {
    this.#user = user;
    this.exchanges++;
    this.expect(bodiless);
    this.#open = open;
    this.#unsent = request;
    this.#write();
  }

  /** More of the request that is on the connection; only after the user was told `taken`. */
  write(bytes: Uint8Array, last: boolean): void {
    if (this.#closed || !this.#open) return;
    this.#open = !last;
    this.#unsent = bytes.length > 0 ? bytes : null;
    this.#write();
  }

  pause(): void {
    this.#paused = true;
    if (this.#ready) this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    if (this.#ready) this.#socket?.resume();
  }

  /** Ends the connection and whatever is on it, without telling the exchange. */
  destroy(): void {
    this.#user = null;
    this.#close();
    this.#socket?.terminate();
  }

  #connect(endpoint: Endpoint): void {
    this.#connectTimer = setTimeout(
      () => this.refused(new ConnectError('CONNECT_TIMEOUT', 'connect timeout')),
      endpoint.connectTimeoutMs,
    );
    // Bun throws at once what is wrong with the options (a CA that is none), and nobody is on the connection yet.
    this.#try(endpoint).catch((error) => this.refused(error));
  }

  async #try({ hostname, port, tls }: Endpoint): Promise<void> {
    const { attempts } = this.owner;
    attempts.begin();
    this.#connecting = true;
    const target = { hostname, port, data: this as Connection };
    try {
      await Bun.connect<Connection>(tls ? { ...target, tls, socket: TLS_HANDLERS } : { ...target, socket: HANDLERS });
    } finally {
      this.#connecting = false;
      attempts.end(this.#closed);
    }
  }

  /** The socket is there, without Nagle's delay (Bun sees to that), but over TLS nothing is said about who is at its other end. */
  opened(socket: Socket<Connection>): void {
    if (this.#closed) {
      socket.terminate();
      return;
    }
    this.#socket = socket;
    boundReceiveBuffer(socket);
  }

  ready(): void {
    if (this.#closed) return;
    this.#stopConnectTimer();
    this.#ready = true;
    if (this.#paused) this.#socket!.pause();
    this.#write();
  }

  received(bytes: Uint8Array): void {
    try {
      this.push(bytes);
    } catch (error) {
      // Anything else was thrown by the receiver: a bug of ours, which must end this exchange only.
      const ours = !(error instanceof Http1Error);
      this.#break('protocol', ours ? 'The receiver of the answer failed' : 'Upstream sent an invalid answer', error);
    }
  }

  /** FIN: for a body without length this is its end. */
  ended(): void {
    if (this.#closed) return;
    if (!this.closedInOrder()) this.lost(undefined);
    else this.destroy();
  }

  lost(error: Error | undefined): void {
    if (this.#ready) this.#break('reset', 'Upstream closed the connection', error);
    else this.refused(error);
  }

  refused(error: Error | undefined): void {
    this.#break('unreachable', 'Upstream cannot be reached', error, true);
  }

  drained(): void {
    this.#write();
  }

  protected override onHead(head: ResponseHead): DataSink {
    // A response that nobody waits for is refused before it gets here.
    return this.#user!.head(head);
  }

  protected override onEnd(): void {
    const user = this.#user;
    this.#user = null;
    // An answer that came before the whole request was sent leaves the rest of it on the connection.
    const reusable = this.reusable && !this.#open && this.#unsent === null && !this.#closed;
    if (reusable) {
      if (this.#paused) this.resume();
      this.owner.released(this);
    } else {
      this.destroy();
    }
    user?.done();
  }

  #stopConnectTimer(): void {
    clearTimeout(this.#connectTimer);
    this.#connectTimer = undefined;
  }

  #write(): void {
    if (!this.#unsent || !this.#ready) return;
    const written = this.#socket!.write(this.#unsent);
    if (written < 0) return;
    this.#unsent = written < this.#unsent.length ? this.#unsent.subarray(written) : null;
    if (this.#open && this.#unsent === null) this.#user?.taken();
  }

  #break(kind: UpstreamError['kind'], message: string, cause?: unknown, safeToResend = false): void {
    if (this.#closed) return;
    const user = this.#user;
    this.destroy();
    user?.broken(new UpstreamError(kind, message, { cause, safeToResend }));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.stop();
    this.#unsent = null;
    this.#stopConnectTimer();
    if (this.#connecting) this.owner.attempts.giveUp();
    this.owner.closed(this);
  }
}

/** One set of handlers for all connections. */
const HANDLERS: SocketHandler<Connection> = {
  open: (socket) => {
    socket.data.opened(socket);
    socket.data.ready();
  },
  data: (socket, bytes) => socket.data.received(bytes),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.lost(error),
  error: (socket, error) => socket.data.lost(error),
  connectError: (socket, error) => socket.data.refused(error),
};

/**
 * With a `handshake` handler Bun calls `open` before the handshake, so that one that hangs can be ended; without one it
 * calls `open` even for a certificate that was refused, on a socket that takes no bytes any more (BUN 1.4.5).
 */
const TLS_HANDLERS: SocketHandler<Connection> = {
  ...HANDLERS,
  open: (socket) => socket.data.opened(socket),
  handshake: (socket, verified, error) => {
    if (verified) socket.data.ready();
    else socket.data.refused(error ?? undefined);
  },
};
