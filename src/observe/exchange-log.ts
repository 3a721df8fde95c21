/** One log line for each request, or for a share of them (LOG_SAMPLE); those that failed always have one. */
import { GatewayError } from '../errors.ts';
import type { Log } from './log.ts';
import type { ExchangeObserver, SettledExchange } from './observer.ts';

export class ExchangeLog implements ExchangeObserver {
  readonly #log: Log;
  readonly #sample: number;
  /** Grows by the share with each request; a whole one is a line. */
  #credit = 0;

  /** @param sample from 0 to 1 */
  constructor(log: Log, sample = 1) {
    this.#log = log;
    this.#sample = sample;
  }

  settled(exchange: SettledExchange): void {
    const { status, finish, errorCode, error, ttfbMs, cancelMs } = exchange;
    const isTrouble = status >= 500 || finish === 'upstream_interrupted' || (finish === 'error' && status < 400);
    const level = isTrouble ? 'warn' : 'info';
    if (!this.#log.isLevelEnabled(level)) return;
    const hasFailed = isTrouble || errorCode !== null || finish === 'error';
    if (!hasFailed && !this.#isSampled()) return;
    this.#log[level](
      {
        request_id: exchange.requestId,
        upstream_request_id: exchange.upstreamRequestId ?? undefined,
        trace_id: exchange.trace?.traceId,
        span_id: exchange.trace?.spanId,
        key_id: exchange.key?.id,
        method: exchange.method,
        endpoint: exchange.endpoint,
        model: exchange.model ?? undefined,
        target: exchange.target ?? undefined,
        attempts: exchange.attempts || undefined,
        status,
        streamed: exchange.streamed,
        finish,
        duration_ms: Math.round(exchange.durationMs),
        ttfb_ms: ttfbMs === null ? undefined : Math.round(ttfbMs),
        cancel_ms: cancelMs === null ? undefined : Math.round(cancelMs),
        bytes_out: exchange.bytesOut,
        error_code: errorCode ?? undefined,
        ...(error ? { reason: reasonOf(error), cause: causeOf(error) } : {}),
      },
      'request',
    );
  }

  /** Evenly spread, so that the share is exact; a hair is added, because ten times 0.1 is a little less than one. */
  #isSampled(): boolean {
    this.#credit += this.#sample;
    if (this.#credit < 1 - 1e-9) return false;
    this.#credit -= 1;
    return true;
  }
}

/** In the gateway's own words. */
function reasonOf(error: Error): string {
  return error instanceof GatewayError ? error.ownMessage : error.message;
}

/** The code of the underlying error (ECONNREFUSED …), which names no host, key or text. */
function causeOf(error: Error): string | undefined {
  const cause = error.cause as { code?: unknown; name?: unknown } | undefined;
  const code = cause?.code ?? cause?.name;
  return code === undefined ? undefined : String(code);
}
