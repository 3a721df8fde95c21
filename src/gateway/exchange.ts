/**
 * One request from its arrival to its usage record. Owns that it settles exactly once: one permit and one admission released,
 * tokens charged once, each observer told once, whatever ended it.
 */
import { GatewayError } from '../errors.ts';
import { BREAK_CODE } from '../formats/format.ts';
import type { TextCompletionFilter } from '../formats/text-completion.ts';
import type { UsageEventFilter } from '../formats/usage-event-filter.ts';
import type { BodyHolder, BodyReader } from '../http/body-reader.ts';
import type { Permits } from '../http/permits.ts';
import { refusal } from '../http/refusal.ts';
import { clientRequestId, type HeaderReader } from '../http/request-id.ts';
import type { Upload } from '../http/uploads.ts';
import { type ApiKey, drainsOnLeave } from '../keys/key.ts';
import type { Granted } from '../limits/limiter.ts';
import type { Log } from '../observe/log.ts';
import type { ExchangeObserver, SettledExchange } from '../observe/observer.ts';
import type { RequestTrace } from '../observe/traces/request-trace.ts';
import {
  type AttemptOutcome,
  type AttemptOwner,
  type AttemptTarget,
  type ResponseHeaders,
  UpstreamError,
} from '../upstream/client.ts';
import type { Finish, UsageSource } from '../usage/usage-record.ts';
import { AnnouncedBody } from './announced-body.ts';
import { type Acceptance, type AnswerOwner, ClientStalled, TimedOut } from './answer.ts';
import type { Endpoint } from './endpoints.ts';
import type { ExtraHeaders } from './extra-headers.ts';
import type { FormOwner } from './form-fields.ts';
import { clientHeaders, passDownloadHeaders } from './headers.ts';
import type { KeyMask } from './key-mask.ts';
import { type BodyKind, Meter, type Usage } from './meter.ts';
import { ModelListTap } from './model-list-tap.ts';
import { shortModelName } from './model-name.ts';
import { RefusedAnswer } from './refused-answer.ts';

/**
 * Bun closes idle connections. While an answer is awaited or streamed the relay's own deadlines hold instead, so the idle
 * timeout is lifted. That would outlive the request, so it is restored at its end.
 */
interface ClientConnections {
  liftIdleTimeout(request: Request): void;
  restoreIdleTimeout(request: Request): void;
}

/** The parts of the gateway that an exchange uses: what it takes and gives back, and the observers of its end. */
export interface ExchangeOptions {
  readonly permits: Permits;
  /** Counts the streamed requests in flight. */
  readonly streams: Permits;
  readonly bodies: Pick<BodyReader, 'release' | 'free'>;
  readonly connections: ClientConnections;
  readonly observers: readonly ExchangeObserver[];
  /** Told of each whole list of models that upstream sent. */
  readonly onModelList?: (body: Uint8Array) => void;
  /** Undefined without traces. */
  readonly tracer?: { begin(headers: HeaderReader): RequestTrace } | undefined;
  readonly keyMask: KeyMask;
  /** 5xx answers to requests that are not streamed: passed as they are, or told in an error of ours. */
  readonly upstream5xx: 'pass' | 'error';
  readonly extraHeaders: ExtraHeaders;
  /** X-Accel-Buffering of event streams: nginx' proxy_buffering for this answer. */
  readonly accelBuffering: 'no' | undefined;
  readonly log: Log;
}

/** nginx's status for a client that left before it was answered; it is recorded and never sent. */
const CLIENT_CLOSED_STATUS = 499;
const EVENT_STREAM = /^\s*text\/event-stream\b/i;
const JSON_TYPE = /^[^;]*\bjson\b/i;
const UNLABELLED = /^\s*(application\/octet-stream\b.*)?$/i;
/** The form of a request id that is accepted from upstream. */
const UPSTREAM_ID = /^[\x21-\x7e]{1,128}$/;
const STATUSES_WITHOUT_BODY = new Set([204, 205, 304]);

export class Exchange implements AnswerOwner, AttemptOwner, BodyHolder, FormOwner {
  /** The client's own request id, if it has the allowed form: it goes upstream. */
  readonly clientRequestId: string | null;
  readonly requestId: string;
  readonly arrivedAtMs = performance.now();
  readonly #startedAt = Date.now();
  readonly trace: RequestTrace | null;
  key: ApiKey | null = null;
  /** The grant of the key's limits, once there is one. */
  admission: Granted | null = null;
  /** Short, see model-name.ts. */
  model: string | null = null;
  #streamed = false;
  wantedModel: string | null = null;
  meter: Meter | null = null;
  status = 0;
  bodyWasRead = false;
  heldBodyBytes = 0;
  longBody: WeakRef<Uint8Array> | undefined;
  /** The body, when it is streamed. */
  upload: Upload | null = null;
  /** Set when upstream was asked for a usage event on the client's behalf. */
  usageFilter: UsageEventFilter | null = null;
  /** Set when the answer is awaited so that it can have a content-length, see there. */
  announced: AnnouncedBody | null = null;
  /** Set when the answer is rewritten: a chat completion into a legacy completion. */
  rewriting: TextCompletionFilter | null = null;
  #upstreamRequestId: string | null = null;
  #sentMs: number | null = null;
  #headMs: number | null = null;
  #ttfbMs: number | null = null;
  #lastByteMs: number | null = null;
  #cancelMs: number | null = null;
  #target: AttemptTarget | null = null;
  #attempts = 0;
  #holdsPermit = false;
  #settled = false;

  constructor(
    readonly request: Request,
    readonly endpoint: Endpoint,
    readonly options: ExchangeOptions,
  ) {
    this.clientRequestId = clientRequestId(request.headers);
    this.requestId = this.clientRequestId ?? crypto.randomUUID();
    this.trace = options.tracer?.begin(request.headers) ?? null;
  }

  get elapsedMs(): number {
    return performance.now() - this.arrivedAtMs;
  }

  get drainsOnLeave(): boolean {
    return this.key !== null && drainsOnLeave(this.key);
  }

  get bodyMovedAtMs(): number {
    return this.upload?.lastMovedMs ?? 0;
  }

  get streamed(): boolean {
    return this.#streamed;
  }

  set streamed(streamed: boolean) {
    if (streamed === this.#streamed || this.#settled) return;
    this.#streamed = streamed;
    if (streamed) this.options.streams.take();
    else this.options.streams.release();
  }

  onModel(model: string): void {
    this.model = shortModelName(model);
  }

  onStream(stream: boolean): void {
    this.streamed = stream;
  }

  /** @throws GatewayError overloaded */
  takePermit(): void {
    this.options.permits.take(this.key?.id);
    this.#holdsPermit = true;
  }

  onSent(): void {
    this.#sentMs = this.elapsedMs;
  }

  onAttempt(target: AttemptTarget, count: number): string | null {
    this.#target = target;
    this.#attempts = count;
    return this.trace?.attempt(target.name, count, this.elapsedMs) ?? null;
  }

  onAttemptFailed(outcome: AttemptOutcome): void {
    this.trace?.attemptFailed(outcome, this.elapsedMs);
  }

  /** Bytes of the body as the client gets it: upstream's, less what was removed, plus what rewriting added. */
  get #bytesOut(): number {
    const added = this.status < 400 ? (this.rewriting?.addedBytes ?? 0) : 0;
    return (this.meter?.bytes ?? 0) - (this.usageFilter?.removedBytes ?? 0) + added;
  }

  /** @throws GatewayError upstream_error for an answer that is not to be passed on */
  accept(status: number, upstream: ResponseHeaders): Acceptance {
    // It is not sent again: a long answer does not hold on to its prompt.
    this.options.bodies.release(this);
    this.onHead(status, upstream);
    // Fetch takes 1xx for itself; what is beyond 599 is no HTTP status and could not be sent on.
    if (status < 200 || status > 599)
      throw new GatewayError('upstream_error', `Upstream answered with status ${status}`);
    const hasBody = this.request.method !== 'HEAD' && !STATUSES_WITHOUT_BODY.has(status);
    const kind = hasBody ? bodyKindOf(upstream.get('content-type') ?? '', this.streamed) : 'none';
    const isEventStream = kind === 'sse';
    const isError = status >= 400 && !isEventStream;
    const meter = new Meter(this.endpoint.format, kind);
    const isRefused = this.refuses(status, kind === 'json');
    if (!isRefused) {
      this.meter = meter;
      this.status = status;
    }
    const headers = clientHeaders(upstream, this.elapsedMs, isError, this.options.extraHeaders);
    if (isEventStream && this.options.accelBuffering) headers.set('x-accel-buffering', this.options.accelBuffering);
    if (!this.streamed && !headers.get('x-request-id')) headers.set('x-request-id', this.requestId);
    // The rest of an upload that upstream does not want is not read.
    if (this.upload?.isWhole === false) headers.set('connection', 'close');
    const endsByClosing = upstream.get('transfer-encoding') === null && upstream.get('content-length') === null;
    const isDownload = !isError && !isEventStream && (kind === 'none' || this.endpoint.bulk);
    if (isDownload) passDownloadHeaders(upstream, headers);
    if (isDownload && hasBody) this.announced = AnnouncedBody.of(upstream.get('content-length'));
    if (this.rewriting && !isError) headers.set('content-type', 'application/json');
    return {
      status,
      headers,
      hasBody,
      meter,
      filter: isError
        ? this.options.keyMask.filter()
        : isEventStream || kind === 'unlabelled'
          ? this.usageFilter
          : (this.rewriting ?? this.announced ?? this.#modelListTap(status)),
      endsByTerminalEvent: isEventStream && endsByClosing,
      refused: isRefused ? new RefusedAnswer(status, kind === 'json', this.options.keyMask) : null,
    };
  }

  #modelListTap(status: number): ModelListTap | null {
    const { onModelList } = this.options;
    return onModelList && this.endpoint.models === 'list' && status === 200 ? new ModelListTap(onModelList) : null;
  }

  /** The response head of upstream is here. */
  onHead(status: number, upstream: ResponseHeaders): void {
    this.#headMs = this.elapsedMs;
    this.#target?.answered(this, status, upstream, Date.now());
    this.trace?.answered(status);
    const id = upstream.get('x-request-id');
    if (id !== null && UPSTREAM_ID.test(id)) this.#upstreamRequestId = id;
  }

  onFirstByte(): void {
    this.#ttfbMs = this.elapsedMs;
  }

  onLastByte(): void {
    this.#lastByteMs = this.elapsedMs;
  }

  onCancelled(afterMs: number): void {
    this.#cancelMs = afterMs;
  }

  onSettled(finish: Finish, error: Error | null): void {
    const reported = this.meter?.errorCode ?? null;
    if (finish === 'complete' && this.status >= 400) this.settle('error', error, `upstream_${this.status}`);
    else if (reported !== null && finish !== 'client_closed') this.settle('error', error, reported);
    else if (finish === 'complete' && this.meter?.endedUnfinished === true)
      this.settle('upstream_interrupted', error, BREAK_CODE);
    else this.settle(finish, error, finish === 'complete' || finish === 'client_closed' ? null : codeOf(error));
  }

  /** The gateway's own answer in place of one from upstream; settles the exchange. */
  refuse(reason: unknown): Response {
    const error = refusalOf(reason);
    if (this.#headMs === null && isFailureOfUpstream(reason))
      this.#target?.failed(this, reason.message, true, Date.now());
    const aborted = reason instanceof UpstreamError && reason.kind === 'aborted' && reason.cause !== error;
    const clientLeft = this.request.signal.aborted || aborted;
    this.status = clientLeft ? CLIENT_CLOSED_STATUS : error.status;
    if (error.code === 'internal_error' && !clientLeft)
      this.options.log.error({ request_id: this.requestId, err: reason }, 'internal error');
    if (clientLeft) this.settle('client_closed', error, null);
    else this.settle('error', error, error.code);
    const { requestId, bodyWasRead } = this;
    return refusal(this.request, error, { requestId, bodyWasRead });
  }

  settle(finish: Finish, error: Error | null, errorCode: string | null): void {
    if (this.#settled) return;
    this.#settled = true;
    const { permits, streams, bodies, connections, observers } = this.options;
    bodies.release(this);
    bodies.free(this);
    if (this.#holdsPermit) permits.release(this.key?.id);
    if (this.#streamed) streams.release();
    this.#target?.end(this);
    connections.restoreIdleTimeout(this.request);
    const settled = this.#settledExchange(finish, error, errorCode);
    const tokens = settled.usage?.totalTokens;
    this.admission?.release(tokens ? { tokens } : null);
    for (const observer of observers) observer.settled(settled);
  }

  #settledExchange(finish: Finish, error: Error | null, errorCode: string | null): SettledExchange {
    const { meter } = this;
    const isWhole = meter !== null && (meter.usageIsFinal || (finish === 'complete' && meter.format.lastUsageIsFinal));
    const usage = meter?.close() ?? null;
    return {
      requestId: this.requestId,
      upstreamRequestId: this.#upstreamRequestId,
      key: this.key,
      method: this.request.method,
      endpoint: this.endpoint.path,
      model: this.model,
      status: this.status,
      streamed: this.streamed,
      startedAt: this.#startedAt,
      admittedAt: this.admission?.admittedAtMs ?? null,
      sentMs: this.#target === null ? null : this.#sentMs,
      headMs: this.#headMs,
      ttfbMs: this.#ttfbMs,
      lastByteMs: this.#lastByteMs,
      durationMs: this.elapsedMs,
      cancelMs: this.#cancelMs,
      bytesOut: this.#bytesOut,
      chunks: meter?.chunks ?? 0,
      finish,
      errorCode,
      error,
      target: this.#target?.name ?? null,
      attempts: this.#attempts,
      usage,
      usageSource: sourceOf(usage, isWhole),
      trace: this.trace,
    };
  }

  /** Whether the client gets an error of ours instead of this answer. */
  refuses(status: number, isJson: boolean): boolean {
    if (this.streamed) return false;
    if (status >= 500) return this.options.upstream5xx === 'error' || !isJson;
    return status === 401;
  }
}

function bodyKindOf(contentType: string, streamed: boolean): BodyKind {
  if (EVENT_STREAM.test(contentType)) return 'sse';
  if (isJsonType(contentType)) return 'json';
  return streamed && UNLABELLED.test(contentType) ? 'unlabelled' : 'none';
}

export function isJsonType(contentType: string): boolean {
  return JSON_TYPE.test(contentType);
}

/** There was no answer, and neither the client nor the gateway ended the request. */
function isFailureOfUpstream(reason: unknown): reason is Error {
  if (reason instanceof UpstreamError) return reason.kind !== 'aborted';
  return reason instanceof GatewayError && reason.code === 'upstream_timeout';
}

function sourceOf(usage: Usage | null, isWhole: boolean): UsageSource {
  if (usage === null) return 'none';
  return isWhole ? 'upstream' : 'partial';
}

/** The error code of an answer that broke off. */
function codeOf(error: Error | null): string {
  if (error instanceof TimedOut) return 'upstream_timeout';
  if (error instanceof ClientStalled || error instanceof GatewayError) return error.code;
  return BREAK_CODE;
}

function refusalOf(reason: unknown): GatewayError {
  if (reason instanceof GatewayError) return reason;
  // A streamed request body that we ended ourselves.
  if (reason instanceof UpstreamError && reason.cause instanceof GatewayError) return reason.cause;
  if (reason instanceof TimedOut)
    return new GatewayError('upstream_timeout', 'Upstream did not answer in time', { cause: reason });
  if (reason instanceof UpstreamError)
    return new GatewayError('upstream_error', reason.message, { cause: reason.cause ?? reason });
  return new GatewayError('internal_error', 'Internal error', { cause: reason });
}
