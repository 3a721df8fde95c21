/**
 * The few calls of the C library that Bun has no API for (Bun 1.4.5 sets no socket options but TCP_NODELAY and keep-alive,
 * and cannot ask whether a pipe takes more). Linux only, with glibc or musl; elsewhere there is none, and whoever asks does
 * without.
 */
import { dlopen } from 'bun:ffi';

const CALLS = {
  setsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'u32'], returns: 'i32' },
  getsockopt: { args: ['i32', 'i32', 'i32', 'ptr', 'ptr'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  listen: { args: ['i32', 'i32'], returns: 'i32' },
  poll: { args: ['ptr', 'u64', 'i32'], returns: 'i32' },
} as const;

export type LibC = ReturnType<typeof dlopen<typeof CALLS>>['symbols'];

/** asm-generic/socket.h: x86-64 and arm64, which are what Bun runs on. */
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_ACCEPTCONN = 30;
/** linux/in.h, linux/tcp.h. */
export const IPPROTO_TCP = 6;
export const TCP_NOTSENT_LOWAT = 25;

let loaded: LibC | null | undefined;

/** Opened by the first who asks. */
export function libc(): LibC | null {
  if (loaded === undefined) loaded = load();
  return loaded;
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
