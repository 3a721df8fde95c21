/** Where the key cache reads keys from: keys by the hash of their secret, and the list of keys that changed. */
import type { ApiKey } from './key.ts';

export interface FoundKey {
  readonly key: ApiKey;
  /** When this secret of the key stops working, if it was replaced by a newer one. */
  readonly secretExpiresAt: number | null;
}

export interface KeySource {
  /** The keys with these secrets, by hash and in any state; unknown hashes are absent. One query for all. */
  findByHashes(hashes: readonly string[]): Promise<ReadonlyMap<string, FoundKey>>;
  /**
   * Returns the keys changed or deleted after the change with this number; with null only the number of the last change.
   * No change is ever skipped, however long its transaction took. New keys do not count as changes.
   */
  changesSince(seq: number | null): Promise<KeyChangeList>;
}

export interface KeyChangeList {
  /** The number of the last change: the argument of the next call. */
  readonly seq: number;
  /** null: any key may have changed, because the database was replaced or there are too many changes to list. */
  readonly keyIds: readonly string[] | null;
}
