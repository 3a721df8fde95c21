/**
 * One keep-alive connection: sends a request, reads its answer, one stream at a time, and does to the socket what a slow or
 * departing client does. A connection that failed is never used again. Answers are parsed by the gateway's own upstream
 * client, which is strict about HTTP.
 */
import { type DataSink, ResponseReader } from '../upstream/http1.ts';
import { Http1Error, type ResponseHead } from '../upstream/http1-head.ts';
import { nowUs } from './clock.ts';
import { type LoadTarget, serverNameOf } from './target.ts';

/**
 * connect: no connection, or none in time; tls: the certificate or the handshake; reset: the connection broke; timeout: no
 * byte for too long; http_NNN: that status; framing: invalid HTTP; not_sse: not an event stream; bad_sse: an event that is
 * neither JSON nor [DONE]; stream_error: an error event; truncated: the answer ended without a terminal event; unfinished:
 * still open at the end of the drain.
 */
export type ErrorKind =
  | 'connect'
  | 'tls'
  | 'reset'
  | 'timeout'
  | `http_${number}`
  | 'framing'
  | 'not_sse'
  | 'bad_sse'
  | 'stream_error'
  | 'truncated'
  | 'unfinished';

export interface Failure {
  readonly kind: ErrorKind;
  readonly message: string;
}

export type StreamEnding = 'complete' | 'failed' | 'abandoned' | 'interrupted';

/** One request and its answer, as a connection carries them. Times are microseconds on the clock of nowUs. */
export interface Carried extends DataSink {
  readonly request: Buffer;
  /** The answer has no body, as for HEAD. */
  readonly bodiless: boolean;
  readonly readsSlowly: boolean;
  /** The client has seen enough: the connection is to be closed. */
  readonly abandoned: boolean;
  readonly failure: Failure | undefined;
  /** Connections tried: a reused one may turn out to be closed. */
  attempts: number;
  /** When the request was written to the socket. */
  sentUs: number;
  /** When the last byte came; a timeout counts from here. */
  progressUs: number;
  ending: StreamEnding | undefined;
  /** What follows came at this time. */
  arrivedAt(atUs: number): void;
  head(head: ResponseHead): void;
  /** Only the first failure counts. */
  fail(kind: ErrorKind, message: string): void;
  /** The answer is complete. */
  answered(): void;
  /** The connection ended in the middle of the answer, without an error. */
  cutOff(): void;
}

export interface ConnectionHost<S extends Carried> {
  /** Called on every socket callback: the harness had work to do. */
  active(): void;
  /** The stream has ended; its connection has been released or closed before. */
  finished(stream: S): void;
  /** The connection is free for the next stream. */
  released(connection: LoadConnection<S>): void;
  closed(connection: LoadConnection<S>): void;
  /** A reused connection was closed before the first byte of the answer: the stream needs a new one. */
  retry(stream: S): void;
  /** How long a slow reader pauses after a read; 0 while draining. */
  slowPauseMs(stream: S): number;
}

interface ConnectOptions {
  readonly target: LoadTarget;
  readonly insecure: boolean;
  /** Trusted certificates, instead of the system's. */
  readonly ca: string | undefined;
}

export class LoadConnection<S extends Carried> extends ResponseReader {
  readonly #host: ConnectionHost<S>;
  #socket: Bun.Socket<unknown> | undefined;
  #stream: S | undefined;
  /** The part of a request that the kernel has not taken yet. */
  #unsent: Buffer | undefined;
  #answers = 0;
  /** The answer is complete. */
  #answered = false;
  #dead = false;
  #tls = false;
  #insecure = false;
  #pause: ReturnType<typeof setTimeout> | undefined;

  constructor(host: ConnectionHost<S>) {
    super();
    this.#host = host;
  }

  get usable(): boolean {
    return !this.#dead;
  }

  /** Opens the connection for its first stream; a failure fails that stream. */
  connect({ target, insecure, ca }: ConnectOptions, stream: S): void {
    this.#take(stream);
    this.#tls = target.tls;
    this.#insecure = insecure;
    const serverName = serverNameOf(target);
    const tls = { rejectUnauthorized: !insecure, ...(serverName ? { serverName } : {}), ...(ca ? { ca } : {}) };
    Bun.connect<AnyConnection>({
      hostname: target.hostname,
      port: target.port,
      socket: HANDLERS,
      data: this,
      ...(target.tls ? { tls } : {}),
    }).catch(() => {
      // Reported by connectError.
    });
  }

  start(stream: S): void {
    this.#take(stream);
    this.#send();
  }

  /** Fails the stream from outside: a timeout, the end of the drain. */
  abort(kind: ErrorKind, message: string): void {
    this.#stream?.fail(kind, message);
    this.#die('failed');
  }

  /** Closes the connection because the run is over. */
  interrupt(): void {
    this.#die('interrupted');
  }

  opened(socket: Bun.Socket<unknown>): void {
    this.#host.active();
    this.#socket = socket;
    if (this.#dead) {
      socket.terminate();
      return;
    }
    socket.setNoDelay(true);
    if (!this.#tls) this.#send();
  }

  handshaken(trusted: boolean, error: Error | null): void {
    this.#host.active();
    if (this.#dead) return;
    // Bun reports an error for an untrusted certificate even when it was told to accept it.
    const { code } = (error ?? {}) as NodeJS.ErrnoException;
    if (trusted || (this.#insecure && error && !NO_TLS_CODES.includes(code ?? ''))) this.#send();
    else this.abort('tls', error?.message || 'the TLS handshake failed');
  }

  failedToConnect(error: Error): void {
    this.#host.active();
    this.abort('connect', connectText(error));
  }

  drained(): void {
    this.#host.active();
    if (this.#unsent && !this.#dead) this.#write(this.#unsent);
  }

  received(bytes: Buffer): void {
    this.#host.active();
    const stream = this.#stream;
    if (this.#dead) return;
    if (!stream) {
      // Bytes that answer no request: the connection cannot carry another one.
      this.#die('failed');
      return;
    }
    stream.arrivedAt(nowUs());
    try {
      this.push(bytes);
    } catch (error) {
      if (!(error instanceof Http1Error)) throw error;
      stream.fail('framing', `not valid HTTP: ${error.message}`);
    }
    if (stream.abandoned) this.#die('abandoned');
    else if (stream.failure) this.#die('failed');
    else if (this.#answered) this.#finish(stream);
    else if (stream.readsSlowly) this.#readSlowly(stream);
  }

  protected override onHead(head: ResponseHead): DataSink {
    this.#stream!.head(head);
    return this.#stream!;
  }

  protected override onEnd(): void {
    this.#answered = true;
  }

  closed(error: Error | undefined): void {
    this.#host.active();
    const stream = this.#stream;
    if (this.#dead) return;
    if (!stream) {
      this.#die('failed');
      return;
    }
    if (this.closedInOrder()) {
      this.#finish(stream);
      return;
    }
    if (!this.gotBytes && this.#answers > 0 && stream.attempts === 1) {
      this.#stream = undefined;
      this.#die('failed');
      this.#host.retry(stream);
      return;
    }
    if (error) stream.fail('reset', `the connection broke: ${(error as NodeJS.ErrnoException).code ?? error.message}`);
    else stream.cutOff();
    this.#die('failed');
  }

  /** Assigns the stream: from now on what happens to the connection happens to it. */
  #take(stream: S): void {
    this.#stream = stream;
    this.#answered = false;
    this.expect(stream.bodiless);
  }

  #send(): void {
    const stream = this.#stream!;
    stream.attempts++;
    stream.sentUs = nowUs();
    stream.progressUs = stream.sentUs;
    this.#write(stream.request);
  }

  #write(bytes: Buffer): void {
    const taken = Math.max(0, this.#socket!.write(bytes));
    this.#unsent = taken < bytes.length ? bytes.subarray(taken) : undefined;
  }

  #finish(stream: S): void {
    stream.answered();
    this.#answers++;
    if (!this.reusable || this.#unsent !== undefined) {
      this.#die(stream.failure ? 'failed' : 'complete');
      return;
    }
    stream.ending = stream.failure ? 'failed' : 'complete';
    this.#stream = undefined;
    this.#host.released(this);
    this.#host.finished(stream);
  }

  #readSlowly(stream: S): void {
    const pauseMs = this.#host.slowPauseMs(stream);
    if (pauseMs === 0) return;
    this.#socket?.pause();
    this.#pause = setTimeout(() => {
      // The pause was ours: it must not count as silence of the target.
      if (this.#stream) this.#stream.progressUs = nowUs();
      this.#socket?.resume();
    }, pauseMs);
  }

  #die(ending: StreamEnding): void {
    if (this.#dead) return;
    this.#dead = true;
    clearTimeout(this.#pause);
    // RST when bytes may still arrive, as when a client closes a socket with unread bytes.
    if (ending === 'complete') this.#socket?.end();
    else this.#socket?.terminate();
    this.#host.closed(this);
    const stream = this.#stream;
    this.#stream = undefined;
    if (!stream) return;
    stream.ending = ending;
    this.#host.finished(stream);
  }
}

/** Errors of handshakes that ended before there was a certificate. */
const NO_TLS_CODES = ['EPROTO', 'ECONNRESET'];

/** What the handlers know of a connection, whatever it carries. */
type AnyConnection = Pick<
  LoadConnection<never>,
  'opened' | 'handshaken' | 'received' | 'drained' | 'closed' | 'failedToConnect'
>;

/** Shared by all sockets; `data` holds the connection. */
const HANDLERS: Bun.SocketHandler<AnyConnection> = {
  open: (socket) => socket.data.opened(socket),
  handshake: (socket, trusted, error) => socket.data.handshaken(trusted, error),
  data: (socket, bytes) => socket.data.received(bytes),
  drain: (socket) => socket.data.drained(),
  close: (socket, error) => socket.data.closed(error),
  connectError: (socket, error) => socket.data.failedToConnect(error),
  // `close` follows.
  error: () => {},
};

function connectText(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused: nothing listens there';
  if (code === 'ENOTFOUND') return 'the host name is not known';
  return code ? `cannot connect: ${code}` : `cannot connect: ${error.message}`;
}
