/**
 * Starts each arrival at its time, whatever else is going on.
 *
 * Timers have a resolution of a millisecond, which on loopback is most of the time to first byte. So the last part before
 * an arrival is a busy wait with one iteration of the event loop per round; sockets are served meanwhile. OwnLoad is told
 * how long it took, so that waiting does not count as work.
 */
import { nowUs } from './clock.ts';
import type { OwnLoad } from './own-load.ts';

/**
 * Timers fire up to 1 ms late; the rest leaves room for one iteration of the loop. A longer busy wait makes the scheduler of
 * a loaded machine put the harness last: with 6 ms the time to first byte was 1.6 to 5 ms there, with 1.5 ms 0.3 to 1.7 ms.
 */
const SPIN_US = 1_500;

/** Overdue arrivals that are started before sockets are served again. */
const BURST_MAX = 64;

interface ArrivalClockOptions {
  /** Microseconds from the start to the arrival with this number; infinite when there are no more. */
  readonly dueUs: (number: number) => number;
  /** On the clock of nowUs. */
  readonly startUs: number;
  readonly endUs: number;
  readonly arrive: (scheduledUs: number) => void;
  readonly done: () => void;
  readonly ownLoad: OwnLoad;
}

export class ArrivalClock {
  readonly #options: ArrivalClockOptions;
  #number = 0;
  #nextUs: number;
  #stopped = false;
  #spinning = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ArrivalClockOptions) {
    this.#options = options;
    this.#nextUs = options.startUs + options.dueUs(0);
  }

  start(): void {
    this.#run();
  }

  /** No further arrivals; `done` is not called. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #run = (): void => {
    if (this.#stopped) return;
    const { arrive, done, dueUs, endUs, ownLoad, startUs } = this.#options;
    const atUs = nowUs();
    if (this.#spinning) ownLoad.spun(atUs);
    for (let burst = 0; this.#nextUs <= atUs && this.#nextUs < endUs && burst < BURST_MAX; burst++) {
      ownLoad.activity++;
      arrive(this.#nextUs);
      if (this.#stopped) return;
      this.#nextUs = startUs + dueUs(++this.#number);
    }
    if (this.#nextUs >= endUs) {
      this.#stopped = true;
      done();
      return;
    }
    const waitUs = this.#nextUs - nowUs();
    if (waitUs > SPIN_US) {
      this.#spinning = false;
      this.#timer = setTimeout(this.#run, Math.max(0, waitUs - SPIN_US) / 1000);
      return;
    }
    if (!this.#spinning) ownLoad.spinStarts(nowUs());
    this.#spinning = true;
    setImmediate(this.#run);
  };
}
