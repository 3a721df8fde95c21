/** The clock that the mock writes into its events (CLOCK_MONOTONIC, nanoseconds), under Bun and under Node. */

/** Nanoseconds of that clock when `performance.now()` is zero. */
export const originNs: number = (await machineNs()) - performance.now() * 1e6;

async function machineNs(): Promise<number> {
  // Node's hrtime is CLOCK_MONOTONIC; Bun's starts with the process.
  if (typeof Bun === 'undefined') return Number(process.hrtime.bigint());
  // Imported at run time, because a bundle for Node cannot contain bun:ffi.
  const path = new URL('../../src/mock/clock.ts', import.meta.url).href;
  const clock = (await import(path)) as typeof import('../../src/mock/clock.ts');
  return clock.monotonicNs();
}
