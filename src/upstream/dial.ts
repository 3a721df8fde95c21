/**
 * Opens a connection: connect, tunnel through a proxy, TLS. It ends in exactly one call, `connected` or
 * `failed`, unless it is cancelled, and it calls neither from within `start`.
 *
 * A refused connection is tried again for a while: upstream has seen nothing of the request, and a server that restarts is
 * back soon.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { SocketHandler } from 'bun';
import { spareDescriptors } from '../spare-descriptors.ts';
import type { ConnectAttempts } from './connect-attempts.ts';
import { ConnectError, codeOfFailedConnect } from './connect-error.ts';
import type { HttpProxy } from './proxy.ts';
import { configureSocket, descriptorsExhausted } from './socket-options.ts';
import { NOBODY, OWNER_HANDLERS, type SocketOwner, type UpstreamSocket } from './socket-owner.ts';
import { bridgeTls } from './tls-bridge.ts';
import { connectRequest, TunnelAnswer } from './tunnel.ts';

export interface UpstreamEndpoint {
  readonly hostname: string;
  readonly port: number;
  readonly tls: Bun.TLSOptions | undefined;
  readonly proxy: HttpProxy | null;
  /** For a proxy that is spoken to over TLS. */
  readonly proxyTls: Bun.TLSOptions | undefined;
  /** For all of it: connecting, the tunnel, TLS. */
  readonly connectTimeoutMs: number;
  /** The kernel may hold as much of an answer as it likes. */
  readonly bulk: boolean;
}

/** What all dials to one upstream share. */
export interface DialResources {
  readonly attempts: ConnectAttempts;
  /** Closes some idle connections because there are no descriptors left. @returns how many */
  shedIdle(): number;
}

export interface DialResult {
  /** @param under the socket that the bytes really travel on, when it is another one */
  connected(socket: UpstreamSocket, under: UpstreamSocket | null): void;
  failed(error: Error): void;
}

/** On its way to `connected` or `failed`. */
export interface Dialing {
  start(): void;
  /** It is not needed any more. */
  cancel(): void;
}

/** @param refusedForMs how long a refused connection is tried again */
export type DialUpstream = (resources: DialResources, result: DialResult, refusedForMs: number) => Dialing;

export function dialTo(endpoint: UpstreamEndpoint): DialUpstream {
  return (resources, result, refusedForMs) => new Dial(endpoint, resources, result, refusedForMs);
}

enum Phase {
  /** Until a socket is open, with pauses between the attempts. */
  Connecting,
  /** TLS with the first peer, the proxy or upstream. */
  Handshake,
  Tunnel,
  /** TLS with upstream through the tunnel. */
  InnerHandshake,
  Over,
}

const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
  [Phase.Connecting]: [Phase.Handshake, Phase.Tunnel, Phase.Over],
  [Phase.Handshake]: [Phase.Tunnel, Phase.Over],
  [Phase.Tunnel]: [Phase.InnerHandshake, Phase.Over],
  [Phase.InnerHandshake]: [Phase.Over],
  [Phase.Over]: [],
};

const FIRST_PAUSE_MS = 10;
/** With this a port that is open again is found soon, and some hundred requests that wait for it cost little. */
const PAUSE_MAX_MS = 160;

interface Failure {
  readonly error: unknown;
  /** connect() failed within the call. No packet was sent, so this is not a refusal. */
  readonly atOnce: boolean;
}

class Dial implements SocketOwner, Dialing {
  #phase = Phase.Connecting;
  /** What Bun.connect is doing for us. */
  #attempt: 'none' | 'awaited' | 'given up' = 'none';
  #socket: UpstreamSocket | undefined;
  #under: UpstreamSocket | null = null;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #answer: TunnelAnswer | undefined;
  #unsent: Uint8Array | null = null;

  constructor(
    private readonly endpoint: UpstreamEndpoint,
    private readonly resources: DialResources,
    private readonly result: DialResult,
    private readonly refusedForMs: number,
  ) {}

  start(): void {
    this.#deadline = setTimeout(
      () => this.#fail(new ConnectError('CONNECT_TIMEOUT', 'connect timeout')),
      this.endpoint.connectTimeoutMs,
    );
    this.#connect().catch((error) => this.#fail(error));
  }

  cancel(): void {
    if (this.#phase === Phase.Over) return;
    this.#end();
    this.#socket?.terminate();
    this.#under?.terminate();
  }

  /** The socket is there; over TLS nothing is known yet about who is at its other end. */
  opened(socket: UpstreamSocket): void {
    if (this.#phase === Phase.Over) {
      socket.terminate();
      return;
    }
    this.#attemptEnded();
    this.#socket = socket;
    configureSocket(socket, this.endpoint);
    if (this.#firstTls) this.#enter(Phase.Handshake);
    else this.#reached();
  }

  verified(ok: boolean, error: Error | null): void {
    if (!ok) this.#fail(error ?? new ConnectError('TLS_HANDSHAKE', 'the TLS handshake failed'));
    else if (this.#phase === Phase.Handshake) this.#reached();
    else if (this.#phase === Phase.InnerHandshake) this.#succeed();
  }

  received(bytes: Uint8Array): void {
    if (this.#phase !== Phase.Tunnel) return;
    try {
      if (this.#answer!.push(bytes)) this.#tunnelled();
    } catch (error) {
      this.#fail(error);
    }
  }

  drained(): void {
    if (this.#phase === Phase.Tunnel) this.#write();
  }

  ended(): void {
    this.lost(undefined);
  }

  lost(error: Error | undefined): void {
    this.#fail(error ?? new ConnectError('ECONNRESET', 'the connection was closed before it was of use'));
  }

  get #peer(): { hostname: string; port: number } {
    return this.endpoint.proxy ?? this.endpoint;
  }

  get #firstTls(): Bun.TLSOptions | undefined {
    return this.endpoint.proxy ? this.endpoint.proxyTls : this.endpoint.tls;
  }

  async #connect(): Promise<void> {
    const { hostname } = this.#peer;
    const untilMs = performance.now() + this.refusedForMs;
    let addresses = [hostname];
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      if (this.#isOver) return;
      const failure = await this.#tryEach(addresses);
      if (failure === null || this.#isOver) return;
      if (descriptorsExhausted()) {
        if (this.resources.shedIdle() === 0 && !spareDescriptors.release())
          throw new ConnectError('EMFILE', 'no file descriptors are left');
        continue;
      }
      const { error, atOnce } = failure;
      if ((error as { code?: unknown }).code !== 'ECONNREFUSED') throw error;
      if (addresses[0] === hostname && isIP(hostname) === 0) {
        // For a name Bun does not tell a refusal from an error within the call. For an address it does.
        addresses = (await lookup(hostname, { all: true })).map(({ address }) => address);
        continue;
      }
      if (atOnce) throw new ConnectError(await codeOfFailedConnect(addresses[0]!), 'connect() failed');
      if (performance.now() + pauseMs > untilMs) throw error;
      await this.#wait(pauseMs);
      pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
    }
  }

  /** @returns null when one of them was reached or the dial is over; a refusal if there was one */
  async #tryEach(addresses: readonly string[]): Promise<Failure | null> {
    let worst: Failure | null = null;
    for (const address of addresses) {
      const failure = await this.#connectTo(address);
      if (failure === null || this.#isOver) return null;
      if (worst === null || !failure.atOnce) worst = failure;
    }
    return worst;
  }

  /** @throws ConnectError TOO_MANY_ATTEMPTS */
  async #connectTo(hostname: string): Promise<Failure | null> {
    this.resources.attempts.begin();
    this.#attempt = 'awaited';
    let atOnce = false;
    try {
      const tls = this.#firstTls;
      const target = { hostname, port: this.#peer.port, data: this as SocketOwner };
      const connecting = Bun.connect<SocketOwner>(
        tls ? { ...target, tls, socket: TLS_HANDLERS } : { ...target, socket: HANDLERS },
      );
      atOnce = Bun.peek.status(connecting) === 'rejected';
      await connecting;
      return null;
    } catch (error) {
      return { error, atOnce };
    } finally {
      this.#attemptEnded();
    }
  }

  /** Never resolves once it is cancelled. */
  #wait(pauseMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#pause = setTimeout(resolve, pauseMs);
    });
  }

  /** The first peer is there and, over TLS, who it should be. */
  #reached(): void {
    const { proxy, hostname, port } = this.endpoint;
    if (!proxy) {
      this.#succeed();
      return;
    }
    this.#enter(Phase.Tunnel);
    this.#answer = new TunnelAnswer();
    const host = isIP(hostname) === 6 ? `[${hostname}]` : hostname;
    this.#unsent = connectRequest(`${host}:${port}`, proxy.authorization);
    this.#write();
  }

  #write(): void {
    if (!this.#unsent) return;
    const written = Math.max(0, this.#socket!.write(this.#unsent));
    this.#unsent = written < this.#unsent.length ? this.#unsent.subarray(written) : null;
  }

  #tunnelled(): void {
    const { tls, proxy } = this.endpoint;
    const outer = this.#socket!;
    if (!tls) {
      this.#succeed();
      return;
    }
    this.#enter(Phase.InnerHandshake);
    if (proxy!.secure) {
      this.#under = outer;
      bridgeTls(outer, tls, this, INNER_TLS_HANDLERS).then(
        (inner) => this.#innerOpened(inner),
        (error) => this.#fail(error),
      );
      return;
    }
    const [raw, inner] = outer.upgradeTLS<SocketOwner>({ data: this, tls, socket: INNER_TLS_HANDLERS });
    // It still tells of every read, in its encrypted form.
    raw.data = NOBODY;
    outer.data = NOBODY;
    this.#innerOpened(inner);
  }

  #innerOpened(inner: UpstreamSocket): void {
    if (this.#phase === Phase.Over) inner.terminate();
    else this.#socket = inner;
  }

  #succeed(): void {
    const socket = this.#socket!;
    const under = this.#under;
    this.#end();
    this.result.connected(socket, under);
  }

  #fail(error: unknown): void {
    if (this.#phase === Phase.Over) return;
    this.cancel();
    this.result.failed(error instanceof Error ? error : new Error(String(error)));
  }

  get #isOver(): boolean {
    return this.#phase === Phase.Over;
  }

  #attemptEnded(): void {
    if (this.#attempt !== 'none') this.resources.attempts.end(this.#attempt === 'given up');
    this.#attempt = 'none';
  }

  #end(): void {
    this.#enter(Phase.Over);
    clearTimeout(this.#deadline);
    clearTimeout(this.#pause);
    if (this.#attempt !== 'awaited') return;
    this.#attempt = 'given up';
    this.resources.attempts.giveUp();
  }

  #enter(phase: Phase): void {
    if (!NEXT[this.#phase].includes(phase)) throw new Error(`dial: ${Phase[this.#phase]} to ${Phase[phase]}`);
    this.#phase = phase;
  }
}

/** One set of handlers for all connections. */
const HANDLERS: SocketHandler<SocketOwner> = {
  ...OWNER_HANDLERS,
  open: (socket) => (socket.data as Dial).opened(socket),
};

/**
 * With a `handshake` handler Bun calls `open` before the handshake, so that one that hangs can be ended; without one it
 * calls `open` even for a certificate that was refused, on a socket that takes no bytes any more (BUN 1.4.5).
 */
const TLS_HANDLERS: SocketHandler<SocketOwner> = {
  ...HANDLERS,
  handshake: (socket, ok, error) => (socket.data as Dial).verified(ok, error),
};

const INNER_TLS_HANDLERS: SocketHandler<SocketOwner> = { ...TLS_HANDLERS, open: () => {} };
