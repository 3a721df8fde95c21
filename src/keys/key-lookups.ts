/**
 * Looks up keys that are not cached, so that clients that guess keys cannot slow down the others.
 *
 * Guarantees: one query runs at a time, for at most `batchMax` hashes, and queries begin at least `intervalMs` apart; lookups
 * are answered in order, within some milliseconds even during 10,000 guesses a second; no more than `queueMax` wait, none
 * longer than `waitMs`, and none at all while the source is known to be down. A lookup that cannot be answered is
 * `unavailable`, which is not the same as an unknown key.
 */
import type { FoundKey, KeySource } from './key-source.ts';

/** null: no key has this secret. */
type Lookup = FoundKey | null | 'unavailable';

interface LookupOptions {
  /** Default 200: on SQLite they take half a millisecond on the event loop. */
  readonly batchMax?: number;
  /** Default 5: with 200 hashes each 40,000 a second, more than the gateway can read requests. */
  readonly intervalMs?: number;
  /** Default 2,000: what the queries of 50 ms answer. */
  readonly queueMax?: number;
  /** Default 1,000. */
  readonly waitMs?: number;
  /** How long no query is sent after a failure. Default 100. */
  readonly retryMs?: number;
  /** Called for each failure of the source. */
  readonly onFailure?: (error: unknown) => void;
}

interface Waiting {
  readonly answer: Promise<Lookup>;
  readonly resolve: (lookup: Lookup) => void;
}

export class KeyLookups {
  readonly #source: Pick<KeySource, 'findByHashes'>;
  readonly #batchMax: number;
  readonly #intervalMs: number;
  readonly #queueMax: number;
  readonly #waitMs: number;
  readonly #retryMs: number;
  readonly #onFailure: (error: unknown) => void;
  /** By hash, in order of arrival. Without those of the running query, whose answer may be outdated. */
  readonly #queue = new Map<string, Waiting>();
  /** A query is running or scheduled. */
  #busy = false;
  #nextAtMs = 0;
  /** Lookups fail at once until then; infinite while a query takes too long. */
  #awayUntilMs = 0;

  constructor(source: Pick<KeySource, 'findByHashes'>, options: LookupOptions = {}) {
    this.#source = source;
    this.#batchMax = options.batchMax ?? 200;
    this.#intervalMs = options.intervalMs ?? 5;
    this.#queueMax = options.queueMax ?? 2_000;
    this.#waitMs = options.waitMs ?? 1_000;
    this.#retryMs = options.retryMs ?? 100;
    this.#onFailure = options.onFailure ?? (() => {});
  }

  /** Never rejects. */
  find(hash: string): Promise<Lookup> {
    const known = this.#queue.get(hash);
    if (known !== undefined) return known.answer;
    if (this.#queue.size >= this.#queueMax || performance.now() < this.#awayUntilMs) {
      return Promise.resolve('unavailable');
    }
    const { promise, resolve } = Promise.withResolvers<Lookup>();
    this.#queue.set(hash, { answer: promise, resolve });
    this.#schedule();
    return promise;
  }

  #schedule(): void {
    if (this.#busy || this.#queue.size === 0) return;
    this.#busy = true;
    const delayMs = this.#nextAtMs - performance.now();
    // Not at once, so that requests that arrive together share a query.
    if (delayMs <= 0) queueMicrotask(() => void this.#send());
    else setTimeout(() => void this.#send(), delayMs);
  }

  async #send(): Promise<void> {
    const batch = this.#takeBatch();
    this.#nextAtMs = performance.now() + this.#intervalMs;
    const timer = setTimeout(() => this.#giveUp(batch), this.#waitMs);
    try {
      const found = await this.#source.findByHashes([...batch.keys()]);
      this.#awayUntilMs = 0;
      for (const [hash, { resolve }] of batch) resolve(found.get(hash) ?? null);
    } catch (error) {
      this.#onFailure(error);
      this.#awayUntilMs = performance.now() + this.#retryMs;
      refuse(batch);
      this.#refuseQueue();
    }
    clearTimeout(timer);
    this.#busy = false;
    this.#schedule();
  }

  #takeBatch(): Map<string, Waiting> {
    const batch = new Map<string, Waiting>();
    for (const [hash, waiting] of this.#queue) {
      batch.set(hash, waiting);
      this.#queue.delete(hash);
      if (batch.size === this.#batchMax) break;
    }
    return batch;
  }

  #giveUp(batch: ReadonlyMap<string, Waiting>): void {
    this.#onFailure(new Error(`no answer within ${this.#waitMs} ms`));
    this.#awayUntilMs = Number.POSITIVE_INFINITY;
    refuse(batch);
    this.#refuseQueue();
  }

  #refuseQueue(): void {
    refuse(this.#queue);
    this.#queue.clear();
  }
}

function refuse(waiting: ReadonlyMap<string, Waiting>): void {
  for (const { resolve } of waiting.values()) resolve('unavailable');
}
