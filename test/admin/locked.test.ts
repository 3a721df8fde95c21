/** The admin API while another process holds the database. */
import { expect, test } from 'bun:test';
import { SQL } from 'bun';
import { pair } from '../support/pair.ts';
import { ADMIN_KEY, admin, adminCall, errorOf, statusWith } from './admin-client.ts';

const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY } });

async function lock(): Promise<() => Promise<void>> {
  const sql = new SQL({ adapter: 'sqlite', filename: bench.gateway.databaseUrl.slice('sqlite://'.length) });
  await sql.unsafe('BEGIN IMMEDIATE');
  return async () => {
    await sql.unsafe('ROLLBACK');
    await sql.close();
  };
}

test('a change waits for the lock, while reading and the data plane go on', async () => {
  const { id, key } = await admin(bench.gateway, '/api-keys', { body: { name: 'n' } });
  const unlock = await lock();
  let changed = false;
  const change = admin(bench.gateway, `/api-keys/${id}`, { method: 'PATCH', body: { name: 'm' } }).then((json) => {
    changed = true;
    return json;
  });
  expect(await statusWith(bench.gateway, key)).toBe(200);
  expect((await admin(bench.gateway, `/api-keys/${id}`)).name).toBe('n');
  // What waits for the lock is not in the answer yet, and does not keep the answer waiting.
  expect((await admin(bench.gateway, `/usage?key_id=${id}`)).daily).toEqual([]);
  expect(changed).toBe(false);
  await unlock();
  expect((await change).name).toBe('m');
  expect((await admin(bench.gateway, `/usage?key_id=${id}`)).daily).toMatchObject([{ requestCount: 1 }]);
});

test('a change that waits too long is 503 with Retry-After, and is not made', async () => {
  const unlock = await lock();
  const { status, headers, json } = await adminCall(bench.gateway, '/api-keys', { body: { name: 'too late' } });
  await unlock();
  expect([status, json]).toEqual([
    503,
    errorOf('The database cannot be reached, try again', 'overloaded', 'api_error'),
  ]);
  expect(headers.get('retry-after')).toBe('1');
  const names = (await admin(bench.gateway, '/api-keys')).map((key: { name: string }) => key.name);
  expect(names).not.toContain('too late');
});
