/**
 * A port whose kernel answers no more connection attempts, the only black hole there is on loopback: it listens, never
 * accepts, and its queue is full. Linux with glibc only, since Bun has no call for it.
 */
import { dlopen, ptr } from 'bun:ffi';

interface FullBacklog {
  readonly port: number;
  stop(): void;
}

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const LIBC = 'libc.so.6';
const CALLS = {
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  bind: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  listen: { args: ['i32', 'i32'], returns: 'i32' },
  getsockname: { args: ['i32', 'ptr', 'ptr'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
} as const;

/** Undefined where this cannot be had. */
export async function fullBacklog(): Promise<FullBacklog | undefined> {
  const libc = open();
  if (!libc) return undefined;
  const listener = libc.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const address = new Uint8Array(16);
  new Uint16Array(address.buffer)[0] = AF_INET;
  address.set([127, 0, 0, 1], 4);
  const length = new Uint32Array([address.length]);
  const failed = libc.bind(listener, ptr(address), address.length) || libc.listen(listener, 0);
  if (failed || libc.getsockname(listener, ptr(address), ptr(length))) throw new Error('no listener');
  const port = (address[2]! << 8) | address[3]!;
  // A backlog of 0 has room for one.
  const filler = await Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } });
  return {
    port,
    stop() {
      filler.terminate();
      libc.close(listener);
    },
  };
}

function open() {
  try {
    return process.platform === 'linux' ? dlopen(LIBC, CALLS).symbols : undefined;
  } catch {
    return undefined;
  }
}
