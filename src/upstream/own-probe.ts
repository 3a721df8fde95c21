/**
 * A request of our own that finds out whether a target answers again: for one that failed without an answer, which a client
 * would notice, because its request may have been begun and is not sent again.
 */
import type { BodySink, ResponseHeaders, UpstreamCall, UpstreamError, UpstreamSink } from './client.ts';
import type { UpstreamTarget } from './target.ts';

/** The cheapest request that every such platform answers. */
const REQUEST = { method: 'GET', target: '/models', headers: [['accept', 'application/json']], body: null } as const;

export const DISCARD: BodySink = { data: () => {}, end: () => {}, fail: () => {} };

export class OwnProbe implements UpstreamSink {
  readonly #target: UpstreamTarget;
  readonly #call: UpstreamCall;
  readonly #timer: Timer;

  static begin(target: UpstreamTarget, timeoutMs: number): void {
    new OwnProbe(target, timeoutMs);
  }

  private constructor(target: UpstreamTarget, timeoutMs: number) {
    this.#target = target;
    target.begin(this, true);
    this.#call = target.client.send({ ...REQUEST, common: target.credentials, refusedForMs: 0 }, this);
    this.#timer = setTimeout(() => this.#call.abort(), timeoutMs);
  }

  /** One answer is no proof: with the next failure the target rests again. */
  head(status: number, headers: ResponseHeaders): BodySink {
    clearTimeout(this.#timer);
    this.#target.answered(this, status, headers, Date.now(), true);
    this.#target.end(this);
    queueMicrotask(() => this.#call.abort());
    return DISCARD;
  }

  fail({ message }: UpstreamError): void {
    clearTimeout(this.#timer);
    this.#target.failed(this, message, true, Date.now());
    this.#target.end(this);
  }
}
