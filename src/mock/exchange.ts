/**
 * Runs the steps of one answer on a socket: writes what the kernel takes, waits until it takes more, waits and yields to the
 * event loop where a step says so, and reports its end exactly once.
 */
import { bodyBytesIn, type Write } from './batch.ts';
import type { RecordedRequest } from './received-request.ts';
import { type Ending, type Step, YIELD } from './steps.ts';
import type { Ticker, Waiter } from './ticker.ts';

interface ByteSink {
  /** Returns the bytes taken: fewer than given under backpressure, negative when the peer is gone. */
  write(data: Uint8Array, byteOffset: number, byteLength: number): number;
}

interface ExchangeOptions {
  readonly sink: ByteSink;
  readonly request: RecordedRequest;
  readonly steps: Generator<Step, Ending>;
  readonly ticker: Ticker;
  /** Limit of bytes per write, with an iteration of the event loop in between. */
  readonly writeBytesMax: number | undefined;
  /** Called when every step is done, unless the exchange was abandoned. */
  readonly done: (ending: Ending) => void;
}

export class MockExchange implements Waiter {
  readonly #options: ExchangeOptions;
  readonly #writeBytesMax: number;
  #write: Write | undefined;
  #taken = 0;
  /** Body bytes of earlier writes. */
  #bodyBytes = 0;
  #over = false;
  #inImmediate = false;
  /** Start of the next wait: the due time of the last one, so that late timers do not slow the stream down. */
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
    // Time lost to a slow reader is not made up for: it would get everything at once when it reads again.
    this.#fromMs = performance.now();
    this.#run();
  }

  /** A wait is over. */
  due(): void {
    this.#run();
  }

  /** The peer disconnected, or the server stops. */
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
      if (step.value === YIELD) {
        this.#yield();
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

  /** Continues after the event loop has polled its sockets, so that a reader in this process gets what was written. */
  #yield(): void {
    // Immediates set in a socket or timer callback run before the sockets are polled again.
    if (this.#inImmediate) setImmediate(this.#runInImmediate);
    else setImmediate(() => setImmediate(this.#runInImmediate));
  }

  #runInImmediate = (): void => {
    this.#inImmediate = true;
    this.#run();
    this.#inImmediate = false;
  };

  /** Whether the kernel took the whole write; otherwise `drained` or the next iteration continues it. */
  #flush(write: Write): boolean {
    const left = write.bytes.byteLength - this.#taken;
    const offered = Math.min(left, this.#writeBytesMax);
    const taken = offered === 0 ? 0 : this.#options.sink.write(write.bytes, this.#taken, offered);
    // The peer is gone: the socket's close handler will abandon this exchange.
    if (taken < 0) return false;
    this.#taken += taken;
    this.request.bytesSent = this.#bodyBytes + bodyBytesIn(write, this.#taken);
    if (taken === left) {
      this.#bodyBytes = this.request.bytesSent;
      this.#write = undefined;
      return true;
    }
    if (taken === offered) this.#yield();
    else this.request.paused = true;
    return false;
  }

  /** Whether there is time left to wait. */
  #sleep(waitMs: number): boolean {
    this.#fromMs += waitMs;
    if (this.#fromMs <= performance.now()) return false;
    this.#options.ticker.add(this.#fromMs, this);
    return true;
  }
}
