/**
 * Masks our own Fuelix key in what upstream says of an error (contract, section 4): each run of `RUN_LENGTH` or more consecutive
 * characters of it becomes as many `*`.
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
  /** The state of the longest proper end of this one. */
  shorter: State | null;
}

export class KeyMask {
  readonly #runLength: number;
  readonly #key: Uint8Array;
  /** Made for the first error. */
  #start: State | null = null;

  constructor(key: string) {
    this.#key = new TextEncoder().encode(key);
    this.#runLength = Math.min(RUN_LENGTH, this.#key.length);
  }

  /** For one body. */
  filter(): BodyFilter {
    this.#start ??= this.#automaton();
    return new MaskingFilter(this.#start, this.#runLength);
  }

  /** Of a whole body. */
  masked(body: Uint8Array): Uint8Array {
    const filter = this.filter();
    const parts = [filter.push(body), filter.end()];
    return Buffer.concat(parts.filter((part) => part !== null));
  }

  #automaton(): State {
    const start: State = { next: new Map(), depth: 0, shorter: null };
    for (let from = 0; from + this.#runLength <= this.#key.length; from++) {
      let state = start;
      for (const byte of this.#key.subarray(from, from + this.#runLength)) {
        const next = state.next.get(byte) ?? { next: new Map(), depth: state.depth + 1, shorter: null };
        state.next.set(byte, next);
        state = next;
      }
    }
    // By depth, so that what is shorter is known before what is longer.
    for (let level = [start]; level.length > 0; level = level.flatMap((state) => [...state.next.values()])) {
      for (const state of level) {
        for (const [byte, next] of state.next) next.shorter = state === start ? start : step(state.shorter!, byte);
      }
    }
    return start;
  }
}

class MaskingFilter implements BodyFilter {
  readonly #runLength: number;
  #state: State;
  #held: Uint8Array = new Uint8Array(0);

  constructor(start: State, runLength: number) {
    this.#state = start;
    this.#runLength = runLength;
  }

  push(bytes: Uint8Array): Uint8Array | null {
    // A copy: what was lent for the call is masked in place.
    const all = new Uint8Array(Buffer.concat([this.#held, bytes]));
    let masked = 0;
    for (let at = this.#held.length; at < all.length; at++) {
      this.#state = step(this.#state, all[at]!);
      if (this.#state.depth !== this.#runLength) continue;
      all.fill(STAR, Math.max(masked, at + 1 - this.#runLength), at + 1);
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
