/**
 * Takes a gateway out of service without losing a request: /ready turns 503 and requests are served for a grace, because
 * balancers check only every second; then new requests are refused and those in flight may finish; at the deadline the rest is cut.
 */
import type { Deadlines } from './deadlines.ts';
import { type Permits, shuttingDown } from './permits.ts';

interface DrainOptions {
  /** Permits of requests: refused, waited for, and cut at the end. */
  readonly requests: Permits;
  /** Permits of changes by the admin API: refused and waited for, because the secret of a new key is shown only once. */
  readonly changes: Permits;
  /** The deadlines of all requests in flight, by which they are cut. */
  readonly deadlines: Deadlines;
  readonly readyGraceMs: number;
  readonly drainTimeoutMs: number;
  /** Called with the number of requests that are about to be cut. */
  onCut(inFlight: number): void;
}

/** Far longer than it takes; a bound, so that a bug in settling cannot keep the process alive. */
const CUT_SETTLES_WITHIN_MS = 1000;
/** A change may wait for a database that another process has locked. */
const CHANGES_SETTLE_WITHIN_MS = 6000;

export class Drain {
  #finished: Promise<void> | undefined;
  #retired: Promise<void> | undefined;
  #isRetiring = false;
  readonly #cut = Promise.withResolvers<void>();
  readonly #options: DrainOptions;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  get hasBegun(): boolean {
    return this.#finished !== undefined;
  }

  /** Resolves when nothing is in flight any more. A second call joins the first. */
  begin(): Promise<void> {
    this.#finished ??= this.#run();
    return this.#finished;
  }

  /** Answers end their connections: another process on this port takes the next ones. The host is as ready as before. */
  get endsConnections(): boolean {
    return this.hasBegun || this.#isRetiring;
  }

  /** As the first step of `retire`, while it still listens. */
  beginToRetire(): void {
    this.#isRetiring = true;
  }

  /** As `begin`, for one that does not listen any more: the requests that come on connections it has are served. */
  retire(): Promise<void> {
    this.#retired ??= this.#finish();
    return this.#retired;
  }

  /** Cuts what is in flight now, or as soon as a drain begins. */
  cut(): void {
    this.#cut.resolve();
  }

  async #run(): Promise<void> {
    const { requests, changes, readyGraceMs } = this.#options;
    await this.#wait(readyGraceMs, new Promise(() => {}));
    requests.close();
    changes.close();
    await this.#finish();
  }

  async #finish(): Promise<void> {
    const { requests, changes, deadlines, drainTimeoutMs, onCut } = this.#options;
    await this.#wait(drainTimeoutMs, Promise.all([requests.idle(), changes.idle()]));
    requests.close();
    changes.close();
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
