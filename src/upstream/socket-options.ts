/**
 * What the kernel is told about upstream sockets, and asked about them. Bun has no API for these options, so this asks
 * the C library; without one (not Linux) the kernel's defaults hold.
 */
import { ptr } from 'bun:ffi';
import {
  AF_UNIX,
  IPPROTO_TCP,
  libc,
  SO_KEEPALIVE,
  SO_RCVBUF,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  setSocketOption,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_USER_TIMEOUT,
} from '../libc.ts';

/**
 * SO_RCVBUF: what the kernel holds of one answer. Linux grows a receive buffer with the speed of its reader, up to the
 * third number of tcp_rmem (6 to 32 MB): once a client stops reading, upstream would go on until all of that is full. With
 * the bound a read never fills Bun's 512 kB, and only a read that does is followed by another one after `pause()`.
 *
 * The price: no more than this travels in a round trip, 1 MB a second and connection at 100 ms. That is fifty times a
 * stream of tokens; a download asks for `bulk` and has no bound. With twice as much 200 clients that stop reading cost
 * 145 MB, with this 75. Linux doubles it for its own bookkeeping (socket(7)).
 */
export const RECEIVE_BUFFER_BYTES = 96 * 1024;

/**
 * A connection on which the peer answers nothing at all is dead after this: neither data nor keep-alive probes are
 * acknowledged. An upstream that thinks for minutes is alive, because its kernel answers the probes.
 */
const DEAD_AFTER_MS = 10_000;
const PROBE_AFTER_S = 5;
const PROBE_EVERY_S = 2;
/**
 * The same for a long request. TCP_USER_TIMEOUT also ends a connection whose peer is alive but reads nothing, and an
 * busy upstream may not read for a while what does not fit into its receive buffer (64 kB at first).
 */
const DEAD_AFTER_LONG_REQUEST_MS = 60_000;
const LONG_REQUEST_BYTES = 32 * 1024;

interface SocketSettings {
  /** Leaves the receive buffer to the kernel. */
  readonly bulk: boolean;
}

/** For a socket that has just been opened. */
export function configureSocket(socket: object, { bulk }: SocketSettings): void {
  const fd = descriptorOf(socket);
  if (fd === -1) return;
  if (!bulk) boundReceiveBuffer(socket);
  setSocketOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  setSocketOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, PROBE_AFTER_S);
  setSocketOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, PROBE_EVERY_S);
  setSocketOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_AFTER_MS);
}

/** @returns whether the bound holds */
export function boundReceiveBuffer(socket: object): boolean {
  const fd = descriptorOf(socket);
  return fd !== -1 && setSocketOption(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
}

/** @param requestBytes Infinity when the length is not known */
export function isLongRequest(requestBytes: number): boolean {
  return requestBytes > LONG_REQUEST_BYTES;
}

/** Sets how long the peer may go without acknowledging the request. */
export function setUserTimeout(socket: object, longRequest: boolean): void {
  const timeoutMs = longRequest ? DEAD_AFTER_LONG_REQUEST_MS : DEAD_AFTER_MS;
  setSocketOption(descriptorOf(socket), IPPROTO_TCP, TCP_USER_TIMEOUT, timeoutMs);
}

const POLLIN = 0x1;
const POLLRDHUP = 0x2000;
/** struct pollfd: the descriptor, then the events asked for (16 bits) and those that there are. */
const pollfd = new Int32Array(2);

/**
 * Whether nothing has come on a socket that the event loop has not seen yet: no byte, no FIN, no error. As MSG_PEEK would
 * tell, in 0.33 µs instead of 0.40, and without errno. Over TLS it sees records: what they hold does not matter, because
 * a server has nothing to say between two answers. True where it cannot be asked.
 */
export function isQuiet(socket: object): boolean {
  const { fd } = socket as { fd?: number };
  const calls = libc();
  if (calls === null || fd === undefined) return true;
  if (fd < 0) return false;
  pollfd[0] = fd;
  pollfd[1] = POLLIN | POLLRDHUP;
  return calls.poll(ptr(pollfd), 1, 0) === 0;
}

/** Whether the process can open no more files or sockets (EMFILE, ENFILE). */
export function descriptorsExhausted(): boolean {
  const calls = libc();
  if (calls === null) return false;
  const spare = calls.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (spare >= 0) calls.close(spare);
  return spare < 0;
}

/** Bun gives it, but does not document it; -1 once the socket is closed. */
export function descriptorOf(socket: object): number {
  return (socket as { fd?: number }).fd ?? -1;
}
