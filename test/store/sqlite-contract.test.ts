import { Database } from 'bun:sqlite';
import { storeContract } from './contract.ts';
import { tempDatabase } from './temp-database.ts';

storeContract('SQLite', async () => {
  const { url, path, [Symbol.dispose]: remove } = tempDatabase();
  return {
    url,
    holdChange: async (keyId) => {
      const other = new Database(path);
      other.run('BEGIN IMMEDIATE');
      other.run('UPDATE key_change_counter SET seq = seq + 1');
      other.run('INSERT INTO key_changes (key_id, seq) SELECT ?, seq FROM key_change_counter', [keyId]);
      return {
        commit: async () => {
          other.run('COMMIT');
          other.close();
        },
      };
    },
    remove: async () => remove(),
  };
});
