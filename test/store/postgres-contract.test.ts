import { afterAll, beforeAll, describe } from 'bun:test';
import { SQL } from 'bun';
import { DEFAULT_POSTGRES_OPTIONS } from '../../src/store/postgres/connection.ts';
import { type PgBouncer, startPgBouncer, WITHOUT_PGBOUNCER } from '../support/pgbouncer.ts';
import { type PostgresServer, startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';
import { storeContract } from './contract.ts';
import type { TestDatabase } from './store-under-test.ts';

describe.skipIf(WITHOUT_POSTGRES !== null)('on a server of its own', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  storeContract('Postgres', async () => testDatabase(await server.createDatabase()));
});

describe.skipIf(WITHOUT_PGBOUNCER !== null)('through pgbouncer in transaction mode', () => {
  let server: PostgresServer;
  let pooler: PgBouncer;
  beforeAll(async () => {
    server = await startPostgres();
    pooler = await startPgBouncer(server);
  });
  afterAll(async () => {
    await pooler?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  storeContract('Postgres, DATABASE_PREPARE=false', async () => {
    const url = await server.createDatabase();
    const options = { postgres: { ...DEFAULT_POSTGRES_OPTIONS, prepare: false } };
    return { ...testDatabase(url), url: pooler.through(url), options };
  });
});

function testDatabase(url: string): TestDatabase {
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
}
