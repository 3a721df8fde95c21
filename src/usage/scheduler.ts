/** Clock and timers of the usage writer; a test replaces them to run it through a million steps. */
export interface Scheduler {
  /** Steady time, milliseconds. */
  now(): number;
  /**
   * Calls back once, after a time; 0: in the next iteration of the event loop, never inside the caller.
   * @returns calls it off
   */
  after(ms: number, run: () => void): () => void;
}

export const REAL_TIME: Scheduler = {
  now: () => performance.now(),
  after(ms, run) {
    if (ms <= 0) {
      const immediate = setImmediate(run);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
