/**
 * From a secret to the key it belongs to: the step `authenticate` of every request.
 *
 * Constant work per request: one hash and one probe of a bounded map. An answer is at most `lifeMs` old, so a key that
 * another process revoked stops working within a second. Between `staleMs` and `lifeMs` an answer is used and read
 * again in the background, so a key in steady use never waits for the database. Secrets are never kept, only hashes.
 * Unknown keys have a map of their own: guessing cannot push out the keys that are in use.
 */
import { type ApiKey, hashKey } from './key.ts';
import type { FoundKey } from './key-source.ts';

export type KeyAnswer =
  | { readonly kind: 'active'; readonly key: ApiKey }
  | { readonly kind: 'unknown' | 'suspended' | 'revoked' | 'expired' };

export interface KeyDirectory {
  /**
   * @param secret has the form of one (`isKeyForm`): whoever reads credentials has seen to that
   *
   * Answers at once when the cache can, with a promise only when it cannot. The promise rejects with a StoreError when
   * the database cannot be asked and nothing recent enough is known.
   */
  lookup(secret: string): KeyAnswer | Promise<KeyAnswer>;
  /** Forgets everything: a change made in this process takes effect on the next request. */
  invalidate(): void;
}

interface KeyLookup {
  findByHash(keyHash: string): Promise<FoundKey | null>;
}

/** Wall clock in milliseconds: `expires_at` is compared with it. */
export interface Clock {
  now(): number;
}

export interface DirectoryOptions {
  /** No answer is older than this. Default 900. */
  readonly lifeMs?: number;
  /** From this age on an answer is read again in the background. Default 400. */
  readonly staleMs?: number;
  /** Bound of each of the two maps. Default 10,000, about 10 MB. */
  readonly entriesMax?: number;
}

export class CachedKeyDirectory implements KeyDirectory {
  readonly #source: KeyLookup;
  readonly #pepper: string;
  readonly #clock: Clock;
  readonly #lifeMs: number;
  readonly #staleMs: number;
  readonly #entriesMax: number;
  readonly #known = new Map<string, Entry>();
  readonly #unknown = new Map<string, Entry>();
  /** Reads under way, so that a burst of requests with one key asks the database once. */
  #reads = new Map<string, Promise<Entry>>();

  constructor(source: KeyLookup, pepper: string, clock: Clock = Date, options: DirectoryOptions = {}) {
    this.#source = source;
    this.#pepper = pepper;
    this.#clock = clock;
    this.#lifeMs = options.lifeMs ?? 900;
    this.#staleMs = options.staleMs ?? 400;
    this.#entriesMax = options.entriesMax ?? 10_000;
  }

  lookup(secret: string): KeyAnswer | Promise<KeyAnswer> {
    const hash = hashKey(secret, this.#pepper);
    const now = this.#clock.now();
    const entry = this.#known.get(hash) ?? this.#unknown.get(hash);
    const age = entry ? now - entry.readAt : -1;
    // A clock that was set back makes entries look younger than they are: those are not used.
    if (!entry || age < 0 || age >= this.#lifeMs) {
      return this.#read(hash, now).then((read) => answerOf(read, this.#clock.now()));
    }
    if (age >= this.#staleMs && now >= entry.retryAt) this.#refresh(hash, entry, now);
    return answerOf(entry, now);
  }

  invalidate(): void {
    this.#known.clear();
    this.#unknown.clear();
    // Reads that began before the change still answer whoever waits for them, but nobody else joins, and none is kept.
    this.#reads = new Map();
  }

  #refresh(hash: string, entry: Entry, now: number): void {
    if (this.#reads.has(hash)) return;
    this.#read(hash, now).catch(() => {
      // The old answer serves until its life ends; a database in trouble is not asked again for every request.
      entry.retryAt = now + RETRY_MS;
    });
  }

  #read(hash: string, now: number): Promise<Entry> {
    const underWay = this.#reads.get(hash);
    if (underWay) return underWay;
    const reads = this.#reads;
    const read = this.#source
      .findByHash(hash)
      // The age counts from before the query: the row may have changed while the answer was on its way.
      .then((found) => this.#keep(hash, entryOf(found, now), reads === this.#reads))
      .finally(() => reads.delete(hash));
    reads.set(hash, read);
    return read;
  }

  #keep(hash: string, entry: Entry, current: boolean): Entry {
    if (!current) return entry;
    // Deleted first, so that it moves to the end: the first in a map is the one not read again for the longest time.
    this.#known.delete(hash);
    this.#unknown.delete(hash);
    const map = entry.found ? this.#known : this.#unknown;
    if (map.size >= this.#entriesMax) map.delete(map.keys().next().value!);
    map.set(hash, entry);
    return entry;
  }
}

interface Entry {
  readonly found: FoundKey | null;
  /** Made once, so that the usual answer allocates nothing. */
  readonly active: KeyAnswer;
  readonly readAt: number;
  /** No background read before this time. */
  retryAt: number;
}

/** How long a failed background read is left alone. */
const RETRY_MS = 100;

const UNKNOWN: KeyAnswer = { kind: 'unknown' };
const SUSPENDED: KeyAnswer = { kind: 'suspended' };
const REVOKED: KeyAnswer = { kind: 'revoked' };
const EXPIRED: KeyAnswer = { kind: 'expired' };

function entryOf(found: FoundKey | null, readAt: number): Entry {
  return { found, active: found ? { kind: 'active', key: found.key } : UNKNOWN, readAt, retryAt: 0 };
}

/** Expiry is judged now, not when the row was read. */
function answerOf({ found, active }: Entry, now: number): KeyAnswer {
  if (!found) return UNKNOWN;
  // A secret past its grace is no longer a secret of this key.
  if (found.secretExpiresAt !== null && found.secretExpiresAt <= now) return UNKNOWN;
  if (found.key.status === 'revoked') return REVOKED;
  if (found.key.status === 'suspended') return SUSPENDED;
  if (found.key.expiresAt !== null && found.key.expiresAt <= now) return EXPIRED;
  return active;
}
