/** Makes a usage record of each request of a valid key. */
import type { ExchangeObserver, SettledExchange } from '../observe/observer.ts';
import { newRecordId, type UsageRecord } from './usage-record.ts';

/** Takes a record off the request path: synchronous, never throws, never blocks. */
interface UsageRecorder {
  record(record: UsageRecord): void;
}

export class UsageObserver implements ExchangeObserver {
  readonly #recorder: UsageRecorder;

  constructor(recorder: UsageRecorder) {
    this.#recorder = recorder;
  }

  settled(exchange: SettledExchange): void {
    const { key, usage } = exchange;
    // Without a valid key there is nobody to account to, and a flood of bad keys must not fill the database.
    if (key === null) return;
    this.#recorder.record({
      id: newRecordId(),
      requestId: exchange.requestId,
      upstreamRequestId: exchange.upstreamRequestId,
      keyId: key.id,
      endpoint: exchange.endpoint,
      model: exchange.model,
      status: exchange.status,
      streamed: exchange.streamed,
      startedAt: exchange.startedAt,
      admittedAt: exchange.admittedAt,
      sentMs: wholeMs(exchange.sentMs),
      headMs: wholeMs(exchange.headMs),
      ttfbMs: wholeMs(exchange.ttfbMs),
      durationMs: Math.round(exchange.durationMs),
      cancelMs: wholeMs(exchange.cancelMs),
      bytesOut: exchange.bytesOut,
      finish: exchange.finish,
      errorCode: exchange.errorCode,
      target: exchange.target,
      attempts: exchange.attempts,
      promptTokens: usage?.promptTokens ?? null,
      cachedTokens: usage?.cachedTokens ?? null,
      completionTokens: usage?.completionTokens ?? null,
      reasoningTokens: usage?.reasoningTokens ?? null,
      totalTokens: usage?.totalTokens ?? null,
      usageSource: exchange.usageSource,
    });
  }
}

function wholeMs(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
