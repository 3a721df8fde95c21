/**
 * What a setting was at a time, known from outside: a change comes into effect at some moment between its request and its
 * answer, elsewhere up to `lagMs` later.
 */
interface Change<T> {
  readonly value: T;
  /** When the change was asked for. */
  readonly fromMs: number;
  /** When it was answered. */
  readonly toMs: number;
}

export class SettingTimeline<T> {
  readonly #changes: Change<T>[];
  readonly #lagMs: number;

  constructor(first: Change<T>, lagMs: number) {
    this.#changes = [first];
    this.#lagMs = lagMs;
  }

  add(change: Change<T>): void {
    this.#changes.push(change);
  }

  get last(): T {
    return this.#changes.at(-1)!.value;
  }

  /** All values that may have been in effect at some moment between two times. */
  valuesWithin(fromMs: number, toMs: number): Set<T> {
    const values = new Set<T>();
    // The last one that was surely in effect, and whatever came behind it.
    let first = 0;
    for (const [i, { toMs: doneMs }] of this.#changes.entries()) if (doneMs + this.#lagMs <= fromMs) first = i;
    for (const { value, fromMs: beganMs } of this.#changes.slice(first)) {
      if (values.size === 0 || beganMs <= toMs) values.add(value);
    }
    return values;
  }
}
