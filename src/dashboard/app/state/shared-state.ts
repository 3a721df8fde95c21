/** A value that several components share, and a hook that draws a component again when it changes. */
import { useLayoutEffect, useState } from 'preact/hooks';

export class SharedState<T> {
  #value: T;
  readonly #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Returns the function that ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}

export function useSharedState<T>(store: SharedState<T>): T {
  const [, redraw] = useState(0);
  useLayoutEffect(() => {
    let drawn = store.value;
    const look = () => {
      if (Object.is(drawn, store.value)) return;
      drawn = store.value;
      redraw((count) => count + 1);
    };
    // It may have changed between the drawing and now.
    look();
    return store.subscribe(look);
  }, [store]);
  return store.value;
}
