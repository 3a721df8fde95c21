/**
 * Proves that upstream has not read a request that was written to a pooled connection.
 *
 * An upstream may close an idle connection while a request is on its way there. A process that has closed its socket
 * reads nothing any more: its kernel answers the request with a reset, without acknowledging a byte of it. Then the
 * request may be sent again whatever its method. A single acknowledged byte may have been read, and proves nothing.
 */
import { ptr } from 'bun:ffi';
import { IPPROTO_TCP, type LibC, libc, TCP_INFO } from '../libc.ts';

/** ioctl(2): bytes that are not sent or not acknowledged yet. */
const SIOCOUTQ = 0x5411;
/** `tcpi_state`, the first byte of struct tcp_info: the connection was reset. */
const TCP_CLOSE = 7;
/** A reset comes back within a round trip. */
const PROOF_WITHIN_MS = 1000;
const LOOK_EVERY_MS = 2;
/** TLS adds some 22 bytes per 16 kB: up to this size that is less than one record, and a part of a record cannot be read. */
const REQUEST_BYTES_MAX = 1024 * 1024;

const number = new Int32Array(1);
const state = new Uint8Array(1);
const length = new Uint32Array(1);

/**
 * To be asked when upstream has sent FIN and no byte of an answer, while the descriptor is still open.
 * @param bytes of the request that were written
 * @returns null when nothing can be proven, or else what becomes of it
 */
export function provesUnread(fd: number, bytes: number): Promise<boolean> | null {
  const calls = libc();
  if (calls === null || fd < 0 || bytes > REQUEST_BYTES_MAX) return null;
  if (unacknowledged(calls, fd) < bytes || tcpState(calls, fd) === -1) return null;
  // Bun closes its own descriptor now; the connection lives on with a copy.
  const copy = calls.dup(fd);
  return copy < 0 ? null : watch(calls, copy, bytes);
}

async function watch(calls: LibC, fd: number, bytes: number): Promise<boolean> {
  const untilMs = performance.now() + PROOF_WITHIN_MS;
  try {
    while (unacknowledged(calls, fd) >= bytes) {
      if (tcpState(calls, fd) === TCP_CLOSE) return true;
      if (performance.now() > untilMs) return false;
      await Bun.sleep(LOOK_EVERY_MS);
    }
    return false;
  } finally {
    calls.close(fd);
  }
}

/** -1 when it is not known. */
function unacknowledged(calls: LibC, fd: number): number {
  return calls.ioctl(fd, SIOCOUTQ, ptr(number)) === 0 ? number[0]! : -1;
}

/** -1 when it is no TCP socket. */
function tcpState(calls: LibC, fd: number): number {
  length[0] = state.byteLength;
  return calls.getsockopt(fd, IPPROTO_TCP, TCP_INFO, ptr(state), ptr(length)) === 0 ? state[0]! : -1;
}
