/**
 * From a secret to the key it belongs to: the step `authenticate` of every request.
 *
 * Constant work per request: one hash and one probe of a bounded map. A key that was read stays until it changes: every
 * 400 ms one query asks for all of them which changed, and those are forgotten, so a key that another process revoked
 * stops working within a second. While that query fails, keys are served from what is known for `staleMs`. Expiry and
 * the grace of a replaced secret are judged at use. Secrets are never kept, only hashes.
 */
import { type ApiKey, hashKey } from './key.ts';
import { KeyLookups } from './key-lookups.ts';
import type { FoundKey, KeySource } from './key-source.ts';

export type KeyAnswer =
  | { readonly kind: 'active'; readonly key: ApiKey }
  /** `unavailable`: it is not known whether there is such a key, because the store cannot be asked now. */
  | { readonly kind: 'unknown' | 'suspended' | 'revoked' | 'expired' | 'unavailable' };

export interface KeyDirectory {
  /**
   * Answers at once when it can, else with a promise that never rejects.
   * @param secret has the form of one (`isKeyForm`): whoever reads credentials has seen to that
   */
  lookup(secret: string): KeyAnswer | Promise<KeyAnswer>;
}

/** Wall clock in milliseconds: `expires_at` is compared with it. */
interface Clock {
  now(): number;
}

export interface KeyCacheOptions {
  /** How long keys are served from what is known while the source is away. Default 300,000; 0: not at all. */
  readonly staleMs?: number;
  /** Default 400. */
  readonly pollIntervalMs?: number;
  /** Default 50,000 keys, about 50 MB. */
  readonly entriesMax?: number;
  readonly clock?: Clock;
  /** Told of each failure of the source. */
  readonly onFailure?: (error: unknown) => void;
}

/** What is known is up to date while the source was asked for changes in this time; with `pollIntervalMs` below a second. */
const FRESH_MS = 900;
/** So long an unknown key is not asked for again. Short: a key that is imported may have been tried before. */
const UNKNOWN_MS = 500;
const UNKNOWN_MAX = 10_000;
/** So many entries are looked at to find one to evict. */
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
  /** The hashes of a key, of which it has more than one while an old secret is in its grace. */
  readonly #hashesOf = new Map<string, string[]>();
  /** Hashes of no key, and until when they are not asked for. Apart from the keys: guessing evicts none of those. */
  readonly #unknown = new Map<string, number>();
  /** Of the last change that was seen; null: none was asked for yet. */
  #seq: number | null = null;
  /** When the source was last asked for changes and answered; steady time. */
  #freshAtMs = Number.NEGATIVE_INFINITY;
  /** Grows with every change: what was read before it is not kept. */
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

  /** Begins to ask for changes: until then nothing is kept. */
  async start(): Promise<void> {
    this.#polling = this.#poll();
    await this.#polling;
  }

  /** Resolves when it does not use the source any more. */
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
    // What changed while it was on its way may be newer: it is read once more by the next request.
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

  /** One that was not used since it was last looked at for this; the map is a ring, those in use go to its end. */
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
    // What changes from now on may be missing in the answer.
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
    // It is no reason for a process to live on.
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
