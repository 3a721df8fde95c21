/**
 * The body of the client's answer: a direct stream of Bun.serve. Owns the queue of bytes for the client, and how the body ends.
 *
 * The relay extends it, so that a stream has one object for both: with hundreds of streams a second object is one more cache
 * miss for each chunk (some 0.1 µs).
 */

/** How many bytes are queued until Bun asks for the body. */
export const QUEUED_BYTES_MAX = 256 * 1024;
/**
 * Bun drops what was written in the same turn of its event loop when it closes a body with an error (BUN 1.4.5). And many
 * clients drop what they have received and not read yet when a reset comes: a busy one should have read it by then.
 */
const RESET_AFTER_MS = 20;

/**
 * Bun hands a piece of at least this size to the socket at once, and collects smaller ones until they are flushed: a second
 * call and a second copy for each chunk (6% of the gateway's time with 250 streams).
 */
const AT_ONCE = { highWaterMark: 1 };
/** A body that is closed before any of it was handed over has a content-length. */
const COLLECTED = { highWaterMark: 2 * QUEUED_BYTES_MAX };

/** Not in Bun's types: how much is collected can be set before the first write. Not there when no server asks for the body. */
interface StartedController {
  start?(options?: { readonly highWaterMark: number }): void;
}

/** Monotonic milliseconds. */
export interface MonotonicClock {
  now(): number;
}

export abstract class ClientBody implements Bun.DirectUnderlyingSource<Uint8Array> {
  #controller: ReadableStreamDirectController | undefined;
  /** Writes that the kernel has not accepted yet. */
  #pendingWrites = 0;
  /** Since when the client has not taken what it was sent. */
  #stalledSinceMs = 0;
  #queue: Uint8Array[] | undefined;
  #queuedBytes = 0;
  #dropped = false;
  protected readonly clock: MonotonicClock;

  constructor(clock: MonotonicClock) {
    this.clock = clock;
  }

  /** The client does not keep up: pause. */
  protected abstract onFull(): void;
  /** The client has asked for its body, or has taken all that was sent. @param wasFull after `onFull` */
  protected abstract onRoom(wasFull: boolean): void;
  /** The client is gone. May be called more than once. */
  protected abstract onLeft(): void;

  /** The whole of a body that is not a stream is here and only has to be sent: `onRoom` will close it. */
  protected abstract get isWhole(): boolean;

  protected stream(): ReadableStream {
    return new ReadableStream(this, AT_ONCE);
  }

  /** Writes go to the socket without a queue or a promise in between. */
  get type(): 'direct' {
    return 'direct';
  }

  /** Bun asks for the body. It returns without a promise: the stream stays open until close() is called. */
  pull(controller: ReadableStreamDirectController): void {
    this.#controller = controller;
    if (this.#dropped) {
      this.reset(new Error('The answer was dropped'));
      return;
    }
    const queue = this.#queue;
    const wasFull = this.#queuedBytes >= QUEUED_BYTES_MAX;
    this.#queue = undefined;
    this.#queuedBytes = 0;
    if (this.isWhole) (controller as unknown as StartedController).start?.(COLLECTED);
    if (queue) for (const bytes of queue) this.send(bytes);
    if (this.#pendingWrites === 0) this.onRoom(wasFull);
  }

  cancel(): void {
    this.onLeft();
  }

  /** Sent bytes have not been taken, or cannot be: Bun has not asked for them. */
  protected get isWaiting(): boolean {
    return this.#pendingWrites > 0 || this.#controller === undefined;
  }

  /** Meaningless when it is not stalled. */
  protected get stalledSinceMs(): number {
    return this.#stalledSinceMs;
  }

  /** The kernel has no room for what was sent. */
  protected get isStalled(): boolean {
    return this.#pendingWrites > 0;
  }

  protected get isFull(): boolean {
    return this.#pendingWrites > 0 || this.#queuedBytes >= QUEUED_BYTES_MAX;
  }

  /** Sends bytes that are only lent: what has to wait is copied. */
  protected send(bytes: Uint8Array): void {
    const controller = this.#controller;
    if (controller === undefined) {
      this.#enqueue(bytes);
      return;
    }
    const written = controller.write(bytes);
    if (typeof written !== 'number') this.#waitFor(written);
  }

  /** Sends nothing more and drops the queue. */
  protected drop(): void {
    this.#dropped = true;
    this.#queue = undefined;
  }

  /** The end of a whole body; only when nothing is waiting. */
  protected close(): void {
    this.#controller?.close();
  }

  /** Ends the body behind some last bytes. */
  protected closeBehind(bytes: Uint8Array): void {
    const written = this.#controller!.write(bytes);
    // Bun may hold it for a client that reads slowly; nobody waits for the result.
    if (typeof written !== 'number') written.catch(() => {});
    this.#controller!.close();
  }

  /** Resets the connection behind what was sent, so that no client takes a part of an answer for the whole. */
  protected reset(error: Error, done: () => void = () => {}): void {
    const controller = this.#controller!;
    setTimeout(() => {
      controller.close(error);
      done();
    }, RESET_AFTER_MS);
  }

  /** Resets the connection of a client that does not take what was sent. */
  protected resetNow(error: Error): void {
    this.#controller?.close(error);
  }

  /** The kernel's buffers are full. */
  #waitFor(written: Promise<number>): void {
    if (this.#pendingWrites++ === 0) {
      this.#stalledSinceMs = this.clock.now();
      this.onFull();
    }
    written.then(
      () => this.#written(),
      () => this.onLeft(),
    );
  }

  #written(): void {
    this.#pendingWrites--;
    if (this.#pendingWrites === 0 && !this.#dropped) this.onRoom(true);
  }

  #enqueue(bytes: Uint8Array): void {
    // Not slice(): that of a Buffer is a view.
    const kept = new Uint8Array(bytes);
    if (this.#queue) this.#queue.push(kept);
    else this.#queue = [kept];
    const before = this.#queuedBytes;
    this.#queuedBytes += bytes.length;
    if (before < QUEUED_BYTES_MAX && this.#queuedBytes >= QUEUED_BYTES_MAX) this.onFull();
  }
}
