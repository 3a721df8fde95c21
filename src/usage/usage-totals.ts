/** What keys used by UTC day and month. Only admitted requests count: what the limits or the gateway refused is no use. */

export interface UsageTotals {
  readonly keyId: string;
  readonly requests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly totalTokens: number;
  /** When the last of these requests ended, milliseconds since 1970. */
  readonly updatedAt: number;
}

export interface UsageDay extends UsageTotals {
  /** Days since 1970, UTC. */
  readonly day: number;
}

export interface UsageMonth extends UsageTotals {
  /** Months since January 1970, UTC. */
  readonly month: number;
}

/** Rows by day or month, newest first. */
export interface TotalsQuery {
  /** All keys without it. */
  readonly keyId?: string;
  /** The first and the last period, both included. */
  readonly first: number;
  readonly last: number;
  readonly limit: number;
}
