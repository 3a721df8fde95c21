/**
 * Values of one figure in bounded memory. Up to a bound all of them are kept; beyond it a uniform random sample. Count,
 * smallest, largest and mean are exact however many there were.
 */
import { type Distribution, distribution, randomFrom } from './statistics.ts';

/** 8 MB. The p99.9 of such a sample rests on a thousand values. */
const KEPT_MAX = 1_048_576;

export class Reservoir {
  count = 0;
  #values = new Float64Array(1024);
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #sum = 0;
  readonly #random = randomFrom(1);
  readonly #keptMax: number;

  constructor(keptMax = KEPT_MAX) {
    this.#keptMax = keptMax;
  }

  add(value: number): void {
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    this.#sum += value;
    const at = this.count++;
    if (at < this.#keptMax) {
      if (at === this.#values.length) this.#grow();
      this.#values[at] = value;
      return;
    }
    const kept = Math.floor(this.#random() * this.count);
    if (kept < this.#keptMax) this.#values[kept] = value;
  }

  clear(): void {
    this.count = 0;
    this.#sum = 0;
    this.#min = Number.POSITIVE_INFINITY;
    this.#max = Number.NEGATIVE_INFINITY;
  }

  /** A view of the kept values, in no particular order. */
  values(): Float64Array {
    return this.#values.subarray(0, Math.min(this.count, this.#keptMax));
  }

  distribution(): Distribution {
    const kept = distribution(this.values());
    if (this.count <= this.#keptMax) return kept;
    return { ...kept, count: this.count, min: this.#min, max: this.#max, mean: this.#sum / this.count };
  }

  #grow(): void {
    const grown = new Float64Array(Math.min(this.#values.length * 2, this.#keptMax));
    grown.set(this.#values);
    this.#values = grown;
  }
}
