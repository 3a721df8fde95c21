import { describe, expect, test } from 'bun:test';
import { Reservoir } from '../../src/load/reservoir.ts';
import {
  bootstrapInterval,
  distribution,
  evenQuantiles,
  median,
  type Pair,
  pairedDifference,
  pairedRatio,
  randomFrom,
} from '../../src/load/statistics.ts';

describe('distribution', () => {
  test('takes nearest ranks of the sorted values and leaves the given ones alone', () => {
    const values = Array.from({ length: 1000 }, (_, i) => 1000 - i);
    expect(distribution(values)).toEqual({
      count: 1000,
      min: 1,
      p50: 500,
      p90: 900,
      p99: 990,
      p999: 999,
      max: 1000,
      mean: 500.5,
    });
    expect(values[0]).toBe(1000);
  });

  test('sorts numbers as numbers, of one and of none', () => {
    expect(distribution(Float64Array.of(10, 9, 100)).p50).toBe(10);
    expect(distribution([7])).toEqual({ count: 1, min: 7, p50: 7, p90: 7, p99: 7, p999: 7, max: 7, mean: 7 });
    expect(distribution([]).count).toBe(0);
  });
});

test('medians and paired figures', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(median([])).toBeNaN();
  const pairs: Pair[] = [
    [10, 11],
    [100, 120],
    [1, 1.3],
  ];
  expect(pairedRatio(pairs)).toBeCloseTo(1.2);
  expect(pairedDifference(pairs)).toBeCloseTo(1);
});

describe('bootstrap interval', () => {
  test('is the same for the same seed, and holds the ratio', () => {
    const pairs = noisyPairs(20, 1.1, randomFrom(7));
    const interval = bootstrapInterval(pairs, { seed: 3 });
    expect(bootstrapInterval(pairs, { seed: 3 })).toEqual(interval);
    expect(interval.low).toBeLessThanOrEqual(interval.ratio);
    expect(interval.high).toBeGreaterThanOrEqual(interval.ratio);
  });

  test('holds the true ratio about as often as it says', () => {
    const random = randomFrom(11);
    const runs = 300;
    let held = 0;
    for (let run = 0; run < runs; run++) {
      const { low, high } = bootstrapInterval(noisyPairs(15, 1.1, random), { seed: run, resamples: 400 });
      if (low <= 1.1 && high >= 1.1) held++;
    }
    expect(held / runs).toBeGreaterThan(0.9);
    // One that always holds it would say nothing.
    expect(held / runs).toBeLessThan(1);
  });

  test('tells a difference of 10% from none', () => {
    const random = randomFrom(5);
    expect(bootstrapInterval(noisyPairs(30, 1.1, random)).low).toBeGreaterThan(1);
    const none = bootstrapInterval(noisyPairs(30, 1, random));
    expect(none.low).toBeLessThan(1);
    expect(none.high).toBeGreaterThan(1);
  });
});

test('a sample keeps extremes and mean exactly and quantiles closely, in bounded memory', () => {
  const sample = new Reservoir(1000);
  for (let i = 1; i <= 100_000; i++) sample.add(i);
  const { count, min, max, mean, p50 } = sample.distribution();
  expect({ count, min, max, mean }).toEqual({ count: 100_000, min: 1, max: 100_000, mean: 50_000.5 });
  expect(Math.abs(p50 - 50_000)).toBeLessThan(5000);
  expect(sample.values()).toHaveLength(1000);
  expect(evenQuantiles(sample.values().toSorted(), 50)).toHaveLength(50);
  expect(new Reservoir().distribution().count).toBe(0);
});

/** What both of a pair share (a slow machine) is large; what is their own is a few percent. */
function noisyPairs(count: number, ratio: number, random: () => number): Pair[] {
  return Array.from({ length: count }, () => {
    const shared = 50 + 100 * random();
    const own = () => 1 + 0.08 * (random() - 0.5);
    return [shared * own(), shared * ratio * own()] as const;
  });
}
