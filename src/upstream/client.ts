/**
 * The interface to the network upstream; nothing else in the gateway opens a connection there. The client pushes bytes to
 * the receiver as they arrive, and makes no promise per chunk.
 *
 * For every `send` the sink is called in one of these orders, and test/upstream/contract.ts holds each implementation to it:
 *
 *     sink.head(status, headers) → body.data(bytes)* → body.end()
 *     sink.head(status, headers) → body.data(bytes)* → body.fail(error)
 *     sink.fail(error)
 *
 * `body` is what `head` returned. So a retry or a tee costs one object per request, and nothing per chunk.
 *
 * - Nothing is called before `send` has returned, and nothing after `end` or `fail`.
 * - A failure before `head` has returned, such as an `abort()` from within it, is told to the sink, any later one to the body.
 * - `fail` may come in the same turn of the event loop as `head`: the read that held the head held a framing error too.
 * - After `pause()` at most one more `data` may come; `end` and `fail` may come at any time.
 * - `abort()`, or the signal, leads to exactly one `fail` with kind `aborted`, unless the exchange is over already.
 * - The receiver owns the bytes given to `data` during that call, and may change them. It must copy what it keeps.
 * - An answer may come before the request is whole: it is handed on at once, and when it has ended no more is sent.
 * - `pause()` and `resume()` concern the answer only.
 */

import type { HeaderBlock, HeaderField } from './header-block.ts';

export interface ResponseHeaders {
  /** The value of a field by its lower-case name, several lines joined by `, `; null when it is absent. */
  get(name: string): string | null;
  /** Of all fields, in lower case. */
  keys(): Iterable<string>;
}

/** What the owner of a request knows of the target it was sent to. Its token is the owner. */
export interface AttemptTarget {
  readonly name: string;
  /** The head of an answer is here. */
  answered(owner: AttemptOwner, status: number, headers: ResponseHeaders, nowMs: number): void;
  /** There was none. @param isSilent nothing says that the request was not begun */
  failed(owner: AttemptOwner, reason: string, isSilent: boolean, nowMs: number): void;
  end(owner: AttemptOwner): void;
}

/** How an attempt ended after which another was made: the status of its answer, or why there was none. */
export type AttemptOutcome = number | UpstreamErrorKind | 'error_event';

/** On whose behalf a request is sent. Of the last target it was told of it calls `answered` or `failed`, then `end`. */
export interface AttemptOwner {
  /** In full; null when the request names none. */
  readonly wantedModel: string | null;
  /**
   * @param count how many targets were sent the request, this one included
   * @returns the `traceparent` of this attempt, if it is traced
   */
  onAttempt(target: AttemptTarget, count: number): string | null;
  /** Another attempt follows. */
  onAttemptFailed(outcome: AttemptOutcome): void;
}

export interface UpstreamRequest {
  readonly method: string;
  /** Path and query, appended to the base URL as they are: starts with a slash. */
  readonly target: string;
  /** Sent before `headers`; none of them may be in both. Set anew for each attempt (attempts.ts). */
  common?: HeaderBlock;
  readonly headers: readonly HeaderField[];
  /** Sent beside them; set anew for each attempt. */
  traceparent?: string | null;
  /**
   * Bytes are the whole body and are sent with their length; null sends none. A stream is sent as it comes, read no
   * faster than upstream takes it, and never a second time: chunked, or with `bodyBytes` as its length. It belongs to
   * the client from here on, which cancels it when the exchange is over before it: by an answer, a failure, an abort.
   */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  /**
   * The length of a streamed body, announced as content-length. A source with more or fewer bytes fails the request,
   * and upstream sees one that broke off, never a whole one. Of no meaning for other bodies.
   */
  readonly bodyBytes?: number | undefined;
  /** How long a refused connection is tried again, by default a second; 0 where there is another upstream to turn to. */
  refusedForMs?: number | undefined;
  /** On whose behalf it is sent to a target; the client of one target does not look at it. */
  readonly owner?: AttemptOwner;
  /**
   * The answer is a download: the kernel may hold as much of it as the speed of the connection needs. Of any other answer
   * it holds 96 KiB, so that a client that stops reading stops upstream soon.
   */
  readonly bulk?: boolean | undefined;
}

export interface UpstreamSink {
  /** @returns who takes the body; not used when the call was aborted meanwhile */
  head(status: number, headers: ResponseHeaders): BodySink;
  fail(error: UpstreamError): void;
}

/** Takes the body of an answer. */
export interface BodySink {
  data(bytes: Uint8Array): void;
  end(): void;
  fail(error: UpstreamError): void;
}

export interface UpstreamCall {
  /** Stops reading from upstream, so that its TCP window closes. */
  pause(): void;
  resume(): void;
  /** Ends the exchange and its connection. Harmless when it is over. */
  abort(): void;
}

export interface UpstreamClient {
  send(request: UpstreamRequest, sink: UpstreamSink, signal?: AbortSignal): UpstreamCall;
  /** Closes connections that wait for another request. */
  close(): void;
}

/**
 * - `unreachable`: no connection (refused, DNS, TLS); the request was never read by anyone
 * - `reset`: the connection broke, before or within the answer
 * - `protocol`: what came is not a valid HTTP answer (framing, compression)
 * - `aborted`: ended from our side: `abort()`, the signal, or a streamed request body that failed or had not the length
 *   that was announced; then `cause` is what went wrong with it
 */
type UpstreamErrorKind = 'unreachable' | 'reset' | 'protocol' | 'aborted';

export class UpstreamError extends Error {
  /**
   * Upstream cannot have begun on the request, so that it may be sent again whatever its method (RFC 9110, section 9.2.2):
   * there was no connection, or the pooled one proved closed before a byte of the request had left.
   */
  readonly safeToResend: boolean;

  constructor(
    readonly kind: UpstreamErrorKind,
    message: string,
    options: { cause?: unknown; safeToResend?: boolean } = {},
  ) {
    super(message, { cause: options.cause });
    this.safeToResend = options.safeToResend ?? false;
  }
}
