/**
 * How many connections may wait to be accepted. Bun asks for 512 and takes no other number (1.4.5: `backlog` is ignored
 * by Bun.serve): when more clients than that connect in the same moment the kernel drops some, and each of those waits a
 * second for TCP to try again. Of 4,000 that came at once the median waited 800 ms for its first byte.
 */

import { ptr } from 'bun:ffi';
import { readdirSync } from 'node:fs';
import { type LibC, libc, SO_ACCEPTCONN, SOL_SOCKET } from '../libc.ts';

/** The kernel makes of it what its administrator allows: net.core.somaxconn, 4096 by default (listen(2)). */
const BACKLOG = 65_535;

/** Enough for an IPv6 address with its port, `struct sockaddr_in6`. */
const ADDRESS_BYTES = 28;

/**
 * Lets as many connections to a port of this process wait as the kernel allows. listen(2) may be called again on a
 * socket that listens already; Bun tells no descriptor of a server, so it is looked for.
 * @returns whether it was done: where not, Bun's 512 hold
 */
export function raiseListenBacklog(port: number): boolean {
  const calls = libc();
  if (calls === null) return false;
  const fd = descriptors().find((candidate) => isListening(candidate, calls) && portOf(candidate, calls) === port);
  return fd !== undefined && calls.listen(fd, BACKLOG) === 0;
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
