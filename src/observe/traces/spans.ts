/**
 * The spans of a request that is over, by OpenTelemetry's conventions: HTTP for the request (SERVER), GenAI for the model call
 * under it (CLIENT), and under that one for each attempt. They hold ids, counts, codes and times: never a prompt, an answer
 * or a key.
 */
import {
  type Attributes,
  createTraceState,
  type HrTime,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
} from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { errorTypeOf } from '../metrics/error-type.ts';
import type { SettledExchange } from '../observer.ts';
import { operationOf, PROVIDER } from '../operation.ts';
import type { RequestTrace, TracedAttempt } from './request-trace.ts';

/** Which service made them, and the code that did. */
export interface SpanOrigin {
  readonly resource: Resource;
  readonly instrumentationScope: ReadableSpan['instrumentationScope'];
}

/** Attributes without those that are not known. */
type MaybeAttributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

interface SpanParts {
  readonly name: string;
  readonly kind: SpanKind;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  /** Milliseconds since the request's arrival. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: MaybeAttributes;
  readonly hasFailed: boolean;
}

/** Those of a request that is traced; the last is the request's own. */
export function spansOf(exchange: SettledExchange, trace: RequestTrace, origin: SpanOrigin): ReadableSpan[] {
  const make = (parts: SpanParts) => spanOf(parts, exchange.startedAt, trace, origin);
  const operation = operationOf(exchange);
  const isCall = operation !== null && trace.attempts.length > 0;
  const parentSpanId = isCall ? trace.callSpanId : trace.spanId;
  const spans = trace.attempts.map((attempt) => make({ ...attemptParts(attempt, exchange), parentSpanId }));
  if (isCall) spans.push(make(callParts(operation, exchange, trace)));
  spans.push(make(requestParts(exchange, trace)));
  return spans;
}

function requestParts(exchange: SettledExchange, trace: RequestTrace): SpanParts {
  const { method, endpoint, status, finish, errorCode, durationMs } = exchange;
  return {
    name: `${method} ${endpoint}`,
    kind: SpanKind.SERVER,
    spanId: trace.spanId,
    parentSpanId: trace.parent?.spanId ?? null,
    startMs: 0,
    endMs: durationMs,
    attributes: {
      'http.request.method': method,
      'http.route': endpoint,
      'http.response.status_code': status || null,
      'error.type': errorCode === null ? null : errorTypeOf(errorCode),
      'bve.request_id': exchange.requestId,
      'bve.key_id': exchange.key?.id,
      'bve.finish': finish,
      'bve.bytes_out': exchange.bytesOut,
    },
    // A request that the client got wrong is no error of the server (conventions for HTTP).
    hasFailed: status >= 500 || finish === 'upstream_interrupted' || (finish === 'error' && status < 400),
  };
}

function callParts(operation: string, exchange: SettledExchange, trace: RequestTrace): SpanParts {
  const { model, usage, errorCode, ttfbMs, streamed, durationMs } = exchange;
  const startMs = trace.attempts[0]!.startMs;
  return {
    name: model === null ? operation : `${operation} ${model}`,
    kind: SpanKind.CLIENT,
    spanId: trace.callSpanId,
    parentSpanId: trace.spanId,
    startMs,
    endMs: durationMs,
    attributes: {
      'gen_ai.operation.name': operation,
      'gen_ai.provider.name': PROVIDER,
      'gen_ai.request.model': model,
      'gen_ai.request.stream': streamed || null,
      'gen_ai.response.time_to_first_chunk': streamed && ttfbMs !== null ? (ttfbMs - startMs) / 1000 : null,
      'gen_ai.usage.input_tokens': usage?.promptTokens,
      'gen_ai.usage.output_tokens': usage?.completionTokens,
      'gen_ai.usage.cache_read.input_tokens': usage?.cachedTokens,
      'gen_ai.usage.reasoning.output_tokens': usage?.reasoningTokens,
      'error.type': errorCode === null ? null : errorTypeOf(errorCode),
      'bve.attempts': exchange.attempts,
      'bve.usage_source': exchange.usageSource,
      'bve.upstream_request_id': exchange.upstreamRequestId,
    },
    hasFailed: errorCode !== null,
  };
}

function attemptParts(attempt: TracedAttempt, exchange: SettledExchange): Omit<SpanParts, 'parentSpanId'> {
  const { target, count, outcome, endMs } = attempt;
  const isLast = endMs === null;
  const status = typeof outcome === 'number' ? outcome : null;
  const failure = isLast ? (exchange.errorCode === null ? null : errorTypeOf(exchange.errorCode)) : String(outcome);
  return {
    name: `attempt ${target}`,
    kind: SpanKind.CLIENT,
    spanId: attempt.spanId,
    startMs: attempt.startMs,
    endMs: endMs ?? exchange.durationMs,
    attributes: {
      'http.request.method': exchange.method,
      'http.request.resend_count': count > 1 ? count - 1 : null,
      'http.response.status_code': status,
      'error.type': failure,
      'bve.target': target,
      'bve.outcome': outcomeOf(attempt, exchange),
    },
    hasFailed: failure !== null,
  };
}

/** In the words of the metric bve_upstream_attempts_total, but for a stream that began with an error. */
function outcomeOf({ outcome }: TracedAttempt, { finish }: SettledExchange): string {
  if (typeof outcome === 'number') return outcome >= 500 ? 'server_error' : outcome >= 400 ? 'client_error' : 'ok';
  if (outcome === null) return finish === 'client_closed' ? 'cancelled' : 'no_answer';
  return outcome === 'error_event' ? outcome : 'no_answer';
}

function spanOf(parts: SpanParts, startedAt: number, trace: RequestTrace, origin: SpanOrigin): ReadableSpan {
  const { traceId, parent, tracestate } = trace;
  const { name, kind, spanId, parentSpanId, startMs, endMs } = parts;
  const state = tracestate === null ? {} : { traceState: createTraceState(tracestate) };
  const context = (id: string) => ({ traceId, spanId: id, traceFlags: TraceFlags.SAMPLED, ...state });
  const isRemote = parentSpanId !== null && parentSpanId === parent?.spanId;
  return {
    name,
    kind,
    spanContext: () => context(spanId),
    ...(parentSpanId === null ? {} : { parentSpanContext: { ...context(parentSpanId), isRemote } }),
    startTime: hrTime(startedAt + startMs),
    endTime: hrTime(startedAt + Math.max(startMs, endMs)),
    duration: hrTime(Math.max(0, endMs - startMs)),
    status: { code: parts.hasFailed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes: known(parts.attributes),
    links: [],
    events: [],
    ended: true,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
    ...origin,
  };
}

function known(attributes: MaybeAttributes): Attributes {
  const all: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== undefined) all[name] = value;
  return all;
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.floor((ms - seconds * 1000) * 1e6)];
}
