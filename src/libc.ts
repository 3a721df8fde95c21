/**
 * The few calls of the C library that Bun 1.4.5 has no API for: socket options, listening sockets, file descriptors,
 * what the kernel knows of a connection, and whether a pipe takes more. Linux only, with glibc or musl; elsewhere there is
 * none, and callers do without.
 */
import { dlopen, ptr } from 'bun:ffi';

const CALLS = {
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  listen: { args: ['i32', 'i32'], returns: 'i32' },
  poll: { args: ['ptr', 'u64', 'i32'], returns: 'i32' },
  ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  socketpair: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
  dup: { args: ['i32'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  fcntl: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  shutdown: { args: ['i32', 'i32'], returns: 'i32' },
  epoll_ctl: { args: ['i32', 'i32', 'i32', 'ptr'], returns: 'i32' },
} as const;

export type LibC = ReturnType<typeof dlopen<typeof CALLS>>['symbols'];

/** asm-generic/socket.h: x86-64 and arm64, which are what Bun runs on. */
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_KEEPALIVE = 9;
export const SO_ACCEPTCONN = 30;
export const AF_UNIX = 1;
export const SOCK_STREAM = 1;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
/** linux/in.h, linux/tcp.h. */
export const IPPROTO_TCP = 6;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_INFO = 11;
export const TCP_USER_TIMEOUT = 18;
export const TCP_NOTSENT_LOWAT = 25;

let loaded: LibC | null | undefined;

/** Opened by the first who asks. */
export function libc(): LibC | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

const optionValue = new Int32Array(1);

/** Sets an option whose value is an int. @returns whether it is set */
export function setSocketOption(fd: number, level: number, name: number, value: number): boolean {
  optionValue[0] = value;
  return libc()?.setsockopt(fd, level, name, ptr(optionValue), optionValue.byteLength) === 0;
}

function load(): LibC | null {
  if (process.platform !== 'linux') return null;
  // glibc, and musl (Alpine) under the names that its own loader knows.
  for (const library of ['libc.so.6', `libc.musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`]) {
    try {
      return dlopen(library, CALLS).symbols;
    } catch {
      // The next one.
    }
  }
  return null;
}
