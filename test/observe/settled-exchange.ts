/** A settled exchange for tests of observers: a whole stream, but for what a test says. */
import type { SettledExchange } from '../../src/observe/observer.ts';

export function settledExchange(parts: Partial<SettledExchange> = {}): SettledExchange {
  return {
    requestId: 'r',
    upstreamRequestId: null,
    key: null,
    method: 'POST',
    endpoint: '/v1/messages',
    model: null,
    status: 200,
    streamed: true,
    startedAt: 1,
    admittedAt: null,
    sentMs: 1.5,
    headMs: null,
    ttfbMs: 2.4,
    lastByteMs: 3.5,
    durationMs: 3.6,
    cancelMs: null,
    bytesOut: 4,
    chunks: 1,
    finish: 'complete',
    errorCode: null,
    error: null,
    target: 'fuelix',
    attempts: 1,
    usage: null,
    usageSource: 'none',
    trace: null,
    ...parts,
  };
}
