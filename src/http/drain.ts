/**
 * Takes a gateway out of service without losing a request: /ready turns 503 and requests are served for a grace, because
 * balancers look only every second; then new ones are refused, and those in flight may finish for a time; what is left is cut.
 */
import type { Deadlines } from './deadlines.ts';
import { type Permits, shuttingDown } from './permits.ts';

interface DrainOptions {
  /** Of requests, which are refused, waited for, and cut in the end. */
  readonly requests: Permits;
  /** Of changes by the admin API, which are refused and waited for: who makes a key sees its secret this once. */
  readonly changes: Permits;
  /** What waits is watched here, and cut here. */
  readonly deadlines: Deadlines;
  readonly readyGraceMs: number;
  readonly drainTimeoutMs: number;
  /** So many requests are about to be cut. */
  onCut(inFlight: number): void;
}

/** Far more than it takes; a bound, so that a bug in settling cannot keep the process alive. */
const CUT_SETTLES_WITHIN_MS = 1000;
/** A change may wait for a database that another process has locked. */
const CHANGES_SETTLE_WITHIN_MS = 6000;

export class Drain {
  #finished: Promise<void> | undefined;
  readonly #cut = Promise.withResolvers<void>();
  readonly #options: DrainOptions;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  get hasBegun(): boolean {
    return this.#finished !== undefined;
  }

  /** Resolves when nothing is in flight any more. Beginning again joins what has begun. */
  begin(): Promise<void> {
    this.#finished ??= this.#run();
    return this.#finished;
  }

  /** Waits no longer: what is in flight is cut now, or as soon as a drain begins. */
  cut(): void {
    this.#cut.resolve();
  }

  async #run(): Promise<void> {
    const { requests, changes, deadlines, readyGraceMs, drainTimeoutMs, onCut } = this.#options;
    await this.#wait(readyGraceMs, new Promise(() => {}));
    requests.close();
    changes.close();
    await this.#wait(drainTimeoutMs, Promise.all([requests.idle(), changes.idle()]));
    if (requests.inFlight > 0) onCut(requests.inFlight);
    deadlines.cut(shuttingDown());
    await within(CUT_SETTLES_WITHIN_MS, requests.idle());
    await within(CHANGES_SETTLE_WITHIN_MS, changes.idle());
  }

  #wait(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
    return timeoutMs === 0 ? Promise.resolve() : within(timeoutMs, Promise.race([promise, this.#cut.promise]));
  }
}

/** Waits for a promise, but not for longer than a time. */
export async function within(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}
