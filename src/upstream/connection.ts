/**
 * One connection to upstream and the exchange on it, one at a time. Owns the socket: writing the request with its
 * backpressure, handing reads to the response reader, and the decision whether the connection may be used again.
 */
import { UpstreamError } from './client.ts';
import { ProxyRefusal } from './connect-error.ts';
import type { Dialing, DialResources, DialResult, DialUpstream } from './dial.ts';
import { type DataSink, ResponseReader } from './http1.ts';
import { Http1Error, type ResponseHead } from './http1-head.ts';
import type { RequestBytes } from './request-bytes.ts';
import { descriptorOf, isLongRequest, isQuiet, setUserTimeout } from './socket-options.ts';
import type { SocketOwner, UpstreamSocket } from './socket-owner.ts';
import { freeSpent } from './spent-bytes.ts';
import { provesUnread } from './unread-request.ts';

/** What a connection tells the exchange that is on it. After `done` or `broken` it has forgotten the exchange. */
export interface ConnectionUser {
  /** @returns who takes the body; nothing is given to it once `destroy` was called */
  head(head: ResponseHead): DataSink;
  /** The kernel has accepted all of the request so far, and more is to come: time for the next `write`. */
  writable(): void;
  done(): void;
  broken(error: UpstreamError): void;
}

export interface ConnectionOwner extends DialResources {
  /** The response is complete and the connection can carry another. */
  released(connection: Connection): void;
  closed(connection: Connection): void;
}

enum Phase {
  /** Nothing has been done to connect it. */
  New,
  /** With a request that waits for the socket. */
  Connecting,
  Exchange,
  Idle,
  /** Upstream closed it before it answered; whether it has read the request is being found out. */
  Doubt,
  Closed,
}

const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
  [Phase.New]: [Phase.Connecting, Phase.Closed],
  [Phase.Connecting]: [Phase.Exchange, Phase.Closed],
  [Phase.Exchange]: [Phase.Idle, Phase.Doubt, Phase.Closed],
  [Phase.Idle]: [Phase.Exchange, Phase.Closed],
  [Phase.Doubt]: [Phase.Closed],
  [Phase.Closed]: [],
};

export class Connection extends ResponseReader implements SocketOwner, DialResult {
  readonly bornAtMs = performance.now();
  idleSinceMs = 0;
  /** How long upstream said that it keeps an idle connection. */
  keptByUpstreamMs = Number.POSITIVE_INFINITY;
  #phase = Phase.New;
  #socket: UpstreamSocket | undefined;
  /** The socket that the bytes really travel on, when it is another one. */
  #under: UpstreamSocket | null = null;
  #user: ConnectionUser | null = null;
  #unsent: Uint8Array | null = null;
  /** Follows it. */
  #rest: Uint8Array | null = null;
  /** Of the current request, bytes that the kernel has accepted. */
  #written = 0;
  /** More of the request is to come. */
  #open = false;
  #paused = false;
  #exchanges = 0;
  #longRequest = false;
  readonly #dialing: Dialing;

  /** @param refusedForMs how long a refused connection is tried again */
  constructor(
    dial: DialUpstream,
    private readonly owner: ConnectionOwner,
    refusedForMs: number,
  ) {
    super();
    this.#dialing = dial(owner, this, refusedForMs);
  }

  get usable(): boolean {
    return this.#phase !== Phase.Closed;
  }

  /** Another exchange was on it before the one that is. */
  get reused(): boolean {
    return this.#exchanges > 1;
  }

  /** Whether upstream has neither sent a byte nor closed it, as far as the kernel knows: to be asked before it is used again. */
  get isQuiet(): boolean {
    return isQuiet(this.#socket!) && (this.#under === null || isQuiet(this.#under));
  }

  /**
   * Writes a request, and connects first when the connection is new. Only while no other exchange is on it.
   * @param bodiless it is a HEAD
   * @param open its body follows by `write`
   */
  send({ first, rest }: RequestBytes, user: ConnectionUser, bodiless: boolean, open = false): void {
    const isNew = this.#phase === Phase.New;
    this.#enter(isNew ? Phase.Connecting : Phase.Exchange);
    this.#user = user;
    this.#exchanges++;
    this.expect(bodiless);
    this.#open = open;
    this.#unsent = first;
    this.#rest = rest;
    this.#written = 0;
    if (isNew) {
      this.#dialing.start();
      return;
    }
    this.#begin();
  }

  /** More of the request that is on the connection; only after the user was told `writable`. */
  write(bytes: Uint8Array, last: boolean): void {
    if (this.#phase !== Phase.Exchange || !this.#open) return;
    this.#open = !last;
    this.#unsent = bytes.length > 0 ? bytes : null;
    this.#write();
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
  }

  connected(socket: UpstreamSocket, under: UpstreamSocket | null): void {
    socket.data = this;
    this.#socket = socket;
    this.#under = under;
    this.#enter(Phase.Exchange);
    if (this.#paused) socket.pause();
    this.#begin();
  }

  failed(error: Error): void {
    // The error itself may name the host: it is for the log.
    const why = error instanceof ProxyRefusal ? `: ${error.message}` : '';
    this.#break('unreachable', `Upstream cannot be reached${why}`, error, true);
  }

  received(bytes: Uint8Array): void {
    try {
      this.push(bytes);
      freeSpent(bytes);
    } catch (error) {
      // Any other error comes from the receiver. It is a bug of ours, and must end this exchange only.
      const ours = !(error instanceof Http1Error);
      this.#break('protocol', ours ? 'The receiver of the answer failed' : 'Upstream sent an invalid answer', error);
    }
  }

  drained(): void {
    if (this.#phase === Phase.Exchange) this.#write();
  }

  /** FIN: for a body without length this is its end. */
  ended(): void {
    if (this.#phase === Phase.Doubt || this.#phase === Phase.Closed) return;
    const unanswered = this.#phase === Phase.Exchange && this.reused && !this.gotBytes && this.#written > 0;
    const proof = unanswered ? provesUnread(descriptorOf(this.#socket!), this.#written) : null;
    if (proof !== null) void this.#doubt(proof);
    else if (!this.closedInOrder()) this.lost(undefined);
    else this.destroy();
  }

  lost(error: Error | undefined): void {
    if (this.#phase === Phase.Doubt) return;
    this.#break('reset', 'Upstream closed the connection', error, this.#written === 0);
  }

  protected override onHead(head: ResponseHead): DataSink {
    if (head.idleTimeoutMs !== null) this.keptByUpstreamMs = head.idleTimeoutMs;
    // The reader has refused a response without a request before this.
    return this.#user!.head(head);
  }

  protected override onEnd(): void {
    const user = this.#user;
    this.#user = null;
    // After an early answer the rest of the request would still be on the connection.
    if (this.reusable && !this.#open && this.#unsent === null && this.#phase === Phase.Exchange) {
      this.#enter(Phase.Idle);
      if (this.#paused) this.resume();
      this.owner.released(this);
    } else {
      this.destroy();
    }
    user?.done();
  }

  #begin(): void {
    const longRequest = this.#open || isLongRequest((this.#unsent?.length ?? 0) + (this.#rest?.length ?? 0));
    if (longRequest !== this.#longRequest) {
      this.#longRequest = longRequest;
      setUserTimeout(this.#under ?? this.#socket!, longRequest);
    }
    this.#write();
  }

  #write(): void {
    if (!this.#unsent) return;
    do {
      const written = this.#socket!.write(this.#unsent);
      if (written < 0) return;
      this.#written += written;
      if (written < this.#unsent.length) {
        this.#unsent = this.#unsent.subarray(written);
        return;
      }
      this.#unsent = this.#rest;
      this.#rest = null;
    } while (this.#unsent !== null);
    if (this.#open) this.#user?.writable();
  }

  async #doubt(proof: Promise<boolean>): Promise<void> {
    this.#enter(Phase.Doubt);
    this.#break('reset', 'Upstream closed the connection', undefined, await proof);
  }

  #break(kind: UpstreamError['kind'], message: string, cause?: unknown, safeToResend = false): void {
    if (this.#phase === Phase.Closed) return;
    const user = this.#user;
    this.destroy();
    user?.broken(new UpstreamError(kind, message, { cause, safeToResend }));
  }

  #close(): void {
    if (this.#phase === Phase.Closed) return;
    if (this.#phase === Phase.Connecting) this.#dialing.cancel();
    this.#enter(Phase.Closed);
    this.stop();
    this.#unsent = null;
    this.#rest = null;
    this.#socket?.terminate();
    this.owner.closed(this);
  }

  #enter(phase: Phase): void {
    if (!NEXT[this.#phase].includes(phase)) throw new Error(`connection: ${Phase[this.#phase]} to ${Phase[phase]}`);
    this.#phase = phase;
  }
}
