/** Where keys come from, as whoever keeps them in memory needs it: by the hash of a secret, and which of them changed. */
import type { ApiKey } from './key.ts';

export interface FoundKey {
  readonly key: ApiKey;
  /** When this secret of the key stops working, if it was replaced by a newer one. */
  readonly secretExpiresAt: number | null;
}

export interface KeySource {
  /** The keys that have these secrets, by hash, whatever their state; hashes of no key are absent. One query for all. */
  findByHashes(hashes: readonly string[]): Promise<ReadonlyMap<string, FoundKey>>;
  /**
   * Which keys were changed or deleted after the change with this number; with null only the number of the last change.
   * A change is seen by a later call at the latest, however long its transaction took. New keys are no changes.
   */
  changesSince(seq: number | null): Promise<KeyChangeList>;
}

export interface KeyChangeList {
  /** Of the last change: the argument of the next call. */
  readonly seq: number;
  /** null: any key may have changed, because the source is not the one it was or the changes are too many to name. */
  readonly keyIds: readonly string[] | null;
}
