import { expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import {
  asksForStreamUsage,
  createKey,
  drainsOnLeave,
  hashKey,
  isKeyForm,
  keyToJson,
  newSecret,
} from '../../src/keys/key.ts';

test('a secret is sk-bve- and 64 lowercase hex digits, never the same twice', () => {
  const secrets = Array.from({ length: 1_000 }, newSecret);
  for (const secret of secrets) {
    expect(secret).toMatch(/^sk-bve-[0-9a-f]{64}$/);
    expect(isKeyForm(secret)).toBe(true);
  }
  expect(new Set(secrets).size).toBe(1_000);
});

test('what differs from the form in one character is no key', () => {
  const secret = newSecret();
  for (let i = 0; i < secret.length; i++) {
    for (const other of ['g', 'A', ' ', '/', ':', '`', '\u0000', '\u0130']) {
      expect(isKeyForm(secret.slice(0, i) + other + secret.slice(i + 1))).toBe(false);
    }
  }
  for (const text of ['', 'sk-bve-', secret.slice(1), `${secret}0`, ` ${secret.slice(1)}`, secret.toUpperCase()]) {
    expect(isKeyForm(text)).toBe(false);
  }
});

test('the hash is sha256 of key and pepper, in hex', () => {
  const secret = newSecret();
  const expected = createHash('sha256').update(`${secret}a pepper`).digest('hex');
  expect(hashKey(secret, 'a pepper')).toBe(expected);
  expect(hashKey(secret, 'other')).not.toBe(expected);
});

test('a new key has the default limits, and null where null was asked for', () => {
  const { key, secret } = createKey({ name: 'a' }, 1_750_000_000_000);
  expect<unknown>(keyToJson(key)).toEqual({
    id: expect.stringMatching(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ) as unknown as string,
    name: 'a',
    prefix: secret.slice(0, 12),
    status: 'active',
    rpm_limit: 60,
    rpd_limit: 10_000,
    monthly_limit: null,
    monthly_token_limit: null,
    max_concurrent: null,
    allowed_models: null,
    allowed_endpoints: null,
    inject_stream_usage: null,
    on_leave: null,
    tags: {},
    expires_at: null,
    created_at: '2025-06-15T15:06:40.000Z',
    last_used_at: null,
  });
  const unlimited = createKey({ name: 'a', rpmLimit: null, rpdLimit: null }, 0).key;
  expect([unlimited.rpmLimit, unlimited.rpdLimit]).toEqual([null, null]);
});

test('the JSON form has the fields of the contract in their order, and no secret', () => {
  const { key, secret } = createKey({ name: 'a', expiresAt: 0, allowedModels: ['m'] }, 0);
  const json = JSON.stringify(keyToJson({ ...key, lastUsedAt: 1 }));
  expect(Object.keys(JSON.parse(json))).toEqual(
    (
      'id name prefix status rpm_limit rpd_limit monthly_limit monthly_token_limit max_concurrent allowed_models ' +
      'allowed_endpoints inject_stream_usage on_leave tags expires_at created_at last_used_at'
    ).split(' '),
  );
  expect(json).toContain('"expires_at":"1970-01-01T00:00:00.000Z"');
  expect(json).not.toContain(secret.slice(12));
});

test('usage is asked for and an answer read on when the key has a token limit, unless the key says otherwise', () => {
  const key = (fields: object) => createKey({ name: 'a', ...fields }, 0).key;
  const limited = { monthlyTokenLimit: 5 };
  expect([asksForStreamUsage(key({}), false), asksForStreamUsage(key({}), true)]).toEqual([false, true]);
  expect([asksForStreamUsage(key(limited), false), asksForStreamUsage(key(limited), true)]).toEqual([true, true]);
  for (const byDefault of [true, false]) {
    expect(asksForStreamUsage(key({ ...limited, injectStreamUsage: false }), byDefault)).toBe(false);
    expect(asksForStreamUsage(key({ injectStreamUsage: true }), byDefault)).toBe(true);
  }
  expect([drainsOnLeave(key({})), drainsOnLeave(key(limited))]).toEqual([false, true]);
  expect(drainsOnLeave(key({ ...limited, onLeave: 'cancel' }))).toBe(false);
  expect(drainsOnLeave(key({ onLeave: 'drain' }))).toBe(true);
});
