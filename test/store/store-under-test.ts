/** What the store contract is run against. */
import type { Store, StoreOptions } from '../../src/store/store.ts';

/** A database of its own for each test. */
export interface TestDatabase {
  readonly url: string;
  /** Of the store; none: as they are by default. */
  readonly options?: StoreOptions;
  /** Changes a key in a transaction that stays open until `commit`. */
  holdChange(keyId: string): Promise<{ commit(): Promise<void> }>;
  remove(): Promise<void>;
}

export interface StoreUnderTest {
  readonly database: TestDatabase;
  readonly store: Store;
}
