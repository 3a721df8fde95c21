/**
 * The trace of one request, while it is under way: ids, the sampling decision, and what is known of each attempt. Spans are made
 * of it at the end, from the numbers that the exchange has anyway.
 */
import type { AttemptOutcome } from '../../upstream/client.ts';
import { type TraceParent, traceparentOf } from './trace-context.ts';

export interface TracedAttempt {
  readonly spanId: string;
  readonly target: string;
  /** How many targets were sent the request, this one included; a refused connection is not counted. */
  readonly count: number;
  /** Milliseconds since the request's arrival. */
  readonly startMs: number;
  /** Null for the last one: it ends with the request. */
  endMs: number | null;
  /** Null when nothing came. */
  outcome: AttemptOutcome | null;
}

const NONE: readonly TracedAttempt[] = [];

export class RequestTrace {
  /** The span of the model call, between the request's and its attempts'. */
  readonly callSpanId: string;
  #attempts: readonly TracedAttempt[] = NONE;

  constructor(
    readonly traceId: string,
    /** Of the request as a whole: it is on the log line. */
    readonly spanId: string,
    readonly parent: TraceParent | null,
    /** The caller's header. */
    readonly tracestate: string | null,
    readonly isSampled: boolean,
    private readonly newSpanId: () => string,
  ) {
    this.callSpanId = isSampled ? newSpanId() : spanId;
  }

  get attempts(): readonly TracedAttempt[] {
    return this.#attempts;
  }

  /** A request goes to a target. @returns the `traceparent` it carries */
  attempt(target: string, count: number, startMs: number): string {
    let { spanId } = this;
    if (this.isSampled) {
      spanId = this.newSpanId();
      this.#attempts = [...this.#attempts, { spanId, target, count, startMs, endMs: null, outcome: null }];
    }
    // The ids of a trace that began here are random.
    return traceparentOf(this.traceId, spanId, this.isSampled, this.parent?.isRandom ?? true);
  }

  /** The head of an answer is here. */
  answered(status: number): void {
    const last = this.#attempts.at(-1);
    if (last !== undefined) last.outcome = status;
  }

  /** Another attempt follows. */
  attemptFailed(outcome: AttemptOutcome, nowMs: number): void {
    const last = this.#attempts.at(-1);
    if (last === undefined) return;
    last.endMs = nowMs;
    last.outcome = outcome;
  }
}
