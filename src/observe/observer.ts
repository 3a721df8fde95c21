/** What is known of a request once it is over, and the interface of those that are told of it. */
import type { Usage } from '../formats/usage-counts.ts';
import type { ApiKey } from '../keys/key.ts';
import type { Finish, UsageSource } from '../usage/usage-record.ts';
import type { RequestTrace } from './traces/request-trace.ts';

/** What is known of a request that is over: counts, times and codes, no text of anybody. */
export interface SettledExchange {
  readonly requestId: string;
  /** What upstream called it, if it said so. */
  readonly upstreamRequestId: string | null;
  /** Null without a valid one. */
  readonly key: ApiKey | null;
  readonly method: string;
  /** The route's pattern. */
  readonly endpoint: string;
  readonly model: string | null;
  /** What the client was answered with. */
  readonly status: number;
  readonly streamed: boolean;
  /** Milliseconds since 1970, like `admittedAt`. */
  readonly startedAt: number;
  /** Null when the request was refused by the limits, or before. */
  readonly admittedAt: number | null;
  /** Milliseconds since `startedAt`, like those below; null for what did not happen. */
  readonly sentMs: number | null;
  readonly headMs: number | null;
  readonly ttfbMs: number | null;
  /** When upstream ended the answer. */
  readonly lastByteMs: number | null;
  readonly durationMs: number;
  /** From the client's leaving until upstream was cancelled. */
  readonly cancelMs: number | null;
  readonly bytesOut: number;
  /** How many pieces the answer came in from upstream. */
  readonly chunks: number;
  readonly finish: Finish;
  readonly errorCode: string | null;
  /** Why it was not `complete`. */
  readonly error: Error | null;
  readonly target: string | null;
  readonly attempts: number;
  readonly usage: Usage | null;
  readonly usageSource: UsageSource;
  /** Null without traces. */
  readonly trace: RequestTrace | null;
}

export interface ExchangeObserver {
  /** Once per request: synchronous, never throws, never blocks. */
  settled(exchange: SettledExchange): void;
}
