/**
 * What the last ten seconds were like: rates, percentiles of the time to the first byte, errors by code.
 *
 * Guarantees: constant memory, about 70 kB, and constant work per request: one slot of counters, no sample is kept.
 */
import type { ExchangeObserver, SettledExchange } from './observer.ts';

interface LiveTotals {
  readonly requestsPerS: number;
  readonly tokensPerS: number;
  /** Milliseconds, exact to 3%; null when no answer had a first byte. */
  readonly ttfbMs: { readonly p50: number | null; readonly p95: number | null; readonly p99: number | null };
  readonly errors: Readonly<Record<string, number>>;
}

/** Counts of one process over the window. */
export interface LivePart {
  readonly requests: number;
  readonly tokens: number;
  /** Of the buckets that are not empty: number and count. */
  readonly ttfb: readonly (readonly [bucket: number, count: number])[];
  readonly errors: Readonly<Record<string, number>>;
}

interface Clock {
  now(): number;
}

const WINDOW_S = 10;
const SLOT_MS = 250;
const SLOTS = (WINDOW_S * 1000) / SLOT_MS;
/** Sixteen buckets for each doubling, from a tenth of a millisecond to two hours. */
const BUCKETS_PER_OCTAVE = 16;
const TTFB_MIN_MS = 0.1;
const BUCKETS = 26 * BUCKETS_PER_OCTAVE;
/** Upstream's own codes are among them: beyond so many in a slot they are counted as one. */
const CODES_MAX = 40;
const OTHER_CODES = 'other';

class Slot {
  /** Which quarter of a second it counts. */
  number = -1;
  requests = 0;
  tokens = 0;
  readonly ttfb = new Uint32Array(BUCKETS);
  readonly errors = new Map<string, number>();

  restart(number: number): void {
    this.number = number;
    this.requests = 0;
    this.tokens = 0;
    this.ttfb.fill(0);
    this.errors.clear();
  }
}

export class LiveWindow implements ExchangeObserver {
  readonly #slots = Array.from({ length: SLOTS }, () => new Slot());
  readonly #clock: Clock;

  constructor(clock: Clock = performance) {
    this.#clock = clock;
  }

  settled({ usage, ttfbMs, errorCode }: SettledExchange): void {
    const number = this.#slotNumber();
    const slot = this.#slots[number % SLOTS]!;
    if (slot.number !== number) slot.restart(number);
    slot.requests++;
    if (usage !== null) slot.tokens += usage.totalTokens ?? 0;
    if (ttfbMs !== null) slot.ttfb[bucketOf(ttfbMs)]!++;
    if (errorCode === null) return;
    const code = slot.errors.size < CODES_MAX || slot.errors.has(errorCode) ? errorCode : OTHER_CODES;
    slot.errors.set(code, (slot.errors.get(code) ?? 0) + 1);
  }

  totals(): LiveTotals {
    return totalsOf([this.part()]);
  }

  /** What this process has of the totals: those of several can be added up. */
  part(): LivePart {
    const oldest = this.#slotNumber() - SLOTS + 1;
    const ttfb = new Uint32Array(BUCKETS);
    // No prototype: a code may have any name.
    const errors: Record<string, number> = Object.create(null);
    let requests = 0;
    let tokens = 0;
    for (const slot of this.#slots) {
      if (slot.number < oldest) continue;
      requests += slot.requests;
      tokens += slot.tokens;
      for (let i = 0; i < BUCKETS; i++) ttfb[i]! += slot.ttfb[i]!;
      for (const [code, count] of slot.errors) errors[code] = (errors[code] ?? 0) + count;
    }
    return { requests, tokens, ttfb: pairsOf(ttfb), errors };
  }

  #slotNumber(): number {
    return Math.floor(this.#clock.now() / SLOT_MS);
  }
}

export function totalsOf(parts: readonly LivePart[]): LiveTotals {
  const ttfb = new Uint32Array(BUCKETS);
  // No prototype: a code may have any name.
  const errors: Record<string, number> = Object.create(null);
  let requests = 0;
  let tokens = 0;
  for (const part of parts) {
    requests += part.requests;
    tokens += part.tokens;
    for (const [bucket, count] of part.ttfb) ttfb[bucket]! += count;
    for (const [code, count] of Object.entries(part.errors)) errors[code] = (errors[code] ?? 0) + count;
  }
  return {
    requestsPerS: requests / WINDOW_S,
    tokensPerS: tokens / WINDOW_S,
    ttfbMs: { p50: percentile(ttfb, 0.5), p95: percentile(ttfb, 0.95), p99: percentile(ttfb, 0.99) },
    errors,
  };
}

function pairsOf(buckets: Uint32Array): LivePart['ttfb'] {
  const pairs: [number, number][] = [];
  for (let i = 0; i < BUCKETS; i++) if (buckets[i]! > 0) pairs.push([i, buckets[i]!]);
  return pairs;
}

function bucketOf(ms: number): number {
  if (ms <= TTFB_MIN_MS) return 0;
  return Math.min(BUCKETS - 1, Math.floor(Math.log2(ms / TTFB_MIN_MS) * BUCKETS_PER_OCTAVE));
}

/** The middle of the bucket that the percentile falls into. */
function percentile(buckets: Uint32Array, share: number): number | null {
  let total = 0;
  for (const count of buckets) total += count;
  if (total === 0) return null;
  let left = Math.ceil(total * share);
  let bucket = 0;
  while (left > buckets[bucket]!) left -= buckets[bucket++]!;
  const ms = TTFB_MIN_MS * 2 ** ((bucket + 0.5) / BUCKETS_PER_OCTAVE);
  return Math.round(ms * 100) / 100;
}
