/**
 * Which target a request goes to, and whether it is sent again: the only place of retry. Before the head only, and only what
 * upstream cannot have begun, or has refused (contract, section 2).
 *
 * With one target a request goes straight to its client, and nothing is added to its way. With several, one object for each
 * request stands between client and sink until the head, and the body goes directly to the sink's.
 */
import { GatewayError } from '../errors.ts';
import {
  type AttemptOutcome,
  type AttemptOwner,
  type BodySink,
  type ResponseHeaders,
  type UpstreamCall,
  type UpstreamClient,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamSink,
} from './client.ts';
import { HeldStream } from './held-stream.ts';
import { DISCARD } from './own-probe.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { UpstreamTarget } from './target.ts';
import { isReplayable, type TargetPool } from './target-pool.ts';

interface RetryRules {
  readonly retryAttemptsMax: number;
  /** A request may be sent again after a reset before the head, although it may have been begun. */
  readonly retryOnReset: boolean;
  /** Also when a stream begins with an error event; its first events are held for that. */
  readonly retryStreamErrors: boolean;
}

/** The answer of one target that another may not give. */
const RETRIED_STATUSES: ReadonlySet<number> = new Set([401, 402, 429, 502, 503, 504]);
const EVENT_STREAM = /^\s*text\/event-stream\b/i;
/** A connection that was refused later than this is not tried again. */
const REFUSED_WITHIN_MS = 1000;
const NONE: readonly UpstreamTarget[] = [];

export class TargetClient implements UpstreamClient {
  readonly #pool: TargetPool;
  readonly #budget: RetryBudget;
  readonly #rules: RetryRules;

  constructor(pool: TargetPool, budget: RetryBudget, rules: RetryRules) {
    this.#pool = pool;
    this.#budget = budget;
    this.#rules = rules;
  }

  send(request: UpstreamRequest, sink: UpstreamSink, signal?: AbortSignal): UpstreamCall {
    const only = this.#pool.only;
    const { owner } = request;
    if (owner === undefined) throw new Error('a request to a target needs an owner');
    if (only === null) return new Attempts(request, owner, sink, signal, this.#pool, this.#budget, this.#rules);
    request.common = only.credentials;
    only.begin(owner, false);
    request.traceparent = owner.onAttempt(only, 1);
    return only.client.send(request, sink, signal);
  }

  close(): void {
    this.#pool.close();
  }
}

class Attempts implements UpstreamSink, UpstreamCall {
  #target: UpstreamTarget | null;
  #call: UpstreamCall | null = null;
  #tried: readonly UpstreamTarget[] = NONE;
  #count = 1;
  #sentAtMs = 0;
  readonly #mayResend: boolean;

  constructor(
    private readonly request: UpstreamRequest,
    private readonly owner: AttemptOwner,
    private readonly sink: UpstreamSink,
    private readonly signal: AbortSignal | undefined,
    private readonly pool: TargetPool,
    private readonly budget: RetryBudget,
    private readonly rules: RetryRules,
  ) {
    const nowMs = Date.now();
    budget.request(nowMs);
    this.#mayResend = isReplayable(request);
    this.#target = pool.choose(owner.wantedModel, NONE, this.#mayResend && rules.retryAttemptsMax > 1, nowMs);
    if (this.#target === null) queueMicrotask(() => this.#refuse());
    else this.#send(this.#target, nowMs);
  }

  pause(): void {
    this.#call?.pause();
  }

  resume(): void {
    this.#call?.resume();
  }

  abort(): void {
    if (this.#call) this.#call.abort();
    else this.#target = null;
  }

  head(status: number, headers: ResponseHeaders): BodySink {
    const nowMs = Date.now();
    const next = RETRIED_STATUSES.has(status) ? this.#nextTarget(nowMs) : null;
    if (next !== null && this.budget.take(nowMs)) {
      this.#target!.answered(this.owner, status, headers, nowMs);
      this.#leave(next, status, nowMs);
      return DISCARD;
    }
    if (!this.#mayHold(status, headers)) return this.sink.head(status, headers);
    return new HeldStream(this.sink, status, headers, () => this.#tryAnother());
  }

  fail(error: UpstreamError): void {
    const nowMs = Date.now();
    if (error.kind === 'aborted' || !(error.safeToResend || this.#mayRepeat(error))) {
      this.sink.fail(error);
      return;
    }
    // Upstream has been sent nothing: this is no further attempt, and no load.
    const isFree = error.safeToResend;
    let next = this.#nextTarget(nowMs, isFree);
    if (next === null && this.#mayConnectAgain(error, nowMs)) {
      this.request.refusedForMs = undefined;
      this.#call = this.#target!.client.send(this.request, this, this.signal);
      return;
    }
    // The last that could serve it is asked, whatever it rests for: there is no answer to pass on.
    if (next === null && isFree) next = this.#restingTarget();
    if (next !== null && (isFree || this.budget.take(nowMs))) {
      this.#target!.failed(this.owner, error.message, !isFree, nowMs);
      if (!isFree) this.#count++;
      this.#sendTo(next, error.kind, nowMs);
    } else this.sink.fail(error);
  }

  /** The stream could go to another target if it began with an error. */
  #mayHold(status: number, headers: ResponseHeaders): boolean {
    if (!this.rules.retryStreamErrors || status !== 200 || !this.#mayResend) return false;
    if (this.#count >= this.rules.retryAttemptsMax || this.pool.all.length === this.#tried.length + 1) return false;
    return EVENT_STREAM.test(headers.get('content-type') ?? '');
  }

  #tryAnother(): boolean {
    const nowMs = Date.now();
    const next = this.#nextTarget(nowMs);
    if (next === null || !this.budget.take(nowMs)) return false;
    this.#target!.failed(this.owner, 'the stream begins with an error', false, nowMs);
    this.#leave(next, 'error_event', nowMs);
    return true;
  }

  /** Another target gets the request, and nobody the rest of this answer. */
  #leave(next: UpstreamTarget, outcome: AttemptOutcome, nowMs: number): void {
    const call = this.#call!;
    queueMicrotask(() => call.abort());
    this.#count++;
    this.#sendTo(next, outcome, nowMs);
  }

  #nextTarget(nowMs: number, isFree = false): UpstreamTarget | null {
    if (!this.#mayResend || this.signal?.aborted) return null;
    if (!isFree && this.#count >= this.rules.retryAttemptsMax) return null;
    const tried = [...this.#tried, this.#target!];
    return this.pool.choose(this.owner.wantedModel, tried, this.#count + 1 < this.rules.retryAttemptsMax, nowMs);
  }

  #restingTarget(): UpstreamTarget | null {
    if (!this.#mayResend || this.signal?.aborted) return null;
    return this.pool.restingFor(this.owner.wantedModel, [...this.#tried, this.#target!]);
  }

  /** It may have been begun: only for whoever says that this does no harm. */
  #mayRepeat({ kind }: UpstreamError): boolean {
    if (kind !== 'reset') return false;
    return this.rules.retryOnReset || this.request.headers.some(([name]) => name === 'idempotency-key');
  }

  /** It was not tried for long, because there seemed to be another target. */
  #mayConnectAgain(error: UpstreamError, nowMs: number): boolean {
    if (error.kind !== 'unreachable' || !this.#mayResend || this.signal?.aborted) return false;
    return this.request.refusedForMs === 0 && nowMs - this.#sentAtMs < REFUSED_WITHIN_MS;
  }

  #sendTo(next: UpstreamTarget, outcome: AttemptOutcome, nowMs: number): void {
    this.owner.onAttemptFailed(outcome);
    this.#target!.end(this.owner);
    this.#tried = [...this.#tried, this.#target!];
    this.#target = next;
    this.#send(next, nowMs);
  }

  #send(target: UpstreamTarget, nowMs: number): void {
    const hasOther = this.#mayResend && this.pool.all.length > this.#tried.length + 1;
    this.#sentAtMs = nowMs;
    this.request.common = target.credentials;
    this.request.refusedForMs = hasOther ? 0 : undefined;
    target.begin(this.owner, target.health.state === 'resting');
    this.request.traceparent = this.owner.onAttempt(target, this.#count);
    this.#call = target.client.send(this.request, this, this.signal);
  }

  #refuse(): void {
    const { body } = this.request;
    if (body instanceof ReadableStream) body.cancel().catch(() => {});
    const model = this.owner.wantedModel;
    const cause = this.pool.lists(model)
      ? new GatewayError('overloaded', 'All upstream targets are at their limit', { retryAfterS: 1, reason: 'targets' })
      : new GatewayError('model_not_found', `Model '${model}' not found`);
    this.sink.fail(new UpstreamError('aborted', cause.message, { cause }));
  }
}
