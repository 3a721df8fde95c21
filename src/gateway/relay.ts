/**
 * One answer from its request upstream to its last byte at the client. Owns the time limits of an answer, what a client is
 * told when an answer breaks, and what happens upstream when a client leaves.
 *
 * Guarantees: every byte of upstream in order and nothing else, except the one error event of a broken SSE stream; at most
 * `QUEUED_BYTES_MAX` plus one read are held, whatever client and upstream do; each answer is settled or refused, once.
 */
import { NOT_WATCHED, type Watched } from '../http/deadlines.ts';
import {
  type BodySink,
  type ResponseHeaders,
  type UpstreamCall,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamSink,
} from '../upstream/client.ts';
import type { Finish } from '../usage/usage-record.ts';
import {
  type Acceptance,
  type AnswerOwner,
  CLIENT_LEFT,
  ClientStalled,
  endByBody,
  type RelayOptions,
  TimedOut,
  USAGE_FOLLOWS_WITHIN_MS,
  type Waiting,
} from './answer.ts';
import type { BodyFilter } from './body-filter.ts';
import { ClientBody } from './client-body.ts';
import { breakEventOf, heartbeatOf } from './inserted-events.ts';
import type { Meter } from './meter.ts';
import type { RefusedAnswer } from './refused-answer.ts';
import { BodyEnding, mayFollow, RelayPhase } from './relay-phase.ts';

const CR = 0x0d;

/** Sends the request; resolves when the head is known, and then `response()` is the client's answer. */
export function relay(
  request: UpstreamRequest,
  signal: AbortSignal,
  owner: AnswerOwner,
  options: RelayOptions,
): Promise<Relay> {
  return new Promise((resolve, reject) => {
    new Relay(owner, options, { resolve, reject }).start(request, signal);
  });
}

/**
 * One lives as long as its stream, and there may be thousands: it is one object for everything (sink of upstream, body of the
 * client, watched by the deadlines), makes no closures, and drops references to what is over.
 */
export class Relay extends ClientBody implements UpstreamSink, BodySink, Watched, EventListenerObject {
  #phase = RelayPhase.AwaitingHead;
  #gotFirstByte = false;
  /** A byte of upstream came since the last look at the time limits: a chunk does not look at the clock. */
  #heard = false;
  #meter: Meter | undefined;
  #filter: BodyFilter | null = null;
  /** The last byte that a filter let pass was a CR. */
  #endsWithCr = false;
  #endsByTerminalEvent = false;
  watchIndex = NOT_WATCHED;
  #call: UpstreamCall | undefined;
  /** Of the answer, until the caller has taken it. */
  #head: Acceptance | undefined;
  #hasBody = true;
  #finish: Finish = 'complete';
  #error: Error | null = null;
  #ending = BodyEnding.InOrder;
  #refused: RefusedAnswer | null = null;
  /** When the client left; 0 while it is there. */
  #leftAtMs = 0;
  #drainUntilMs = 0;
  #isCountedDrain = false;
  readonly #startedAtMs: number;
  #lastByteAtMs: number;
  #lastBeatAtMs = 0;
  /** Since when the end of the answer waits for the client. */
  #finishingSinceMs = 0;
  readonly #owner: AnswerOwner;
  readonly #options: RelayOptions;
  #waiting: Waiting<Relay> | undefined;

  constructor(owner: AnswerOwner, options: RelayOptions, waiting: Waiting<Relay>) {
    super(options.clock);
    this.#owner = owner;
    this.#options = options;
    this.#waiting = waiting;
    this.#startedAtMs = options.clock.now();
    this.#lastByteAtMs = this.#startedAtMs;
  }

  start(request: UpstreamRequest, signal: AbortSignal): void {
    if (signal.aborted) {
      this.#refuse(CLIENT_LEFT);
      return;
    }
    this.#options.deadlines.add(this);
    signal.addEventListener('abort', this, { once: true });
    this.#owner.onSent();
    this.#call = this.#options.client.send(request, this);
  }

  /**
   * The client's answer, to be asked for once when `relay` has resolved.
   * @throws why there is none: upstream or the client went away meanwhile
   */
  response(): Response {
    const head = this.#head;
    if (head === undefined) throw this.#error;
    this.#head = undefined;
    const isWanted = this.#phase === RelayPhase.Relaying || this.#phase === RelayPhase.Finishing;
    return new Response(isWanted && this.#hasBody ? this.stream() : null, head);
  }

  head(status: number, upstreamHeaders: ResponseHeaders): BodySink {
    let acceptance: Acceptance;
    try {
      acceptance = this.#owner.accept(status, upstreamHeaders);
    } catch (refusal) {
      this.#refuse(refusal as Error);
      this.#call?.abort();
      return this;
    }
    const { meter, filter, endsByTerminalEvent, refused } = acceptance;
    this.#meter = meter;
    this.#filter = filter;
    this.#endsByTerminalEvent = endsByTerminalEvent;
    this.#lastByteAtMs = this.clock.now();
    if (this.#phase === RelayPhase.Draining) {
      if (refused !== null || !meter.canReport) this.#stop('client_closed', CLIENT_LEFT);
    } else if (refused !== null) {
      this.#enter(RelayPhase.Refusing);
      this.#refused = refused;
      refused.whenRead = (error) => {
        if (this.#phase !== RelayPhase.Refusing) return;
        this.#refuse(error);
        this.#call?.abort();
      };
      return refused;
    } else {
      this.#hasBody = acceptance.hasBody;
      this.#head = acceptance;
      this.#enter(RelayPhase.Relaying);
      this.#waiting!.resolve(this);
      this.#waiting = undefined;
    }
    return this;
  }

  data(bytes: Uint8Array): void {
    if (this.#phase !== RelayPhase.Relaying) {
      this.#drain(bytes);
      return;
    }
    this.#heard = true;
    if (!this.#gotFirstByte) {
      this.#gotFirstByte = true;
      this.#owner.onFirstByte();
    }
    this.#meter!.push(bytes);
    if (this.#filter === null) this.send(bytes);
    else this.#pass(this.#filter.push(bytes));
  }

  end(): void {
    if (this.#phase === RelayPhase.Draining) this.#abandon('client_closed', CLIENT_LEFT);
    else if (this.#phase !== RelayPhase.Relaying) return;
    else if (this.#endsByTerminalEvent && !this.#meter!.sawTerminalEvent)
      this.#break(new UpstreamError('reset', 'Upstream closed the connection before the end of the stream'));
    else if (this.#filter?.isInvalid) this.#break(new UpstreamError('protocol', 'Upstream sent an invalid answer'));
    else {
      if (this.#filter) this.#pass(this.#filter.end());
      this.#conclude('complete', null, BodyEnding.InOrder);
    }
  }

  fail(error: UpstreamError): void {
    if (this.#phase === RelayPhase.Draining) this.#abandon('client_closed', CLIENT_LEFT);
    else if (this.#phase === RelayPhase.Finishing || this.#phase === RelayPhase.Over) return;
    else if (error.kind === 'aborted' && this.#phase === RelayPhase.Relaying) this.#stop(...endByBody(error));
    else this.#break(error);
  }

  check(nowMs: number): void {
    const { limits } = this.#options;
    if (this.#heard) {
      this.#heard = false;
      this.#lastByteAtMs = nowMs;
    }
    if (this.#phase === RelayPhase.Draining) {
      if (nowMs > this.#drainUntilMs) this.#stop('client_closed', CLIENT_LEFT);
    } else if (this.#phase === RelayPhase.Finishing) {
      const isTaken = this.#head === undefined;
      const sinceMs = this.isStalled ? this.stalledSinceMs : this.#finishingSinceMs;
      if (isTaken && nowMs - sinceMs > limits.clientStallTimeoutMs) this.#stop('error', new ClientStalled());
    } else if (nowMs - this.#startedAtMs > limits.upstreamTotalTimeoutMs) {
      this.#expire('total');
    } else if (this.isStalled) {
      if (nowMs - this.stalledSinceMs > limits.clientStallTimeoutMs) this.#stop('error', new ClientStalled());
    } else if (this.#phase === RelayPhase.AwaitingHead) {
      const askedAtMs = Math.max(this.#startedAtMs, this.#owner.bodyMovedAtMs ?? 0);
      if (nowMs - askedAtMs > limits.upstreamHeadTimeoutMs) this.#expire('head');
    } else if (nowMs - this.#lastByteAtMs > limits.upstreamIdleTimeoutMs) {
      this.#expire('idle');
    } else if (limits.streamHeartbeatMs > 0) {
      this.#beat(nowMs, limits.streamHeartbeatMs);
    }
  }

  /** No byte of upstream: it neither counts nor keeps the idle timeout from passing. */
  #beat(nowMs: number, everyMs: number): void {
    const silentMs = nowMs - Math.max(this.#lastByteAtMs, this.#lastBeatAtMs);
    if (silentMs < everyMs || !this.#gotFirstByte || this.#head !== undefined) return;
    const beat = heartbeatOf(this.#meter!, this.#filter, this.#endsWithCr);
    if (beat === null) return;
    this.#lastBeatAtMs = nowMs;
    this.send(beat);
  }

  /** The gateway shuts down. @param error for a client that has not been answered yet */
  cut(error: Error): void {
    if (this.#phase === RelayPhase.Draining) {
      this.#stop('client_closed', CLIENT_LEFT);
    } else if (this.#phase === RelayPhase.Finishing || this.isStalled) {
      // The client has no room for an error event.
      this.#stop('error', error);
    } else {
      this.#break(error, 'error');
      this.#call?.abort();
    }
  }

  /** The request's signal: the client has left. Bun tells of it through the body, too, once it has asked for that. */
  handleEvent(): void {
    this.onLeft();
  }

  protected onLeft(): void {
    if (this.#leftAtMs !== 0 || this.#phase === RelayPhase.Over) return;
    this.#leftAtMs = this.clock.now();
    if (this.#phase === RelayPhase.Finishing) this.#abandon('client_closed', CLIENT_LEFT);
    // SDKs close on the last event without waiting for the end.
    else if (this.#meter?.sawTerminalEvent === true && !this.isWaiting) this.#stop('complete', CLIENT_LEFT);
    else if (this.#phase === RelayPhase.Refusing || !this.#startDrain()) this.#stop('client_closed', CLIENT_LEFT);
  }

  protected get isWhole(): boolean {
    return this.#phase === RelayPhase.Finishing && !this.#meter!.isEventStream && this.#ending === BodyEnding.InOrder;
  }

  protected onFull(): void {
    this.#call?.pause();
  }

  protected onRoom(wasFull: boolean): void {
    if (this.#phase === RelayPhase.Finishing) {
      this.#endBody();
    } else if (wasFull) {
      // Silence while the client was not reading was ours, not upstream's.
      this.#lastByteAtMs = this.clock.now();
      this.#call?.resume();
    }
  }

  #startDrain(): boolean {
    const meter = this.#meter;
    const { limits, leaveDrains } = this.#options;
    if (meter !== undefined && (!meter.canReport || meter.usageIsFinal || meter.sawTerminalEvent)) return false;
    this.#isCountedDrain = this.#owner.drainsOnLeave && limits.leaveDrainMs > 0 && leaveDrains.begin();
    if (!this.#isCountedDrain && meter?.contentEnded !== true) return false;
    this.#drainUntilMs = this.#leftAtMs + (this.#isCountedDrain ? limits.leaveDrainMs : USAGE_FOLLOWS_WITHIN_MS);
    this.#enter(RelayPhase.Draining);
    this.drop();
    if (this.isFull) this.#call?.resume();
    return true;
  }

  #pass(filtered: Uint8Array | null): void {
    if (filtered === null) return;
    this.#endsWithCr = filtered[filtered.length - 1] === CR;
    this.send(filtered);
  }

  #drain(bytes: Uint8Array): void {
    const meter = this.#meter!;
    if (this.#phase !== RelayPhase.Draining) return;
    meter.pushUnsent(bytes);
    if (meter.isEventStream && (meter.usageIsFinal || meter.sawTerminalEvent)) this.#stop('client_closed', CLIENT_LEFT);
  }

  #expire(wait: TimedOut['wait']): void {
    // What has come of a refused answer will do.
    if (this.#phase === RelayPhase.Refusing) this.#refused!.end();
    else this.#break(new TimedOut(wait));
    this.#call?.abort();
  }

  #break(error: Error, finish: Finish = 'upstream_interrupted'): void {
    const meter = this.#meter;
    const filter = this.#filter;
    if (this.#phase <= RelayPhase.Refusing || this.#head !== undefined) {
      // Nothing has reached the client: it can be told in a proper answer.
      this.#refuse(error);
    } else if (meter!.sawTerminalEvent) {
      // Broken off behind the last event: nothing is missing but the end of the HTTP message.
      if (filter) this.#pass(filter.end());
      this.#conclude('complete', error, BodyEnding.InOrder);
    } else if (meter!.isEventStream && this.#options.limits.streamBreak === 'event') {
      const hasWholeEvents = filter === null ? meter!.atEventBoundary : filter.drop();
      this.#conclude(finish, error, hasWholeEvents ? BodyEnding.ErrorEvent : BodyEnding.Reset);
    } else {
      if (filter) this.#pass(filter.end());
      this.#conclude(finish, error, BodyEnding.Reset);
    }
  }

  /**
   * Upstream is done. What is left of it may still wait for a client that reads slowly: only when that is gone is the
   * request over, or a gateway that stops would cut off the tail and call it complete.
   */
  #conclude(finish: Finish, error: Error | null, ending: BodyEnding): void {
    this.#owner.onLastByte();
    this.#finish = finish;
    this.#error = error;
    this.#ending = ending;
    this.#finishingSinceMs = this.clock.now();
    this.#enter(RelayPhase.Finishing);
    if (!this.#hasBody) this.#settle(finish, error);
    else if (!this.isWaiting) this.#endBody();
  }

  #endBody(): void {
    if (this.#ending === BodyEnding.Reset) {
      // Only then is it over, or a gateway that stops would end the connection in order before.
      this.reset(this.#error!, () => this.#phase === RelayPhase.Finishing && this.#settle(this.#finish, this.#error));
      return;
    }
    // Before the meter is closed.
    const event =
      this.#ending === BodyEnding.ErrorEvent ? breakEventOf(this.#meter!, this.#filter, this.#endsWithCr) : null;
    this.#settle(this.#finish, this.#error);
    if (event) this.closeBehind(event);
    else this.close();
  }

  /** Ends both sides at once: upstream is cancelled, and the client, if it is still there, sees a reset. */
  #stop(finish: Finish, error: Error): void {
    const hasLeft = this.#leftAtMs !== 0;
    this.#over();
    this.#call?.abort();
    if (hasLeft) this.#owner.onCancelled(this.clock.now() - this.#leftAtMs);
    this.#tell(finish, error);
    if (!hasLeft) this.resetNow(error);
    else if (!this.isStalled) this.close();
  }

  #abandon(finish: Finish, error: Error): void {
    this.#over();
    this.#tell(finish, error);
  }

  #settle(finish: Finish, error: Error | null): void {
    this.#over();
    this.#owner.onSettled(finish, error);
  }

  /** An answer that the caller has not taken yet is none. */
  #tell(finish: Finish, error: Error): void {
    if (this.#waiting !== undefined || this.#head !== undefined) this.#reject(error);
    else this.#owner.onSettled(finish, error);
  }

  #refuse(reason: Error): void {
    this.#over();
    this.#reject(reason);
  }

  #reject(reason: Error): void {
    this.#head = undefined;
    this.#error = reason;
    this.#waiting?.reject(reason);
    this.#waiting = undefined;
  }

  #over(): void {
    this.#enter(RelayPhase.Over);
    this.drop();
    this.#options.deadlines.delete(this);
    if (this.#isCountedDrain) this.#options.leaveDrains.end();
  }

  #enter(phase: RelayPhase): void {
    if (!mayFollow(this.#phase, phase))
      throw new Error(`relay: ${RelayPhase[phase]} cannot follow ${RelayPhase[this.#phase]}`);
    this.#phase = phase;
  }
}
