import { afterAll, beforeAll, describe } from 'bun:test';
import { SQL } from 'bun';
import { type PostgresServer, startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';
import { storeContract } from './contract.ts';

describe.skipIf(WITHOUT_POSTGRES !== null)('on a server of its own', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  storeContract('Postgres', async () => {
    const url = await server.createDatabase();
    return {
      url,
      holdChange: async (keyId) => {
        const sql = new SQL(url, { max: 1 });
        const { promise: mayCommit, resolve: commit } = Promise.withResolvers<void>();
        const { promise: isHeld, resolve: held } = Promise.withResolvers<void>();
        const over = sql.begin(async (tx) => {
          await tx`UPDATE key_change_counter SET seq = seq + 1`;
          await tx`INSERT INTO key_changes (key_id, seq) SELECT ${keyId}, seq FROM key_change_counter`;
          held();
          await mayCommit;
        });
        await isHeld;
        return {
          commit: async () => {
            commit();
            await over;
            await sql.close();
          },
        };
      },
      remove: async () => {},
    };
  });
});
