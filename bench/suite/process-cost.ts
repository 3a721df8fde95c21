/**
 * Processor time and memory of a process and all its children, as the kernel counts them (Linux). Processor time comes from
 * the process's CPU clock (clock_gettime, nanoseconds) where FFI is available, otherwise from /proc (ticks of 10 ms).
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const TICK_US = 10_000;

/** The process and all its living descendants. */
export function processTree(pid: number): number[] {
  const found: number[] = [];
  const todo = [pid];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    found.push(next);
    todo.push(...childrenOf(next));
  }
  return found;
}

export function cpuUs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (clockUs(pid) ?? ticksUs(pid)), 0);
}

/** `VmHWM` is the peak since the start of the process or since `resetPeak`. */
export function memoryBytes(pids: readonly number[], field: 'VmRSS' | 'VmHWM'): number {
  return pids.reduce((sum, pid) => {
    const found = new RegExp(`${field}:\\s+(\\d+) kB`).exec(read(`/proc/${pid}/status`));
    return sum + Number(found?.[1] ?? 0) * 1024;
  }, 0);
}

/** Resets the peak to the present resident size. */
export function resetPeak(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // Ended, or owned by another user (a master that dropped privileges): its peak stays that of its whole life.
    }
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      read(`/proc/${pid}/task/${thread}/children`).split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function ticksUs(pid: number): number {
  // The name in brackets may contain spaces and brackets.
  const fields = read(`/proc/${pid}/stat`).split(')').at(-1)!.trim().split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_US;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

type ClockReader = (pid: number) => number | undefined;

const clockUs: ClockReader = await processClock();

async function processClock(): Promise<ClockReader> {
  if (typeof Bun === 'undefined' || process.platform !== 'linux') return () => undefined;
  try {
    const { dlopen } = await import('bun:ffi');
    const { symbols } = dlopen('libc.so.6', { clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' } });
    const time = new BigInt64Array(2);
    return (pid) => {
      // CPUCLOCK_SCHED of the whole process, as in clock_getcpuclockid(3).
      if (symbols.clock_gettime((~pid << 3) | 2, time) !== 0) return undefined;
      return Number(time[0]!) * 1e6 + Number(time[1]!) / 1e3;
    };
  } catch {
    return () => undefined;
  }
}
