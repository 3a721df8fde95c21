/** The clock of the harness: microseconds since the process started, monotonic, with the kernel's full resolution. */
export function nowUs(): number {
  return Bun.nanoseconds() / 1000;
}
