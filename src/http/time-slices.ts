/**
 * Long computations on the event loop, a slice at a time, so that everything else goes on between two slices. All of them
 * together get one slice in each turn of the loop and share it in equal steps: ten at once hold up a stream no longer than one.
 */

/** Other requests wait for this long at most. */
const SLICE_MS = 1;

export interface SlicedWork {
  /** Does some tenths of a millisecond of it. @returns whether it is done */
  step(): boolean;
}

interface Job {
  readonly work: SlicedWork;
  resolve(): void;
  reject(reason: unknown): void;
}

const jobs: Job[] = [];

/** Resolves when the work is done; rejects with what it throws. */
export function inSlices(work: SlicedWork): Promise<void> {
  return new Promise((resolve, reject) => {
    jobs.push({ work, resolve, reject });
    if (jobs.length === 1) setImmediate(runSlice);
  });
}

function runSlice(): void {
  const endMs = performance.now() + SLICE_MS;
  do {
    const job = jobs.shift() as Job;
    try {
      if (job.work.step()) job.resolve();
      else jobs.push(job);
    } catch (error) {
      job.reject(error);
    }
  } while (jobs.length > 0 && performance.now() < endMs);
  if (jobs.length > 0) setImmediate(runSlice);
}
