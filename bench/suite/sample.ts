/**
 * Values of which there may be millions: all of them up to a bound, beyond it an even random choice (reservoir, seeded), so that
 * memory stays bounded and quantiles stay honest. Count, sum and extremes are always exact.
 */
import { type Distribution, distribution, quantile, randomFrom } from '../../src/load/statistics.ts';

export class Sample {
  readonly #values: Float64Array;
  readonly #random = randomFrom(1);
  #count = 0;
  #sum = 0;
  #max = Number.NEGATIVE_INFINITY;
  #min = Number.POSITIVE_INFINITY;

  constructor(capacity = 50_000) {
    this.#values = new Float64Array(capacity);
  }

  add(value: number): void {
    const capacity = this.#values.length;
    const at = this.#count < capacity ? this.#count : Math.floor(this.#random() * (this.#count + 1));
    if (at < capacity) this.#values[at] = value;
    this.#count++;
    this.#sum += value;
    if (value > this.#max) this.#max = value;
    if (value < this.#min) this.#min = value;
  }

  distribution(): Distribution {
    const kept = distribution(this.#kept());
    if (this.#count === 0) return kept;
    return { ...kept, count: this.#count, min: this.#min, max: this.#max, mean: this.#sum / this.#count };
  }

  /** That many evenly spaced quantiles, or all values when there are fewer: the shape, for a plot. */
  shape(points: number): number[] {
    const sorted = this.#kept().slice().sort();
    if (sorted.length <= points) return [...sorted];
    return Array.from({ length: points }, (_, i) => quantile(sorted, (i + 1) / points));
  }

  #kept(): Float64Array {
    return this.#values.subarray(0, Math.min(this.#count, this.#values.length));
  }
}
