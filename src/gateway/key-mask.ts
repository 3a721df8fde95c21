/**
 * Masks our own Fuelix keys in what upstream says of an error (contract, section 4): each run of `RUN_LENGTH` or more consecutive
 * characters of one becomes as many `*`.
 *
 * The runs of that length are looked for all at once (Aho and Corasick): a state stands for the longest end of what has passed
 * that may yet become one, and just that much is held back.
 */
import type { BodyFilter } from './body-filter.ts';

const RUN_LENGTH = 16;
const STAR = 0x2a;

interface State {
  readonly next: Map<number, State>;
  readonly depth: number;
  /** As many of the last characters are to be masked; 0: none. */
  masks: number;
  /** The state of the longest proper end of this one. */
  shorter: State | null;
}

export class KeyMask {
  #keys: readonly Uint8Array[] = [];
  /** Made for the first error. */
  #start: State | null = null;

  constructor(...keys: readonly string[]) {
    this.replace(keys);
  }

  /** From the next body on these are masked. */
  replace(keys: readonly string[]): void {
    this.#keys = keys.map((key) => new TextEncoder().encode(key));
    this.#start = null;
  }

  /** For one body. */
  filter(): BodyFilter {
    this.#start ??= this.#automaton();
    return new MaskingFilter(this.#start);
  }

  /** Of a whole body. */
  masked(body: Uint8Array): Uint8Array {
    const filter = this.filter();
    const parts = [filter.push(body), filter.end()];
    return Buffer.concat(parts.filter((part) => part !== null));
  }

  #automaton(): State {
    const start: State = { next: new Map(), depth: 0, masks: 0, shorter: null };
    for (const key of this.#keys) {
      const runLength = Math.min(RUN_LENGTH, key.length);
      for (let from = 0; from + runLength <= key.length; from++) addRun(start, key.subarray(from, from + runLength));
    }
    // By depth, so that what is shorter is known before what is longer.
    for (let level = [start]; level.length > 0; level = level.flatMap((state) => [...state.next.values()])) {
      for (const state of level) {
        for (const [byte, next] of state.next) {
          next.shorter = state === start ? start : step(state.shorter!, byte);
          next.masks = Math.max(next.masks, next.shorter.masks);
        }
      }
    }
    return start;
  }
}

function addRun(start: State, run: Uint8Array): void {
  let state = start;
  for (const byte of run) {
    const next: State = state.next.get(byte) ?? { next: new Map(), depth: state.depth + 1, masks: 0, shorter: null };
    state.next.set(byte, next);
    state = next;
  }
  state.masks = run.length;
}

class MaskingFilter implements BodyFilter {
  #state: State;
  #held: Uint8Array = new Uint8Array(0);

  constructor(start: State) {
    this.#state = start;
  }

  push(bytes: Uint8Array): Uint8Array | null {
    // A copy: what was lent for the call is masked in place.
    const all = new Uint8Array(Buffer.concat([this.#held, bytes]));
    let masked = 0;
    for (let at = this.#held.length; at < all.length; at++) {
      this.#state = step(this.#state, all[at]!);
      const { masks } = this.#state;
      if (masks === 0) continue;
      all.fill(STAR, Math.max(masked, at + 1 - masks), at + 1);
      masked = at + 1;
    }
    // What is masked already goes on, although it may be the beginning of another run.
    const end = Math.max(masked, all.length - this.#state.depth);
    this.#held = all.slice(end);
    return end > 0 ? all.subarray(0, end) : null;
  }

  end(): Uint8Array | null {
    const held = this.#held;
    this.#held = new Uint8Array(0);
    return held.length > 0 ? held : null;
  }

  drop(): boolean {
    return false;
  }
}

function step(from: State, byte: number): State {
  let state: State | null = from;
  while (state !== null) {
    const next = state.next.get(byte);
    if (next !== undefined) return next;
    if (state.shorter === null) return state;
    state = state.shorter;
  }
  return from;
}
