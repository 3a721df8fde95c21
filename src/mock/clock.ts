/**
 * Monotonic nanoseconds, the same in every process of this machine, so that another process can tell how old an event is.
 * Bun's clocks (`Bun.nanoseconds`, and `process.hrtime`, unlike Node's) start at zero with the process; one call of
 * clock_gettime gives the offset.
 */
import { dlopen } from 'bun:ffi';

const CLOCK_MONOTONIC = process.platform === 'darwin' ? 6 : 1;
const offsetNs = machineNs() - Bun.nanoseconds();

/** A whole number: exact in a double for the first 104 days of uptime. */
export function monotonicNs(): number {
  return Math.round(Bun.nanoseconds() + offsetNs);
}

function machineNs(): number {
  try {
    const library = process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6';
    const { symbols } = dlopen(library, { clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' } });
    const time = new BigInt64Array(2);
    if (symbols.clock_gettime(CLOCK_MONOTONIC, time) !== 0) return Bun.nanoseconds();
    return Number(time[0]! * 1_000_000_000n + time[1]!);
  } catch {
    // No such libc (musl, Windows): times still order events within this process.
    return Bun.nanoseconds();
  }
}
