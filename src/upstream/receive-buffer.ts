/**
 * A bound on what the kernel holds of one upstream answer. Linux grows a socket's receive buffer with the speed of its
 * reader, up to the third number of tcp_rmem (6 to 32 MB): once a client stops reading, upstream would go on until all
 * of that is full. Bun has no way to set SO_RCVBUF on a TCP socket, so this asks the C library.
 *
 * It also makes `pause()` mean what it says: Bun reads a socket in pieces of 512 kB, and reads on, pause or not, as long
 * as a read fills one. With less than that in the kernel none ever does.
 *
 * The price: no more than this travels in a round trip, 1 MB a second and connection at 100 ms: fifty times a stream of
 * tokens. With twice as much 200 clients that stop reading cost 145 MB, with this 75.
 */
import { ptr } from 'bun:ffi';
import type { Socket } from 'bun';
import { libc, SO_RCVBUF, SOL_SOCKET } from '../libc.ts';

/** What is asked for; Linux doubles it for its own bookkeeping (socket(7)). */
export const RECEIVE_BUFFER_BYTES = 96 * 1024;

const value = new Int32Array([RECEIVE_BUFFER_BYTES]);

/**
 * Sets the bound on a connected socket. Where that cannot be done (no C library, a Bun whose sockets have no
 * descriptor: it is not in its documentation) the kernel's own bounds hold.
 * @returns whether the bound holds
 */
export function boundReceiveBuffer(socket: Socket<unknown>): boolean {
  const { fd } = socket as { fd?: number };
  if (fd === undefined || fd < 0) return false;
  return libc()?.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, ptr(value), value.byteLength) === 0;
}
