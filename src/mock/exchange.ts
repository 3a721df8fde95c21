/**
 * Carries out the steps of one answer on a socket: writes what the kernel takes, sleeps until it takes more, waits and
 * turns when told to, and says how it ended exactly once.
 */
import { bodyBytesIn, type Write } from './batch.ts';
import type { RecordedRequest } from './received-request.ts';
import { type Ending, type Step, TURN } from './steps.ts';
import type { Ticker, Waiter } from './ticker.ts';

interface ByteSink {
  /** Bytes taken, less than asked under backpressure, negative when the peer is gone. */
  write(data: Uint8Array, byteOffset: number, byteLength: number): number;
}

interface ExchangeOptions {
  readonly sink: ByteSink;
  readonly request: RecordedRequest;
  readonly steps: Generator<Step, Ending>;
  readonly ticker: Ticker;
  /** At most so many bytes per write, with a turn of the event loop in between. */
  readonly writeBytesMax: number | undefined;
  /** Every step is done; not called once the exchange was abandoned. */
  readonly done: (ending: Ending) => void;
}

export class MockExchange implements Waiter {
  readonly #options: ExchangeOptions;
  readonly #writeBytesMax: number;
  #write: Write | undefined;
  #taken = 0;
  /** Body bytes of the writes before this one. */
  #bodyBytes = 0;
  #over = false;
  #inImmediate = false;
  /** What the next wait counts from: the due time of the last one, so that a late timer does not slow the stream down. */
  #fromMs = performance.now();

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#writeBytesMax = options.writeBytesMax ?? Number.POSITIVE_INFINITY;
  }

  get request(): RecordedRequest {
    return this.#options.request;
  }

  start(): void {
    this.#run();
  }

  /** The kernel takes bytes again. */
  drained(): void {
    if (!this.request.paused) return;
    this.request.paused = false;
    // Time spent on a slow reader is not caught up on: it would get everything at once as soon as it reads.
    this.#fromMs = performance.now();
    this.#run();
  }

  /** A wait is over. */
  due(): void {
    this.#run();
  }

  /** The peer left, or the server stops. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.steps.return('close');
  }

  #run(): void {
    while (!this.#over) {
      if (this.#write && !this.#flush(this.#write)) return;
      const step = this.#options.steps.next();
      if (step.done) {
        this.#over = true;
        this.#options.done(step.value);
        return;
      }
      if (step.value === TURN) {
        this.#turn();
        return;
      }
      if (typeof step.value === 'number') {
        if (this.#sleep(step.value)) return;
      } else {
        this.#write = step.value;
        this.#taken = 0;
      }
    }
  }

  /** Goes on once the event loop has looked at its sockets, so that a reader in this very process gets what was written. */
  #turn(): void {
    // Immediates set by a socket's or a timer's callback still run before the sockets are looked at again.
    if (this.#inImmediate) setImmediate(this.#runInImmediate);
    else setImmediate(() => setImmediate(this.#runInImmediate));
  }

  #runInImmediate = (): void => {
    this.#inImmediate = true;
    this.#run();
    this.#inImmediate = false;
  };

  /** Whether the whole write is in the kernel's hands; otherwise `drained` or a turn goes on with it. */
  #flush(write: Write): boolean {
    const left = write.bytes.byteLength - this.#taken;
    const offered = Math.min(left, this.#writeBytesMax);
    const taken = offered === 0 ? 0 : this.#options.sink.write(write.bytes, this.#taken, offered);
    // Gone: the socket's close handler is about to abandon this exchange.
    if (taken < 0) return false;
    this.#taken += taken;
    this.request.bytesSent = this.#bodyBytes + bodyBytesIn(write, this.#taken);
    if (taken === left) {
      this.#bodyBytes = this.request.bytesSent;
      this.#write = undefined;
      return true;
    }
    if (taken === offered) this.#turn();
    else this.request.paused = true;
    return false;
  }

  /** Whether there is something to wait for: a wait that is over already costs nothing. */
  #sleep(waitMs: number): boolean {
    this.#fromMs += waitMs;
    if (this.#fromMs <= performance.now()) return false;
    this.#options.ticker.add(this.#fromMs, this);
    return true;
  }
}
