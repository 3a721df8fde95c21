/** The machine of a measurement: enough to compare, nothing that identifies it. */
import { cpus, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly bun: string;
}

export interface Cores {
  readonly target: number | null;
  readonly load: number | null;
}

export function describeMachine(): Machine {
  return {
    cpu: (cpus()[0]?.model ?? 'unknown').trim(),
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    // Without the suffix, which names the builder.
    kernel: `${process.platform} ${/^[\d.]+/.exec(release())?.[0] ?? release()}`,
    bun: Bun.version,
  };
}

/**
 * The share of processor time that the machine spends on other work at present, 0 to 1. More than a few percent spoils a
 * measurement.
 */
export async function busyShare(forMs: number): Promise<number> {
  const before = processorTimes();
  await Bun.sleep(forMs);
  const after = processorTimes();
  const total = after.total - before.total;
  return total > 0 ? 1 - (after.idle - before.idle) / total : 0;
}

function processorTimes(): { readonly idle: number; readonly total: number } {
  const times = cpus().map(({ times: own }) => own);
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
  return { idle: sum(times.map(({ idle }) => idle)), total: sum(times.flatMap((own) => Object.values(own))) };
}

/** The target alone on one core, mock and load together on another; without pinning where that is not possible. */
export function chooseCores(): Cores {
  const pins = cpus().length >= 2 && Bun.which('taskset') !== null;
  return pins ? { target: 0, load: 1 } : { target: null, load: null };
}
