/**
 * TLS within TLS, for an upstream behind an https proxy. Bun upgrades plain sockets only (1.4.5: `upgradeTLS` of a TLS
 * socket returns undefined), but it makes a TLS client of any descriptor. So the inner TLS runs over a pair of local
 * sockets, and this carries its records between their other end and the socket to the proxy.
 *
 * At most one read of each direction waits here: the socket it came from is paused until it is written.
 */
import { ptr } from 'bun:ffi';
import type { SocketHandler } from 'bun';
import { AF_UNIX, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '../libc.ts';
import { ConnectError } from './connect-error.ts';
import { OWNER_HANDLERS, type SocketOwner, type UpstreamSocket } from './socket-owner.ts';

/** Whether TLS within TLS can be had on this machine. */
export function canBridgeTls(): boolean {
  return libc() !== null;
}

/**
 * @param outer the TLS socket to the proxy, on which the tunnel is open
 * @param handlers of the inner socket, with `open` and `handshake`
 * @throws ConnectError when there are no descriptors for it
 */
export async function bridgeTls(
  outer: UpstreamSocket,
  tls: Bun.TLSOptions,
  owner: SocketOwner,
  handlers: SocketHandler<SocketOwner>,
): Promise<UpstreamSocket> {
  const [nearFd, farFd] = socketPair();
  const bridge = new TlsBridge(outer);
  outer.data = bridge.outerSide;
  bridge.near = await connectDescriptor(nearFd, bridge.nearSide, OWNER_HANDLERS);
  try {
    bridge.inner = await connectDescriptor(farFd, owner, handlers, tls);
    return bridge.inner;
  } catch (error) {
    // Bun has thrown before it took the descriptor: the options are wrong.
    libc()!.close(farFd);
    throw error;
  }
}

class TlsBridge {
  near: UpstreamSocket | undefined;
  inner: UpstreamSocket | undefined;
  #toNear: Buffer | null = null;
  #toOuter: Buffer | null = null;
  /** The proxy's FIN, to be passed on behind the last byte. */
  #finished = false;
  #over = false;

  constructor(private readonly outer: UpstreamSocket) {}

  readonly outerSide: SocketOwner = {
    received: (bytes) => {
      this.#toNear = write(this.near, this.#toNear, bytes);
      if (this.#toNear) this.outer.pause();
    },
    drained: () => {
      this.#toOuter = write(this.outer, null, this.#toOuter);
      if (!this.#toOuter) this.near?.resume();
    },
    ended: () => {
      this.#finished = true;
      if (!this.#toNear) this.#end(() => this.near?.end());
    },
    // A pair of local sockets knows no reset: the inner connection is told of it directly.
    lost: (error) => {
      if (this.#finished) return;
      this.#end(() => {
        this.inner?.data.lost(error);
        this.near?.terminate();
      });
    },
  };

  readonly nearSide: SocketOwner = {
    received: (bytes) => {
      this.#toOuter = write(this.outer, this.#toOuter, bytes);
      if (this.#toOuter) this.near!.pause();
    },
    drained: () => {
      this.#toNear = write(this.near, null, this.#toNear);
      if (this.#toNear) return;
      if (this.#finished) this.#end(() => this.near!.end());
      else this.outer.resume();
    },
    ended: () => this.#end(() => this.outer.terminate()),
    lost: () => this.#end(() => this.outer.terminate()),
  };

  #end(how: () => void): void {
    if (this.#over) return;
    this.#over = true;
    how();
  }
}

/** @returns a copy of what could not be written: what waited before comes first */
function write(socket: UpstreamSocket | undefined, waiting: Buffer | null, bytes: Uint8Array | null) {
  if (waiting !== null) return bytes === null ? waiting : Buffer.concat([waiting, bytes]);
  if (bytes === null) return null;
  const written = Math.max(0, socket?.write(bytes) ?? 0);
  return written < bytes.length ? Buffer.from(bytes.subarray(written)) : null;
}

function socketPair(): readonly [number, number] {
  const pair = new Int32Array(2);
  const failed = libc()?.socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ptr(pair)) !== 0;
  if (failed) throw new ConnectError('EMFILE', 'no descriptors for TLS within TLS');
  return [pair[0]!, pair[1]!];
}

/** `fd` is in Bun's types for sockets, but not in those of `connect`. */
function connectDescriptor(
  fd: number,
  data: SocketOwner,
  socket: SocketHandler<SocketOwner>,
  tls?: Bun.TLSOptions,
): Promise<UpstreamSocket> {
  const options: unknown = { fd, data, socket, ...(tls ? { tls } : {}) };
  return Bun.connect<SocketOwner>(options as Bun.TCPSocketConnectOptions<SocketOwner>);
}
