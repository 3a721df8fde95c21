/**
 * Statistics of measurements: distributions, medians, paired ratios and their confidence intervals.
 * Pure and deterministic: the bootstrap uses a seeded generator, so the same data gives the same interval.
 */

export interface Distribution {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly mean: number;
}

/** One measurement of each side, made close together in time: [reference, candidate]. */
export type Pair = readonly [reference: number, candidate: number];

export interface Interval {
  /** The median of candidate / reference. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

interface BootstrapOptions {
  readonly seed?: number;
  readonly resamples?: number;
  /** 0 to 1. Default 0.95. */
  readonly confidence?: number;
}

/** All zeros for no values. Does not change the values. */
export function distribution(values: Float64Array | readonly number[]): Distribution {
  const sorted = Float64Array.from(values).sort();
  const count = sorted.length;
  if (count === 0) return { count, min: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0, mean: 0 };
  let sum = 0;
  for (const value of sorted) sum += value;
  return {
    count,
    min: sorted[0]!,
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    p999: quantile(sorted, 0.999),
    max: sorted[count - 1]!,
    mean: sum / count,
  };
}

/** Nearest rank: always a measured value. `sorted` ascends and is not empty. */
export function quantile(sorted: Float64Array | readonly number[], share: number): number {
  const rank = Math.ceil(share * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1]!;
}

/** Evenly spaced quantiles, or all values when there are fewer: the shape of a distribution, for a plot. */
export function evenQuantiles(sorted: Float64Array | readonly number[], count: number): number[] {
  if (sorted.length <= count) return [...sorted];
  return Array.from({ length: count }, (_, i) => quantile(sorted, (i + 1) / count));
}

/** The middle one, or the mean of the middle two; NaN for no values. */
export function median(values: Float64Array | readonly number[]): number {
  return middle(Float64Array.from(values).sort());
}

/** The median of candidate / reference over all pairs. What affects both sides of a pair (a busy machine) cancels out. */
export function pairedRatio(pairs: readonly Pair[]): number {
  return median(ratiosOf(pairs));
}

/** The median of candidate − reference over all pairs. */
export function pairedDifference(pairs: readonly Pair[]): number {
  return median(pairs.map(([reference, candidate]) => candidate - reference));
}

/** Percentile bootstrap of the paired ratio. With fewer than about six pairs it is too narrow. */
export function bootstrapInterval(pairs: readonly Pair[], options: BootstrapOptions = {}): Interval {
  const { seed = 1, resamples = 2000, confidence = 0.95 } = options;
  const ratios = ratiosOf(pairs);
  const ratio = median(ratios);
  if (ratios.length === 0) return { ratio, low: ratio, high: ratio };
  const random = randomFrom(seed);
  const medians = new Float64Array(resamples);
  const drawn = new Float64Array(ratios.length);
  for (let sample = 0; sample < resamples; sample++) {
    for (let i = 0; i < drawn.length; i++) drawn[i] = ratios[Math.floor(random() * ratios.length)]!;
    medians[sample] = middle(drawn.sort());
  }
  medians.sort();
  const tail = (1 - confidence) / 2;
  return { ratio, low: quantile(medians, tail), high: quantile(medians, 1 - tail) };
}

/** Pseudo-random numbers from 0 to 1 (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Without pairs whose reference is zero. */
function ratiosOf(pairs: readonly Pair[]): number[] {
  return pairs.filter(([reference]) => reference !== 0).map(([reference, candidate]) => candidate / reference);
}

function middle(sorted: Float64Array): number {
  const half = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}
