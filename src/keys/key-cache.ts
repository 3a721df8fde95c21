/**
 * Finds the key that a secret belongs to: the step `authenticate` of every request.
 *
 * Constant work per request: one hash and one lookup in a bounded map. A cached key stays until it changes: one query every
 * 400 ms returns the keys that changed, and these are dropped, so a key that another process revoked stops working within a
 * second. While that query fails, cached keys are used for `staleMs`. Expiry and the grace of a replaced secret are checked on
 * each use. Secrets are never kept, only hashes.
 */
import { type ApiKey, hashKey } from './key.ts';
import { KeyLookups } from './key-lookups.ts';
import type { FoundKey, KeySource } from './key-source.ts';

export type KeyAnswer =
  | { readonly kind: 'active'; readonly key: ApiKey }
  /** `unavailable`: the key is not cached and the store cannot be reached, so nobody knows whether it exists. */
  | { readonly kind: 'unknown' | 'suspended' | 'revoked' | 'expired' | 'unavailable' };

export interface KeyDirectory {
  /**
   * Answers at once when it can, else with a promise that never rejects.
   * @param secret has the form of a secret (`isKeyForm`), which the caller has checked
   */
  lookup(secret: string): KeyAnswer | Promise<KeyAnswer>;
}

/** Wall clock in milliseconds: `expires_at` is compared with it. */
interface Clock {
  now(): number;
}

export interface KeyCacheOptions {
  /** How long cached keys are used while the source cannot be reached. Default 300,000; 0: not at all. */
  readonly staleMs?: number;
  /** Default 400. */
  readonly pollIntervalMs?: number;
  /** Default 50,000 keys, about 50 MB. */
  readonly entriesMax?: number;
  readonly clock?: Clock;
  /** Called for each failure of the source. */
  readonly onFailure?: (error: unknown) => void;
}

/** The cache is up to date if the last poll for changes is not older than this; with `pollIntervalMs` below a second. */
const FRESH_MS = 900;
/** An unknown key is not looked up again for this long. Short, because somebody may try a key just before it is imported. */
const UNKNOWN_MS = 500;
const UNKNOWN_MAX = 10_000;
/** How many entries are examined to find one to evict. */
const EVICTION_PROBES = 16;

export class KeyCache implements KeyDirectory {
  readonly #source: KeySource;
  readonly #lookups: KeyLookups;
  readonly #pepper: string;
  readonly #clock: Clock;
  readonly #usableMs: number;
  readonly #pollIntervalMs: number;
  readonly #entriesMax: number;
  readonly #onFailure: (error: unknown) => void;
  readonly #entries = new Map<string, Entry>();
  /** The hashes of each key: more than one while an old secret is in its grace. */
  readonly #hashesOf = new Map<string, string[]>();
  /** Hashes that belong to no key, and until when they are not looked up. Separate from the keys, so that guesses evict none. */
  readonly #unknown = new Map<string, number>();
  /** The number of the last change seen; null before the first poll. */
  #seq: number | null = null;
  /** When the last successful poll began, by the monotonic clock. */
  #freshAtMs = Number.NEGATIVE_INFINITY;
  /** Incremented by every change: a read that began before it is not cached. */
  #epoch = 0;
  #timer: Timer | undefined;
  #polling: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(source: KeySource, pepper: string, options: KeyCacheOptions = {}) {
    this.#source = source;
    this.#pepper = pepper;
    this.#clock = options.clock ?? Date;
    this.#usableMs = FRESH_MS + (options.staleMs ?? 300_000);
    this.#pollIntervalMs = options.pollIntervalMs ?? 400;
    this.#entriesMax = options.entriesMax ?? 50_000;
    this.#onFailure = options.onFailure ?? (() => {});
    this.#lookups = new KeyLookups(source, { onFailure: this.#onFailure });
  }

  /** Begins to poll for changes; nothing is cached before that. */
  async start(): Promise<void> {
    this.#polling = this.#poll();
    await this.#polling;
  }

  /** Resolves when it no longer uses the source. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#polling;
  }

  lookup(secret: string): KeyAnswer | Promise<KeyAnswer> {
    const hash = hashKey(secret, this.#pepper);
    const nowMs = performance.now();
    const entry = this.#entries.get(hash);
    if (entry !== undefined && nowMs - this.#freshAtMs < this.#usableMs) {
      entry.used = true;
      return answerOf(entry, this.#clock.now());
    }
    const unknownUntilMs = this.#unknown.get(hash);
    if (unknownUntilMs !== undefined && nowMs < unknownUntilMs) return UNKNOWN;
    return this.#read(hash);
  }

  /** A change made in this process takes effect on the next request. */
  forget(keyId: string): void {
    this.#epoch++;
    for (const hash of this.#hashesOf.get(keyId) ?? []) this.#entries.delete(hash);
    this.#hashesOf.delete(keyId);
  }

  async #read(hash: string): Promise<KeyAnswer> {
    const epoch = this.#epoch;
    const found = await this.#lookups.find(hash);
    if (found === 'unavailable') return UNAVAILABLE;
    if (found === null) this.#keepUnknown(hash);
    const entry = found === null ? null : entryOf(found);
    // The key may have changed during the read: the next request reads it again.
    if (entry !== null && epoch === this.#epoch && this.#seq !== null) this.#keep(hash, entry);
    return entry === null ? UNKNOWN : answerOf(entry, this.#clock.now());
  }

  #keep(hash: string, entry: Entry): void {
    if (!this.#entries.has(hash)) {
      if (this.#entries.size >= this.#entriesMax) this.#evict();
      const { id } = entry.found.key;
      const hashes = this.#hashesOf.get(id);
      if (hashes === undefined) this.#hashesOf.set(id, [hash]);
      else hashes.push(hash);
    }
    this.#entries.set(hash, entry);
  }

  #keepUnknown(hash: string): void {
    if (this.#unknown.size >= UNKNOWN_MAX) this.#unknown.delete(this.#unknown.keys().next().value!);
    // Deleted first, so that it moves to the end: the first in a map is the oldest.
    this.#unknown.delete(hash);
    this.#unknown.set(hash, performance.now() + UNKNOWN_MS);
  }

  /** Evicts an entry that was not used since its last examination (CLOCK): entries in use move to the end of the map. */
  #evict(): void {
    let probes = EVICTION_PROBES;
    for (const [hash, entry] of this.#entries) {
      this.#entries.delete(hash);
      if (!entry.used || --probes === 0) {
        this.#dropHash(entry.found.key.id, hash);
        return;
      }
      entry.used = false;
      this.#entries.set(hash, entry);
    }
  }

  #dropHash(keyId: string, hash: string): void {
    const others = (this.#hashesOf.get(keyId) ?? []).filter((other) => other !== hash);
    if (others.length > 0) this.#hashesOf.set(keyId, others);
    else this.#hashesOf.delete(keyId);
  }

  async #poll(): Promise<void> {
    // A change from now on may be missing in the answer.
    const askedAtMs = performance.now();
    try {
      const { seq, keyIds } = await this.#source.changesSince(this.#seq);
      if (keyIds === null || this.#seq === null) this.#forgetAll();
      else for (const keyId of keyIds) this.forget(keyId);
      this.#seq = seq;
      this.#freshAtMs = askedAtMs;
    } catch (error) {
      this.#onFailure(error);
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#polling = this.#poll();
    }, this.#pollIntervalMs);
    // The timer must not keep the process alive.
    this.#timer.unref();
  }

  #forgetAll(): void {
    this.#epoch++;
    this.#entries.clear();
    this.#hashesOf.clear();
    this.#unknown.clear();
  }
}

interface Entry {
  readonly found: FoundKey;
  /** Made once, so that the usual answer allocates nothing. */
  readonly active: KeyAnswer;
  used: boolean;
}

const UNKNOWN: KeyAnswer = { kind: 'unknown' };
const SUSPENDED: KeyAnswer = { kind: 'suspended' };
const REVOKED: KeyAnswer = { kind: 'revoked' };
const EXPIRED: KeyAnswer = { kind: 'expired' };
const UNAVAILABLE: KeyAnswer = { kind: 'unavailable' };

function entryOf(found: FoundKey): Entry {
  return { found, active: { kind: 'active', key: found.key }, used: true };
}

function answerOf({ found, active }: Entry, nowMs: number): KeyAnswer {
  // A secret past its grace is no longer a secret of this key.
  if (found.secretExpiresAt !== null && found.secretExpiresAt <= nowMs) return UNKNOWN;
  if (found.key.status === 'revoked') return REVOKED;
  if (found.key.status === 'suspended') return SUSPENDED;
  if (found.key.expiresAt !== null && found.key.expiresAt <= nowMs) return EXPIRED;
  return active;
}
