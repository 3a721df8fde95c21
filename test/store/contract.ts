/** What any store must do. A kind of store runs all of it with `storeContract`. */
import { afterEach, beforeEach, describe } from 'bun:test';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { changeContract } from './contract-changes.ts';
import { keyChangeContract } from './contract-key-changes.ts';
import { keyStateContract } from './contract-key-states.ts';
import { keysContract } from './contract-keys.ts';
import { recordContract } from './contract-records.ts';
import { searchContract } from './contract-search.ts';
import { summaryContract } from './contract-summary.ts';
import { totalsContract } from './contract-totals.ts';
import type { StoreUnderTest, TestDatabase } from './store-under-test.ts';

export function storeContract(kind: string, makeDatabase: () => Promise<TestDatabase>): void {
  describe(`store contract, ${kind}`, () => {
    let database: TestDatabase;
    let store: Store;
    beforeEach(async () => {
      database = await makeDatabase();
      store = await openStore(database.url, database.options);
    });
    afterEach(async () => {
      await store.close();
      await database.remove();
    });
    const underTest: StoreUnderTest = {
      get database() {
        return database;
      },
      get store() {
        return store;
      },
    };
    keyStateContract(underTest);
    keyChangeContract(underTest);
    recordContract(underTest);
    totalsContract(underTest);
    changeContract(underTest);
    keysContract(underTest);
    searchContract(underTest);
    summaryContract(underTest);
  });
}
