/**
 * Counters, gauges and histograms as plain objects. Whoever counts finds the object of its labels once and keeps it; counting
 * is then an addition.
 *
 * Guarantees: at most `LINES_MAX` lines of values in all, whatever labels come: what is beyond is counted into an object that
 * nobody sees.
 */

type MetricKind = 'counter' | 'gauge' | 'histogram';
type Labels = readonly (string | number)[];

interface FamilyOptions {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** What a process has counted, as it can be sent to another one. */
export interface FamilySnapshot {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly labels: readonly string[];
  /** Of a histogram: the upper bounds, without the last, which is infinite. */
  readonly bounds: readonly number[];
  /** How the values of several processes become one. */
  readonly merge: 'sum' | 'max';
  readonly series: readonly SeriesSnapshot[];
}

export interface SeriesSnapshot {
  readonly labels: readonly string[];
  /** One number; of a histogram the count of each bucket, then the sum of what was observed. */
  readonly values: readonly number[];
}

export const LINES_MAX = 10_000;

export class Amount {
  value = 0;
}

export class Histogram {
  /** By bucket, not cumulative; the last is for what is above all bounds. */
  readonly counts: Float64Array;
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let index = 0;
    while (index < bounds.length && value > bounds[index]!) index++;
    this.counts[index]!++;
    this.sum += value;
  }
}

/** One metric with a series for each combination of its labels' values. */
class Family<S> {
  readonly #series = new Map<string, { readonly labels: readonly string[]; readonly series: S }>();
  readonly #makeSeries: () => S;
  readonly #hasRoom: () => boolean;
  /** Takes what has no room. */
  readonly #overflow: S;

  constructor(makeSeries: () => S, hasRoom: () => boolean) {
    this.#makeSeries = makeSeries;
    this.#hasRoom = hasRoom;
    this.#overflow = makeSeries();
  }

  /** The series with these values, in the order of the labels; made on first use. */
  at(...values: Labels): S {
    const key = values.join('\0');
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    if (!this.#hasRoom()) return this.#overflow;
    const series = this.#makeSeries();
    this.#series.set(key, { labels: values.map(String), series });
    return series;
  }

  *[Symbol.iterator](): Generator<{ readonly labels: readonly string[]; readonly series: S }> {
    yield* this.#series.values();
  }
}

export class Registry {
  readonly #families: (() => FamilySnapshot)[] = [];
  #lines = 0;

  counter(options: FamilyOptions): Family<Amount> {
    return this.#values('counter', 'sum', options);
  }

  /** @param merge how the values of several processes become one */
  gauge(options: FamilyOptions, merge: 'sum' | 'max' = 'sum'): Family<Amount> {
    return this.#values('gauge', merge, options);
  }

  /** @param bounds ascending upper bounds of the buckets */
  histogram(options: FamilyOptions, bounds: readonly number[]): Family<Histogram> {
    // Each bucket is a line, and so are the infinite one, the sum and the count.
    const family = new Family(() => new Histogram(bounds), this.#room(bounds.length + 3));
    this.#add('histogram', 'sum', options, bounds, family, ({ counts, sum }) => [...counts, sum]);
    return family;
  }

  snapshot(): FamilySnapshot[] {
    return this.#families.map((snapshot) => snapshot());
  }

  #values(kind: MetricKind, merge: 'sum' | 'max', options: FamilyOptions): Family<Amount> {
    const family = new Family(() => new Amount(), this.#room(1));
    this.#add(kind, merge, options, [], family, ({ value }) => [value]);
    return family;
  }

  #room(lines: number): () => boolean {
    return () => {
      if (this.#lines + lines > LINES_MAX) return false;
      this.#lines += lines;
      return true;
    };
  }

  #add<S>(
    kind: MetricKind,
    merge: 'sum' | 'max',
    { name, help, labels = [] }: FamilyOptions,
    bounds: readonly number[],
    family: Family<S>,
    valuesOf: (series: S) => number[],
  ): void {
    this.#families.push(() => {
      const series = Array.from(family, (one) => ({ labels: one.labels, values: valuesOf(one.series) }));
      return { name, help, kind, labels, bounds, merge, series };
    });
  }
}
