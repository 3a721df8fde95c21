/** `bve keys rotate`: a new secret for the same key. */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { hashKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type TempDatabase, tempDatabase } from '../store/temp-database.ts';
import { runBve } from '../support/gateway.ts';

const PEPPER = 'a-pepper-of-some-length';

let db: TempDatabase;

beforeEach(() => {
  db = tempDatabase();
});

afterEach(() => db[Symbol.dispose]());

const keys = (...args: string[]) => runBve(['keys', ...args], { DATABASE_URL: db.url, API_KEY_PEPPER: PEPPER });

async function create() {
  return JSON.parse((await keys('create', '--name', 'n', '--json')).stdout) as { id: string; key: string };
}

async function expiryOf(secret: string): Promise<number | null | undefined> {
  const store = await openStore(db.url);
  try {
    return (await store.findByHash(hashKey(secret, PEPPER)))?.secretExpiresAt;
  } finally {
    await store.close();
  }
}

test('--json prints the object of the admin API; the old secret stops at once', async () => {
  const { key: old, ...created } = await create();
  const { exitCode, stdout } = await keys('rotate', created.id, '--json');
  expect(exitCode).toBe(0);
  const { key, ...rotated } = JSON.parse(stdout);
  expect(rotated).toEqual({ ...created, prefix: key.slice(0, 12) });
  expect(await expiryOf(key)).toBeNull();
  expect(await expiryOf(old)).toBeUndefined();
});

test('with --grace-seconds the old secret works on for so long', async () => {
  const { id, key: old } = await create();
  const before = Date.now();
  const { exitCode, stdout } = await keys('rotate', id.slice(0, 8), '--grace-seconds', '3600');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^sk-bve-[0-9a-f]{64}\n/);
  expect(stdout).toContain("The old secret of 'n' works for 3600 more seconds.");
  expect(stdout).toContain('shown this once');
  const expiresAt = (await expiryOf(old)) ?? 0;
  expect(expiresAt).toBeGreaterThanOrEqual(before + 3_600_000);
  expect(expiresAt).toBeLessThanOrEqual(Date.now() + 3_600_000);
});

test('a wrong grace, no pepper, an unknown or a revoked key: refused, and nothing is rotated', async () => {
  const { id, key } = await create();
  for (const grace of ['-1', '1.5', 'x', '99999999999']) {
    const { exitCode, stderr } = await keys('rotate', id, '--grace-seconds', grace);
    expect([exitCode, stderr.includes('grace-seconds')]).toEqual([2, true]);
  }
  const withoutPepper = await runBve(['keys', 'rotate', id], { DATABASE_URL: db.url });
  expect([withoutPepper.exitCode, withoutPepper.stderr.includes('API_KEY_PEPPER')]).toEqual([2, true]);
  expect((await keys('rotate', crypto.randomUUID())).exitCode).toBe(1);
  expect(await expiryOf(key)).toBeNull();
  await keys('revoke', id);
  const revoked = await keys('rotate', id);
  expect([revoked.exitCode, revoked.stderr.includes('final')]).toEqual([1, true]);
});
