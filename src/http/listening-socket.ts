/**
 * The socket that Bun.serve listens on. Bun sets none of its options, does not expose its descriptor, and accepts every
 * connection (BUN 1.4.5): so its descriptor is searched for, and so is its entry in the event loop's epoll instance.
 */
import { ptr } from 'bun:ffi';
import { readdirSync, readFileSync } from 'node:fs';
import {
  IPPROTO_TCP,
  type LibC,
  libc,
  SO_ACCEPTCONN,
  SOL_SOCKET,
  setSocketOption,
  TCP_NOTSENT_LOWAT,
} from '../libc.ts';

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

const EPOLL_CTL_MOD = 3;
const EPOLLIN = 0x1;
const EPOLLONESHOT = 0x4000_0000;
/** `struct epoll_event` is packed on x86-64 only. */
const EVENT_DATA_AT = process.arch === 'x64' ? 4 : 8;

/** How the event loop watches it: accepting all that comes, all that waits at this moment, or nothing. */
type Accepting = 'always' | 'once' | 'never';

const EVENTS: Readonly<Record<Accepting, number>> = { always: EPOLLIN, once: EPOLLIN | EPOLLONESHOT, never: 0 };

export class ListeningSocket {
  readonly #calls: LibC;
  readonly #port: number;
  readonly #fd: number;
  readonly #watch: { readonly epoll: number; readonly data: bigint } | null;

  private constructor(calls: LibC, port: number, fd: number) {
    this.#calls = calls;
    this.#port = port;
    this.#fd = fd;
    this.#watch = watchOf(fd);
  }

  /** Of this process; null where it cannot be found. */
  static find(port: number): ListeningSocket | null {
    const calls = libc();
    if (calls === null) return null;
    const fd = descriptors().find((candidate) => isListening(candidate, calls) && portOf(candidate, calls) === port);
    return fd === undefined ? null : new ListeningSocket(calls, port, fd);
  }

  /** listen(2) may be called again, and a socket that is accepted has the options of the one that listens. */
  tune(): void {
    this.#calls.listen(this.#fd, BACKLOG);
    setSocketOption(this.#fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES_MAX);
  }

  /** @returns whether it is so from now on */
  accept(accepting: Accepting): boolean {
    if (this.#watch === null) return false;
    const event = Buffer.alloc(EVENT_DATA_AT + 8);
    event.writeUInt32LE(EVENTS[accepting], 0);
    event.writeBigUInt64LE(this.#watch.data, EVENT_DATA_AT);
    return this.#calls.epoll_ctl(this.#watch.epoll, EPOLL_CTL_MOD, this.#fd, ptr(event)) === 0;
  }

  /** The descriptors of the connections it has accepted that are still open. */
  accepted(): number[] {
    return descriptors().filter((fd) => fd !== this.#fd && portOf(fd, this.#calls) === this.#port);
  }
}

/** Where the event loop has it (proc(5), /proc/pid/fdinfo): `data` is the loop's own, to be given back as it is. */
function watchOf(fd: number): { epoll: number; data: bigint } | null {
  const line = new RegExp(`^tfd: +${fd} events: +\\w+ data: +(\\w+)`, 'm');
  for (const epoll of descriptors()) {
    try {
      const data = line.exec(readFileSync(`/proc/self/fdinfo/${epoll}`, 'latin1'))?.[1];
      if (data !== undefined) return { epoll, data: BigInt(`0x${data}`) };
    } catch {
      // It was the one that the list was read with.
    }
  }
  return null;
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
