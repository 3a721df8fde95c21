/**
 * Bytes upstream → client. Owns backpressure both ways, the time limits of an answer, what a client is told when
 * upstream breaks off, and that an exchange ends exactly once.
 *
 * Guarantees: every byte of upstream in order and nothing else, except the closing error event of an interrupted SSE
 * stream; at most `QUEUED_BYTES_MAX` plus one read are held here, whatever client and upstream do.
 *
 * The meter only looks on: this file works unchanged with one that counts nothing.
 */

import type { UsageEventFilter } from '../formats/usage-event-filter.ts';
import { type Deadlines, NOT_WATCHED, type Watched } from '../http/deadlines.ts';
import {
  type BodySink,
  type ResponseHeaders,
  type UpstreamCall,
  type UpstreamClient,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamSink,
} from '../upstream/client.ts';
import type { Finish } from '../usage/usage-record.ts';
import type { Meter } from './meter.ts';

export interface RelayLimits {
  readonly upstreamHeadTimeoutMs: number;
  readonly upstreamIdleTimeoutMs: number;
  readonly upstreamTotalTimeoutMs: number;
  readonly clientStallTimeoutMs: number;
}

/** What the caller makes of a response head: the answer's own head, and how its body is to be treated. */
export interface Acceptance {
  readonly status: number;
  readonly headers: Headers;
  readonly meter: Meter;
  /** Takes events out of the stream that only the gateway asked for; null for none. */
  readonly filter: UsageEventFilter | null;
  /**
   * The event that tells the client of a broken stream; null when the body has no room for one (JSON, audio): then the
   * client's connection is reset, so that a part is never taken for the whole.
   */
  readonly interruption: Uint8Array | null;
  /** Upstream ends the body by closing: then only a terminal event tells an end from a break. */
  readonly endsByTerminalEvent: boolean;
}

/** Whose answer is relayed. */
export interface RelayOwner {
  /** Throws to refuse the head; the exchange is then aborted and `relay` rejects with what was thrown. */
  accept(status: number, headers: ResponseHeaders): Acceptance;
  /** The first body byte of upstream is here. */
  onFirstByte(): void;
  /**
   * Called exactly once when `relay` has resolved (never when it rejects), with the last byte handed over.
   * `error` tells why it was not `complete`.
   */
  onSettled(finish: Finish, error: UpstreamError | null): void;
}

/** Of the gateway: what sends the request and bounds the answer. */
export interface RelaySurroundings {
  readonly client: UpstreamClient;
  readonly limits: RelayLimits;
  readonly deadlines: Deadlines;
}

/** How an answer ends once upstream is done. */
interface Conclusion {
  readonly finish: Finish;
  readonly error: UpstreamError | null;
  close(controller: ReadableStreamDirectController): void;
}

/**
 * Bun hands a piece of at least this size to the socket at once, and collects smaller ones until they are flushed: a second
 * call and a second copy for each chunk (6% of the gateway's time with 250 streams).
 */
const AT_ONCE = { highWaterMark: 1 };
/** What may wait between the head and the moment Bun asks for the body, bytes. */
const QUEUED_BYTES_MAX = 256 * 1024;
const STATUSES_WITHOUT_BODY = new Set([204, 205, 304]);
const closeInOrder: Conclusion['close'] = (controller) => {
  controller.close();
};
const COMPLETE: Conclusion = { finish: 'complete', error: null, close: closeInOrder };
const BLANK_LINE = new TextEncoder().encode('\n\n');

export class TimedOut extends UpstreamError {
  constructor(readonly wait: 'head' | 'idle' | 'total') {
    super('reset', `Upstream ${wait} timeout`);
  }
}

/** Sends the request and resolves with the client's answer as soon as its head is known. */
export function relay(
  request: UpstreamRequest,
  signal: AbortSignal,
  owner: RelayOwner,
  surroundings: RelaySurroundings,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    new Relay(owner, surroundings, { resolve, reject }).start(request, signal);
  });
}

/** Who waits for the head. */
interface Waiting {
  resolve(response: Response): void;
  reject(error: unknown): void;
}

/**
 * One answer on its way. It lives as long as the stream, and there may be thousands of them: it is everything in one
 * object (sink, source of the client's body, watched by the deadlines), makes no closures, and lets go of what is over.
 */
class Relay implements UpstreamSink, BodySink, Watched, Bun.DirectUnderlyingSource<Uint8Array> {
  // What each chunk touches comes first: with hundreds of streams it is one cache line instead of four.
  private settled = false;
  private gotFirstByte = false;
  /** A byte of upstream came since the last look at the time limits: a chunk does not look at the clock. */
  private heard = false;
  /** The four of the acceptance; no meter, no head yet. */
  private meter: Meter | undefined;
  private filter: UsageEventFilter | null = null;
  private controller: ReadableStreamDirectController | undefined;
  private stalledSinceMs: number | undefined;
  private interruption: Uint8Array | null = null;
  private endsByTerminalEvent = false;
  watchIndex = NOT_WATCHED;
  private call: UpstreamCall | undefined;
  private queue: Uint8Array[] | undefined;
  private queuedBytes = 0;
  private conclusion: Conclusion | undefined;
  private failure: TimedOut | undefined;
  private readonly startedAtMs = performance.now();
  private lastByteAtMs = this.startedAtMs;
  private readonly owner: RelayOwner;
  private readonly surroundings: RelaySurroundings;
  private waiting: Waiting | undefined;

  constructor(owner: RelayOwner, surroundings: RelaySurroundings, waiting: Waiting) {
    this.owner = owner;
    this.surroundings = surroundings;
    this.waiting = waiting;
  }

  start(request: UpstreamRequest, signal: AbortSignal): void {
    this.surroundings.deadlines.add(this);
    this.call = this.surroundings.client.send(request, this, signal);
  }

  head(status: number, upstreamHeaders: ResponseHeaders): BodySink {
    let acceptance: Acceptance;
    try {
      acceptance = this.owner.accept(status, upstreamHeaders);
    } catch (refusal) {
      this.refuse(refusal);
      this.call?.abort();
      return this;
    }
    const { meter, filter, interruption, endsByTerminalEvent, headers } = acceptance;
    this.meter = meter;
    this.filter = filter;
    this.interruption = interruption;
    this.endsByTerminalEvent = endsByTerminalEvent;
    this.lastByteAtMs = performance.now();
    const body = STATUSES_WITHOUT_BODY.has(status) ? null : new ReadableStream(this, AT_ONCE);
    this.waiting!.resolve(new Response(body, { status: acceptance.status, headers }));
    this.waiting = undefined;
    return this;
  }

  data(bytes: Uint8Array): void {
    if (this.settled) return;
    this.heard = true;
    if (!this.gotFirstByte) {
      this.gotFirstByte = true;
      this.owner.onFirstByte();
    }
    this.meter!.push(bytes);
    const passed = this.filter ? this.filter.push(bytes) : bytes;
    if (passed) this.pass(passed);
  }

  end(): void {
    if (this.settled) return;
    if (this.endsByTerminalEvent && !this.meter!.sawTerminalEvent) {
      this.fail(new UpstreamError('reset', 'Upstream closed the connection before the end of the stream'));
      return;
    }
    this.passHeldBack();
    this.conclude(COMPLETE);
  }

  fail(error: UpstreamError): void {
    if (this.settled) return;
    const cause = this.failure ?? error;
    const { meter, interruption } = this;
    if (!meter) {
      this.refuse(cause);
      return;
    }
    if (cause.kind === 'aborted') {
      // A client that leaves after the last event has had everything, unless it still waits here for room: SDKs close on
      // [DONE] without waiting for the end.
      const hadAll = meter.sawTerminalEvent && this.stalledSinceMs === undefined;
      const finish = hadAll ? 'complete' : 'client_closed';
      this.conclude({ finish, error: cause, close: closeInOrder });
      // Nobody reads any more: what waits for a slow reader waits in vain.
      this.settle(finish, cause);
      return;
    }
    const midEvent = !meter.atEventBoundary;
    this.passHeldBack();
    if (meter.sawTerminalEvent) {
      // Broken off behind the last event: nothing is missing but the end of the HTTP message.
      this.conclude({ finish: 'complete', error: cause, close: closeInOrder });
      return;
    }
    this.conclude({
      finish: 'upstream_interrupted',
      error: cause,
      close: (controller) => {
        // Without room for an event the connection is reset, so that no client takes a part for the whole.
        if (interruption === null) return controller.close(cause);
        if (midEvent) controller.write(BLANK_LINE);
        controller.write(interruption);
        controller.close();
      },
    });
  }

  check(nowMs: number): void {
    const { limits } = this.surroundings;
    if (this.heard) {
      this.heard = false;
      this.lastByteAtMs = nowMs;
    }
    if (this.stalledSinceMs !== undefined) {
      if (nowMs - this.stalledSinceMs > limits.clientStallTimeoutMs) this.dropClient();
      if (this.conclusion) return;
    } else if (!this.meter) {
      if (nowMs - this.startedAtMs > limits.upstreamHeadTimeoutMs) this.expire('head');
    } else if (nowMs - this.lastByteAtMs > limits.upstreamIdleTimeoutMs) {
      this.expire('idle');
    }
    if (nowMs - this.startedAtMs > limits.upstreamTotalTimeoutMs) this.expire('total');
  }

  cut(error: Error): void {
    if (this.meter) {
      this.settle('error', new UpstreamError('aborted', error.message, { cause: error }));
      this.controller?.close(error);
    } else {
      this.refuse(error);
    }
    this.call?.abort();
  }

  /** A direct stream: what is written goes to the socket without a queue and a promise between. */
  get type(): 'direct' {
    return 'direct';
  }

  /** Bun asks for the body. It returns without a promise: the stream stays open until close() is called. */
  pull(controller: ReadableStreamDirectController): void {
    this.controller = controller;
    const queue = this.queue;
    this.queue = undefined;
    const wasPaused = this.queuedBytes >= QUEUED_BYTES_MAX;
    this.queuedBytes = 0;
    if (queue) for (const bytes of queue) this.write(controller, bytes);
    if (this.conclusion) this.closeBody(controller, this.conclusion);
    else if (wasPaused && this.stalledSinceMs === undefined) this.call?.resume();
  }

  /** Bun tells of a client that left through the request's signal as well; whichever comes first aborts the call. */
  cancel(): void {
    this.clientLeft();
  }

  private write(controller: ReadableStreamDirectController, bytes: Uint8Array): void {
    const written = controller.write(bytes);
    if (typeof written === 'number') return;
    // The client does not keep up and the kernel's buffers are full: upstream must wait.
    if (this.stalledSinceMs === undefined) {
      this.stalledSinceMs = performance.now();
      this.call?.pause();
    }
    written.then(
      () => this.drained(),
      () => this.clientLeft(),
    );
  }

  private drained(): void {
    if (this.stalledSinceMs === undefined) return;
    this.stalledSinceMs = undefined;
    // Silence while the client was not reading was ours, not upstream's.
    this.lastByteAtMs = performance.now();
    if (this.conclusion) this.closeBody(this.controller!, this.conclusion);
    else this.call?.resume();
  }

  private pass(bytes: Uint8Array): void {
    if (this.controller) this.write(this.controller, bytes);
    else this.enqueue(bytes);
  }

  private passHeldBack(): void {
    const held = this.filter?.end();
    if (held) this.pass(held);
  }

  private enqueue(bytes: Uint8Array): void {
    // They are not ours to keep.
    const kept = bytes.slice();
    if (this.queue) this.queue.push(kept);
    else this.queue = [kept];
    const before = this.queuedBytes;
    this.queuedBytes += bytes.length;
    if (before < QUEUED_BYTES_MAX && this.queuedBytes >= QUEUED_BYTES_MAX) this.call?.pause();
  }

  /**
   * Upstream is done. What is left of it may still wait for a client that reads slowly: only when that is gone is the
   * request over, or a gateway that stops would cut off the tail and call it complete.
   */
  private conclude(conclusion: Conclusion): void {
    this.conclusion = conclusion;
    if (this.controller && this.stalledSinceMs === undefined) this.closeBody(this.controller, conclusion);
    else if (!this.controller) this.settle(conclusion.finish, conclusion.error);
  }

  private closeBody(controller: ReadableStreamDirectController, { finish, error, close }: Conclusion): void {
    this.settle(finish, error);
    if (this.stalledSinceMs === undefined) close(controller);
  }

  private clientLeft(): void {
    // With upstream done there is no call left to abort, and nobody else who would settle.
    if (this.conclusion) this.settle('client_closed', new UpstreamError('aborted', 'The client left'));
    else this.call?.abort();
  }

  private expire(wait: TimedOut['wait']): void {
    this.failure = new TimedOut(wait);
    this.call?.abort();
  }

  private dropClient(): void {
    const error = new UpstreamError('aborted', 'The client stopped reading');
    this.settle('client_closed', error);
    this.call?.abort();
    this.controller?.close(error);
  }

  private settle(finish: Finish, error: UpstreamError | null): void {
    if (this.settled) return;
    this.settled = true;
    this.surroundings.deadlines.delete(this);
    this.owner.onSettled(finish, error);
  }

  /** There is no answer to relay: the caller makes one of its own from the reason. */
  private refuse(reason: unknown): void {
    this.settled = true;
    this.surroundings.deadlines.delete(this);
    this.waiting!.reject(reason);
    this.waiting = undefined;
  }
}
