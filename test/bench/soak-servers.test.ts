/** The servers that a soak starts for itself answer, and leave nothing behind. */
import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisClient, SQL } from 'bun';
import { missingServers, startPostgres, startRedis } from '../../bench/soak/servers.ts';
import { connectTo } from '../support/raw-client.ts';

const missing = missingServers();
if (missing !== null) console.log(`skipped: ${missing}`);

test.skipIf(missing !== null)('PostgreSQL and Redis run without privileges, until they are stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bve-soak-test-'));
  const [postgres, redis] = await Promise.all([startPostgres(folder), startRedis(folder)]);
  const sql = new SQL(postgres.url);
  const [row] = await sql`SELECT 1 AS one`;
  expect(row.one).toBe(1);
  await sql.close();
  const client = new RedisClient(redis.url);
  expect(await client.send('PING', [])).toBe('PONG');
  client.close();
  await Promise.all([postgres.stop(), redis.stop()]);
  const ports = [postgres.url, redis.url].map((url) => Number(new URL(url).port));
  for (const port of ports) await expect(connectTo(port)).rejects.toThrow();
  rmSync(folder, { recursive: true });
});
