/**
 * What a client of the soak saw of one request. The ledger (ledger.ts) holds it against the usage record.
 *
 * All times are milliseconds since 1970, with fractions, on this machine's clock: also those of usage records.
 */
import type { Saw } from './explanation.ts';
import type { PlannedRequest } from './planned-request.ts';

export interface ClientOutcome {
  readonly requestId: string;
  readonly plan: PlannedRequest;
  /** Undefined: a key that never was. */
  readonly keyId: string | undefined;
  /** Which secret of the key it had. */
  readonly secret: number;
  readonly sentMs: number;
  /** When the head of the answer came; null: never. */
  readonly headMs: number | null;
  readonly endMs: number;
  readonly saw: Saw;
  readonly status: number;
  /** Code and message of a JSON error. */
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  /** Of the body, without the gateway's error event. */
  readonly bodyBytes: number;
  /** Bytes, order or headers are not as they must be. */
  readonly complaint: string | null;
  /** Which version of its target's key upstream got, where that can be seen (config-file.ts). */
  readonly upstreamKey: number | null;
  /** The request before it on the same connection; null: it was the first. */
  readonly behind: string | null;
}

export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
