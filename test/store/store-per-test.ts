/** What most tests of the store need: for each test a store of its own. Call it where hooks may be registered. */
import { afterEach, beforeEach } from 'bun:test';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { type TempDatabase, tempDatabase } from './temp-database.ts';

interface StorePerTest {
  readonly db: TempDatabase;
  readonly store: Store;
  /** Another store on the same database, in place of the first, which the test has closed. */
  reopen(): Promise<void>;
}

export function storePerTest(): StorePerTest {
  let db: TempDatabase;
  let store: Store;
  beforeEach(async () => {
    db = tempDatabase();
    store = await openStore(db.url);
  });
  afterEach(async () => {
    await store.close();
    db[Symbol.dispose]();
  });
  return {
    get db() {
      return db;
    },
    get store() {
      return store;
    },
    reopen: async () => {
      store = await openStore(db.url);
    },
  };
}
