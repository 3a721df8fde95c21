/**
 * Asks the source for keys that nobody here knows yet, without letting those who guess keys get in the way.
 *
 * Guarantees: one query is under way at a time, for at most `batchMax` hashes, and they begin at least `intervalMs` apart;
 * who asks first is answered first, within some milliseconds even beside 10,000 guesses a second; no more than
 * `queueMax` wait, none longer than `waitMs`, and none at all while the source is known to be away. Who cannot be
 * answered is told so, which is not the same as an unknown key.
 */
import type { FoundKey, KeySource } from './key-source.ts';

/** null: no key has this secret. */
type Lookup = FoundKey | null | 'unavailable';

interface LookupOptions {
  /** Default 200: on SQLite they take half a millisecond on the event loop. */
  readonly batchMax?: number;
  /** Default 5: with 200 hashes each 40,000 a second, more than the gateway can read requests. */
  readonly intervalMs?: number;
  /** Default 2,000: what 50 ms answer. */
  readonly queueMax?: number;
  /** Default 1,000. */
  readonly waitMs?: number;
  /** After a failure the source is asked again only this much later. Default 100. */
  readonly retryMs?: number;
  /** Told of each failure of the source. */
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
  /** By hash, in the order in which they came. What a query is under way for is not among them: it may be outdated. */
  readonly #queue = new Map<string, Waiting>();
  /** A query is under way, or is about to be sent. */
  #busy = false;
  #nextAtMs = 0;
  /** Until then nobody is let in; infinite while a query takes too long. */
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
    // Not at once: requests that came together share a query.
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
