/**
 * One request from its arrival to its usage record. Owns that it settles exactly once: one record, one permit and one
 * admission released, tokens charged once, one log line, whatever ended it.
 */
import { GatewayError } from '../errors.ts';
import { interruptionEvent } from '../formats/interruption.ts';
import type { UsageEventFilter } from '../formats/usage-event-filter.ts';
import type { Permits } from '../http/permits.ts';
import { refusal } from '../http/refusal.ts';
import { clientRequestId } from '../http/request-id.ts';
import type { ApiKey } from '../keys/key.ts';
import type { Granted, Limiter } from '../limits/limiter.ts';
import type { Log } from '../observe/log.ts';
import { type ResponseHeaders, UpstreamError } from '../upstream/client.ts';
import { type Finish, newRecordId, type UsageRecord, type UsageSource } from '../usage/usage-record.ts';
import type { Endpoint } from './endpoints.ts';
import { clientHeaders } from './headers.ts';
import { Meter, type Usage } from './meter.ts';
import { type Acceptance, type RelayOwner, TimedOut } from './relay.ts';

/** Takes a record off the request path: synchronous, never throws, never blocks. */
export interface UsageRecorder {
  record(record: UsageRecord): void;
}

/**
 * Bun closes a connection on which nothing moves. While an answer is awaited or streamed that is not for it to judge:
 * the relay has deadlines of its own. The lift outlives the request, so it must be taken back.
 */
export interface ClientConnections {
  allowQuiet(request: Request): void;
  boundQuiet(request: Request): void;
}

/** Of the gateway: what an exchange takes its place in, and tells of its end. */
export interface ExchangeSurroundings {
  readonly permits: Permits;
  readonly connections: ClientConnections;
  readonly limiter: Pick<Limiter, 'charge'>;
  readonly recorder: UsageRecorder;
  readonly log: Log;
}

/** nginx's status for a client that left before it was answered; it is recorded and never sent. */
const CLIENT_CLOSED_STATUS = 499;

export class Exchange implements RelayOwner {
  /** The one the client chose, if it has the allowed form: it goes upstream. */
  readonly clientRequestId: string | null;
  readonly requestId: string;
  readonly arrivedAtMs = performance.now();
  private readonly startedAt = Date.now();
  key: ApiKey | null = null;
  /** The limits' leave to go on, once it is given. */
  admission: Granted | null = null;
  /** Short, see model-name.ts. */
  model: string | null = null;
  streamed = false;
  meter: Meter | null = null;
  status = 0;
  bodyWasRead = false;
  /** Set when upstream was asked for a usage event on the client's behalf. */
  usageFilter: UsageEventFilter | null = null;
  private ttfbMs: number | null = null;
  private holdsPermit = false;
  private settled = false;

  constructor(
    readonly request: Request,
    readonly endpoint: Endpoint,
    private readonly surroundings: ExchangeSurroundings,
  ) {
    this.clientRequestId = clientRequestId(request.headers);
    this.requestId = this.clientRequestId ?? crypto.randomUUID();
  }

  get elapsedMs(): number {
    return performance.now() - this.arrivedAtMs;
  }

  /** @throws GatewayError overloaded */
  takePermit(): void {
    this.surroundings.permits.take();
    this.holdsPermit = true;
  }

  /** Of upstream's body, less what was taken out of it. */
  private get bytesOut(): number {
    return (this.meter?.bytes ?? 0) - (this.usageFilter?.removedBytes ?? 0);
  }

  /** @throws GatewayError upstream_error for an answer that is not to be passed on */
  accept(status: number, upstream: ResponseHeaders): Acceptance {
    const { format } = this.endpoint;
    // Fetch takes 1xx for itself; what is beyond 599 is no HTTP status and could not be sent on.
    if (status < 200 || status > 599 || (!this.streamed && status >= 500)) {
      throw new GatewayError('upstream_error', `Upstream answered with status ${status}`);
    }
    const contentType = upstream.get('content-type') ?? '';
    const isEventStream = /^\s*text\/event-stream\b/i.test(contentType);
    const isJson = /^[^;]*\bjson\b/i.test(contentType);
    const meter = new Meter(format, isEventStream ? 'sse' : isJson ? 'json' : 'none');
    this.meter = meter;
    this.status = status;
    const headers = clientHeaders(upstream, this.elapsedMs);
    if (!this.streamed && !headers.get('x-request-id')) headers.set('x-request-id', this.requestId);
    return {
      status,
      headers,
      meter,
      filter: isEventStream ? this.usageFilter : null,
      interruption: isEventStream ? interruptionEvent(format) : null,
      endsByTerminalEvent:
        isEventStream && upstream.get('transfer-encoding') === null && upstream.get('content-length') === null,
    };
  }

  onFirstByte(): void {
    this.ttfbMs = this.elapsedMs;
  }

  onSettled(finish: Finish, error: UpstreamError | null): void {
    this.settle(finish === 'complete' && this.status >= 400 ? 'error' : finish, error);
  }

  /** The gateway's own answer in place of one from upstream; settles the exchange. */
  refuse(reason: unknown): Response {
    const clientLeft = this.request.signal.aborted || (reason instanceof UpstreamError && reason.kind === 'aborted');
    const error = refusalOf(reason);
    this.status = clientLeft ? CLIENT_CLOSED_STATUS : error.status;
    if (error.code === 'internal_error' && !clientLeft)
      this.surroundings.log.error({ request_id: this.requestId, err: reason }, 'internal error');
    this.settle(clientLeft ? 'client_closed' : 'error', error);
    const { requestId, bodyWasRead } = this;
    return refusal(this.request, error, { requestId, bodyWasRead });
  }

  settle(finish: Finish, error: Error | null): void {
    if (this.settled) return;
    this.settled = true;
    const { permits, connections, recorder } = this.surroundings;
    if (this.holdsPermit) permits.release();
    connections.boundQuiet(this.request);
    const isFinal = this.meter?.sawFinalUsage === true;
    const usage = this.meter?.close() ?? null;
    this.leaveLimits(usage);
    const record = this.recordOf(finish, usage, sourceOf(usage, isFinal, finish));
    // Without a valid key there is nobody to account to, and a flood of bad keys must not fill the database.
    if (record) recorder.record(record);
    this.logLine(finish, error);
  }

  private leaveLimits(usage: Usage | null): void {
    if (!this.key || !this.admission) return;
    if (usage?.totalTokens)
      this.surroundings.limiter.charge(this.key.id, usage.totalTokens, this.admission.admittedAtMs);
    this.admission.release();
  }

  private recordOf(finish: Finish, usage: Usage | null, usageSource: UsageSource): UsageRecord | null {
    if (!this.key) return null;
    return {
      id: newRecordId(),
      requestId: this.requestId,
      upstreamRequestId: null,
      keyId: this.key.id,
      endpoint: this.endpoint.path,
      model: this.model,
      status: this.status,
      streamed: this.streamed,
      startedAt: this.startedAt,
      admittedAt: this.admission?.admittedAtMs ?? null,
      sentMs: null,
      headMs: null,
      ttfbMs: this.ttfbMs,
      durationMs: this.elapsedMs,
      cancelMs: null,
      bytesOut: this.bytesOut,
      finish,
      errorCode: null,
      target: 'fuelix',
      attempts: 1,
      promptTokens: usage?.promptTokens ?? null,
      cachedTokens: null,
      completionTokens: usage?.completionTokens ?? null,
      reasoningTokens: null,
      totalTokens: usage?.totalTokens ?? null,
      usageSource,
    };
  }

  private logLine(finish: Finish, error: Error | null): void {
    const level = finish === 'upstream_interrupted' || this.status >= 500 ? 'warn' : 'info';
    const { log } = this.surroundings;
    if (!log.isLevelEnabled(level)) return;
    log[level](
      {
        request_id: this.requestId,
        key_id: this.key?.id,
        method: this.request.method,
        endpoint: this.endpoint.path,
        model: this.model ?? undefined,
        status: this.status,
        streamed: this.streamed,
        finish,
        duration_ms: Math.round(this.elapsedMs),
        ttfb_ms: this.ttfbMs === null ? undefined : Math.round(this.ttfbMs),
        bytes_out: this.bytesOut,
        ...(error ? { reason: error.message, cause: causeOf(error) } : {}),
      },
      'request',
    );
  }
}

function sourceOf(usage: Usage | null, isFinal: boolean, finish: Finish): UsageSource {
  if (usage === null) return 'none';
  return !isFinal || finish === 'client_closed' || finish === 'upstream_interrupted' ? 'partial' : 'upstream';
}

function refusalOf(reason: unknown): GatewayError {
  if (reason instanceof GatewayError) return reason;
  if (reason instanceof TimedOut)
    return new GatewayError('upstream_timeout', 'Upstream did not answer in time', { cause: reason });
  if (reason instanceof UpstreamError)
    return new GatewayError('upstream_error', reason.message, { cause: reason.cause ?? reason });
  return new GatewayError('internal_error', 'Internal error', { cause: reason });
}

/** The code of the underlying error (ECONNREFUSED …), which names no host, key or text. */
function causeOf(error: Error): string | undefined {
  const cause = error.cause as { code?: unknown; name?: unknown } | undefined;
  const code = cause?.code ?? cause?.name;
  return code === undefined ? undefined : String(code);
}
