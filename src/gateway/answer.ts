/** The interface between the relay of an answer and its owner, the exchange. */
import { GatewayError } from '../errors.ts';
import type { Deadlines } from '../http/deadlines.ts';
import { type ResponseHeaders, type UpstreamClient, UpstreamError } from '../upstream/client.ts';
import type { Finish } from '../usage/usage-record.ts';
import type { BodyFilter } from './body-filter.ts';
import type { MonotonicClock } from './client-body.ts';
import type { LeaveDrains } from './leave-drains.ts';
import type { Meter } from './meter.ts';
import type { RefusedAnswer } from './refused-answer.ts';

export interface RelayLimits {
  readonly upstreamHeadTimeoutMs: number;
  readonly upstreamIdleTimeoutMs: number;
  readonly upstreamTotalTimeoutMs: number;
  readonly clientStallTimeoutMs: number;
  readonly leaveDrainMs: number;
  /** How a broken stream ends for the client: with an error event where one can be sent, or always with a reset. */
  readonly streamBreak: 'event' | 'reset';
  /** After so much silence an event stream gets a heartbeat; 0: never. */
  readonly streamHeartbeatMs: number;
}

/** The parts of the gateway that the relay uses. */
export interface RelayOptions {
  readonly client: UpstreamClient;
  readonly limits: RelayLimits;
  readonly deadlines: Deadlines;
  readonly leaveDrains: LeaveDrains;
  readonly clock: MonotonicClock;
}

/** The caller that waits for the head. */
export interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/** After the last content upstream sends the usage at once, if it does. */
export const USAGE_FOLLOWS_WITHIN_MS = 2000;
export const CLIENT_LEFT = new UpstreamError('aborted', 'The client left');

/** The owner's decision about a response head: the head for the client, and how to treat the body. */
export interface Acceptance {
  readonly status: number;
  readonly headers: Headers;
  /** False for HEAD and for statuses without a body: Bun will not ask for one. */
  readonly hasBody: boolean;
  readonly meter: Meter;
  readonly filter: BodyFilter | null;
  /** Upstream ends the body by closing the connection: only a terminal event tells an end from a break. */
  readonly endsByTerminalEvent: boolean;
  /** Set when the client gets an error of ours instead of this answer, whose body is read for its message. */
  readonly refused: RefusedAnswer | null;
}

/** The exchange, as the relay sees it. */
export interface AnswerOwner {
  /** When the client leaves, the answer is read on to learn its usage. */
  readonly drainsOnLeave: boolean;
  /** The request goes upstream now. */
  onSent(): void;
  /** When the last piece of a streamed request body was sent on; upstream's answer is due only then. */
  readonly bodyMovedAtMs?: number;
  /** Throws to refuse the head; the exchange is then aborted and `relay` rejects with what was thrown. */
  accept(status: number, headers: ResponseHeaders): Acceptance;
  /** The first body byte of upstream is here. */
  onFirstByte(): void;
  /** Upstream has ended the body, in order or not. */
  onLastByte(): void;
  /** Upstream was cancelled this long after the client left. */
  onCancelled(afterMs: number): void;
  /**
   * Called once, with the last byte handed over, unless there is no answer (`relay` or `response()` fails).
   * `error` tells why it was not `complete`.
   */
  onSettled(finish: Finish, error: Error | null): void;
}

export class TimedOut extends UpstreamError {
  constructor(readonly wait: 'head' | 'idle' | 'total') {
    super('reset', `Upstream ${wait} timeout`);
  }
}

/** The gateway gave up a client that does not read. */
export class ClientStalled extends Error {
  readonly code = 'client_stalled';

  constructor() {
    super('The client stopped reading');
  }
}

/** How an exchange ends whose request body failed: the client left, or what it sent was refused. */
export function endByBody(error: UpstreamError): [Finish, Error] {
  return error.cause instanceof GatewayError ? ['error', error.cause] : ['client_closed', error];
}
