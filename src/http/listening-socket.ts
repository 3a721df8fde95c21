/** What Bun.serve cannot set on the socket it listens on (BUN 1.4.5), and cannot tell: its descriptor. */
import { ptr } from 'bun:ffi';
import { readdirSync } from 'node:fs';
import { IPPROTO_TCP, type LibC, libc, SO_ACCEPTCONN, SOL_SOCKET, TCP_NOTSENT_LOWAT } from '../libc.ts';

/**
 * How many connections may wait to be accepted. Bun asks for 512: when more clients than that connect in the same moment the
 * kernel drops some, and each of those waits a second for TCP to try again. Of 4,000 that came at once the median waited
 * 800 ms for its first byte. The kernel makes of it what its administrator allows: net.core.somaxconn, 4096 by default.
 */
const BACKLOG = 65_535;

/**
 * What a connection may hold in the kernel beyond what is on its way to the client. Left alone, the send buffer of a client
 * that stops reading grows to 4 MB. This bounds only what is unsent, so the buffer still grows with a long path.
 */
const UNSENT_BYTES_MAX = 128 * 1024;

/** Enough for an IPv6 address with its port, `struct sockaddr_in6`. */
const ADDRESS_BYTES = 28;

/**
 * Sets both on the socket of this process that listens on a port: listen(2) may be called again, and a socket that is
 * accepted has the options of the one that listens.
 * @returns its descriptor; null where it cannot be found: then Bun's backlog and the kernel's buffers hold
 */
export function tuneListeningSocket(port: number): number | null {
  const calls = libc();
  if (calls === null) return null;
  const fd = descriptors().find((candidate) => isListening(candidate, calls) && portOf(candidate, calls) === port);
  if (fd === undefined || calls.listen(fd, BACKLOG) !== 0) return null;
  const value = new Int32Array([UNSENT_BYTES_MAX]);
  calls.setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, ptr(value), value.byteLength);
  return fd;
}

function descriptors(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

function isListening(fd: number, calls: LibC): boolean {
  const value = new Int32Array(1);
  const length = new Uint32Array([value.byteLength]);
  return calls.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, ptr(value), ptr(length)) === 0 && value[0] === 1;
}

/** Of `sockaddr_in` and `sockaddr_in6` alike: the two bytes behind the family, in network order. */
function portOf(fd: number, calls: LibC): number {
  const address = Buffer.alloc(ADDRESS_BYTES);
  const length = new Uint32Array([ADDRESS_BYTES]);
  return calls.getsockname(fd, ptr(address), ptr(length)) === 0 ? address.readUInt16BE(2) : -1;
}
