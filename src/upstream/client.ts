/**
 * The only door to the network upstream. Push, not pull: the client of the gateway is told of bytes as they come and
 * no promise is made per chunk, so that an implementation on fetch and one directly on sockets both fit.
 *
 * For every `send` the sink is called in this order, and test/upstream/contract.ts holds each implementation to it:
 *
 *     head(status, headers) → data(bytes)* → end()
 *     head(status, headers) → data(bytes)* → fail(error)
 *     fail(error)
 *
 * - Nothing is called before `send` has returned, and nothing after `end` or `fail`.
 * - After `pause()` at most one more `data` may come; `end` and `fail` may come at any time.
 * - `abort()`, or the signal, leads to exactly one `fail` with kind `aborted`, unless the exchange is over already.
 * - The bytes given to `data` belong to the receiver.
 */

export interface ResponseHeaders {
  /** The value of a field by its lower-case name, several lines joined by `, `; null when it is absent. */
  get(name: string): string | null;
}

export interface UpstreamRequest {
  readonly method: string;
  /** Path and query, appended to the base URL as they are: starts with a slash. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The whole body; sent with its length. Null sends none. */
  readonly body: Uint8Array | null;
}

export interface UpstreamSink {
  head(status: number, headers: ResponseHeaders): void;
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
 * - `aborted`: ended from our side
 */
export type UpstreamErrorKind = 'unreachable' | 'reset' | 'protocol' | 'aborted';

export class UpstreamError extends Error {
  constructor(
    readonly kind: UpstreamErrorKind,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
