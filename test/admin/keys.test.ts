/** The key routes of the admin API, string for string, on a gateway in its own process. */

import { describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import { pair, UUID } from '../support/pair.ts';
import { ADMIN_KEY, admin, adminCall, errorOf, statusWith, storedKey } from './admin-client.ts';

const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY, LOG_LEVEL: 'info' } });
const keys = (path = '', call = {}) => admin(bench.gateway, `/api-keys${path}`, call);
const post = { method: 'POST' };

const FIELDS =
  'id name prefix status rpm_limit rpd_limit monthly_limit monthly_token_limit max_concurrent allowed_models ' +
  'allowed_endpoints inject_stream_usage on_leave tags expires_at created_at last_used_at';
const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

async function answerWith(key: string, model = 'm') {
  const response = await fetch(`${bench.gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ model, messages: [] }),
  });
  return { status: response.status, body: await response.json() };
}

describe('create', () => {
  test('answers 201 with the key object and, this once, the key, which works at once', async () => {
    const { status, headers, json } = await adminCall(bench.gateway, '/api-keys', { body: { name: 'first' } });
    expect(status).toBe(201);
    expect(Object.keys(json).join(' ')).toBe(`${FIELDS} key`);
    expect(json).toEqual({
      id: expect.stringMatching(UUID),
      name: 'first',
      prefix: json.key.slice(0, 12),
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
      created_at: expect.stringMatching(ISO),
      last_used_at: null,
      key: expect.stringMatching(/^sk-bve-[0-9a-f]{64}$/),
    });
    expect(headers.get('x-request-id')).toMatch(UUID);
    expect(headers.get('content-type')).toStartWith('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(await statusWith(bench.gateway, json.key)).toBe(200);
  });

  test('takes every field', async () => {
    const wanted = {
      name: "Zoë's \u{1F511}\n<b>",
      rpm_limit: null,
      rpd_limit: 7,
      monthly_limit: 8,
      monthly_token_limit: 999_999_999_999_999,
      max_concurrent: 2,
      allowed_models: ['gpt-4o', 'claude', 'gpt-4o'],
      allowed_endpoints: ['chat', 'models'],
      inject_stream_usage: true,
      on_leave: 'cancel',
      tags: { team: '\u{1F511}'.repeat(64), __proto: '', '0': 'zero' },
      expires_at: '2099-01-31T12:00:00+01:00',
    };
    const { key, ...created } = await keys('', { body: wanted });
    expect(created).toMatchObject({
      ...wanted,
      allowed_models: ['gpt-4o', 'claude'],
      expires_at: '2099-01-31T11:00:00.000Z',
    });
    expect(await storedKey(bench.gateway, created.id)).toEqual(created);
  });

  test('a name, and that of a model, may have 255 characters of any kind', async () => {
    const name = '\u{1F511}'.repeat(255);
    const created = await keys('', { body: { name, allowed_models: [name] } });
    expect([created.name, created.allowed_models]).toEqual([name, [name]]);
    const refused = await adminCall(bench.gateway, '/api-keys', { body: { name: 'n', allowed_models: [`${name}x`] } });
    expect(refused.status).toBe(400);
  });

  test('the content type does not matter, JSON is all there is', async () => {
    for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'nonsense']) {
      const created = await keys('', { body: '{"name":"typed"}', headers: { 'content-type': type } });
      expect(created.name).toBe('typed');
    }
  });
});

test('keys are listed newest first, in every state, without secret or hash', async () => {
  const made = [];
  for (const name of ['a', 'b', 'c']) {
    // Of keys made within one millisecond none is the newer one, and others were made just before.
    const last = Date.now();
    await eventually(() => Date.now() > last);
    made.push(await keys('', { body: { name } }));
  }
  await keys(`/${made[0].id}/suspend`, post);
  await keys(`/${made[1].id}/revoke`, post);
  const { json, text } = await adminCall(bench.gateway, '/api-keys');
  expect(json.slice(0, 3).map((key: { name: string; status: string }) => [key.name, key.status])).toEqual([
    ['c', 'active'],
    ['b', 'revoked'],
    ['a', 'suspended'],
  ]);
  for (const key of json) expect(Object.keys(key).join(' ')).toBe(FIELDS);
  for (const { key } of made) expect(text).not.toContain(key.slice(12));
  expect(text).not.toMatch(/[0-9a-f]{64}/);
});

describe('patch', () => {
  test('changes what it names and nothing else, from the next request on', async () => {
    const { key, ...created } = await keys('', { body: { name: 'n', rpm_limit: null } });
    expect((await answerWith(key, 'other')).status).toBe(200);
    const patched = await keys(`/${created.id}`, { method: 'PATCH', body: { allowed_models: ['m'] } });
    expect({ ...patched, last_used_at: null }).toEqual({ ...created, allowed_models: ['m'] });
    expect(await answerWith(key, 'other')).toEqual({
      status: 403,
      body: errorOf("Model 'other' is not allowed for this API key", 'model_not_allowed'),
    });
    expect((await answerWith(key, 'm')).status).toBe(200);
  });

  test('takes any field of create; null is no limit, and an empty object changes nothing', async () => {
    const { id } = await keys('', { body: { name: 'n', monthly_limit: 5, expires_at: '2099-01-01T00:00:00Z' } });
    const changes = {
      name: 'renamed',
      rpm_limit: 1,
      rpd_limit: null,
      monthly_limit: null,
      monthly_token_limit: 3,
      max_concurrent: 4,
      allowed_models: ['x'],
      inject_stream_usage: true,
      expires_at: null,
    };
    const patched = await keys(`/${id}`, { method: 'PATCH', body: changes });
    expect(patched).toMatchObject(changes);
    expect(await keys(`/${id}`, { method: 'PATCH', body: {} })).toEqual(patched);
    expect(await storedKey(bench.gateway, id)).toEqual(patched);
  });

  test('a limit holds from the next request on', async () => {
    const { id, key } = await keys('', { body: { name: 'n', rpm_limit: null } });
    expect((await answerWith(key)).status).toBe(200);
    await keys(`/${id}`, { method: 'PATCH', body: { rpm_limit: 1 } });
    expect((await answerWith(key)).status).toBe(429);
    await keys(`/${id}`, { method: 'PATCH', body: { rpm_limit: null } });
    expect((await answerWith(key)).status).toBe(200);
  });

  test('a time in the past makes a key expire now', async () => {
    const { id, key } = await keys('', { body: { name: 'n' } });
    await keys(`/${id}`, { method: 'PATCH', body: { expires_at: '2001-01-01T00:00:00Z' } });
    expect(await answerWith(key)).toEqual({ status: 403, body: errorOf('API key is expired', 'api_key_expired') });
  });
});

describe('states', () => {
  test('suspend, activate and revoke take effect on the next request, and revoke is final', async () => {
    const { id, key } = await keys('', { body: { name: 'n' } });
    expect((await keys(`/${id}/suspend`, post)).status).toBe('suspended');
    expect(await answerWith(key)).toEqual({ status: 403, body: errorOf('API key is suspended', 'api_key_suspended') });
    expect((await keys(`/${id}/activate`, post)).status).toBe('active');
    expect((await answerWith(key)).status).toBe(200);
    expect((await keys(`/${id}/revoke`, post)).status).toBe('revoked');
    expect(await answerWith(key)).toEqual({ status: 403, body: errorOf('API key is revoked', 'api_key_revoked') });
    // Twice is no error, whatever body comes with it.
    expect((await keys(`/${id}/revoke`, { ...post, body: 'no JSON' })).status).toBe('revoked');
    // The one request that passed is recorded a moment later.
    const before = await eventually(async () => {
      const key = await storedKey(bench.gateway, id);
      return key.last_used_at ? key : undefined;
    });
    for (const [method, path, body] of [
      ['POST', '/activate', undefined],
      ['POST', '/suspend', undefined],
      ['POST', '/rotate', {}],
      ['PATCH', '', { name: 'x' }],
    ] as const) {
      const answer = await adminCall(bench.gateway, `/api-keys/${id}${path}`, { method, body });
      expect([answer.status, answer.json]).toEqual([409, errorOf('API key is revoked, and that is final', 'conflict')]);
    }
    expect(await storedKey(bench.gateway, id)).toEqual(before);
  });

  test('last_used_at is the time of the last request', async () => {
    const { id, key } = await keys('', { body: { name: 'n' } });
    const before = Date.now();
    expect((await answerWith(key)).status).toBe(200);
    await admin(bench.gateway, '/usage');
    const usedAt = Date.parse((await keys(`/${id}`)).last_used_at);
    expect(usedAt).toBeGreaterThanOrEqual(before);
    expect(usedAt).toBeLessThanOrEqual(Date.now());
  });
});

describe('rotate', () => {
  test('gives the same key a new secret; the old one stops at once without a grace', async () => {
    const { key: old, ...created } = await keys('', { body: { name: 'n', rpm_limit: null } });
    expect((await answerWith(old)).status).toBe(200);
    const { key, ...rotated } = await keys(`/${created.id}/rotate`, post);
    expect(key).toMatch(/^sk-bve-[0-9a-f]{64}$/);
    expect(key).not.toBe(old);
    expect({ ...rotated, last_used_at: null }).toEqual({ ...created, prefix: key.slice(0, 12) });
    expect((await answerWith(key)).status).toBe(200);
    expect(await answerWith(old)).toEqual({ status: 401, body: errorOf('Invalid API key', 'invalid_api_key') });
  });

  test('with a grace both secrets work and count for one key, until the grace ends', async () => {
    const { id, key: old } = await keys('', { body: { name: 'n', rpm_limit: 3 } });
    const { key } = await keys(`/${id}/rotate`, { body: { grace_seconds: 60 } });
    expect([(await answerWith(old)).status, (await answerWith(key)).status]).toEqual([200, 200]);
    expect([(await answerWith(old)).status, (await answerWith(key)).status]).toEqual([200, 429]);
    await keys(`/${id}`, { method: 'PATCH', body: { rpm_limit: null } });
    // A later rotation without grace ends the secrets that are in theirs, too.
    const { key: newest } = await keys(`/${id}/rotate`, { body: { grace_seconds: 0 } });
    expect([(await answerWith(old)).status, (await answerWith(key)).status]).toEqual([401, 401]);
    expect((await answerWith(newest)).status).toBe(200);
  });

  test('the grace ends by itself', async () => {
    const { id, key: old } = await keys('', { body: { name: 'n', rpm_limit: null } });
    const beforeMs = Date.now();
    const { key } = await keys(`/${id}/rotate`, { body: { grace_seconds: 1 } });
    const afterMs = Date.now();
    // What is answered within the second is let in, what is sent behind it is not; between the two either may be.
    for (;;) {
      const sentMs = Date.now();
      const { status } = await answerWith(old);
      if (Date.now() < beforeMs + 1_000) expect(status).toBe(200);
      if (sentMs < afterMs + 1_000) continue;
      expect(status).toBe(401);
      break;
    }
    expect((await answerWith(key)).status).toBe(200);
  });

  test('a suspended key stays suspended', async () => {
    const { id } = await keys('', { body: { name: 'n' } });
    await keys(`/${id}/suspend`, post);
    const { key, status } = await keys(`/${id}/rotate`, post);
    expect(status).toBe('suspended');
    expect((await answerWith(key)).status).toBe(403);
  });
});

test('a change reaches another process on the same database within a second', async () => {
  const other = await startGatewayProcess({
    upstreamUrl: bench.mock.url,
    env: { LOG_LEVEL: 'warn', DATABASE_URL: bench.gateway.databaseUrl, ADMIN_API_KEY: ADMIN_KEY },
  });
  try {
    const { id, key } = await keys('', { body: { name: 'n', rpm_limit: null, rpd_limit: null } });
    expect(await statusWith(other, key)).toBe(200);
    await keys(`/${id}/suspend`, post);
    const suspendedAt = performance.now();
    // In use all the time; what is sent a second later is refused, however slow the machine.
    for (;;) {
      const sentAt = performance.now();
      const status = await statusWith(other, key);
      if (sentAt < suspendedAt + 1_000) continue;
      expect(status).toBe(403);
      break;
    }
  } finally {
    await other.stop();
  }
});

test('one key comes with its limits, as GET /v1/key shows them', async () => {
  const { id, key } = await keys('', {
    body: { name: 'n', rpm_limit: 5, monthly_token_limit: 1_000, max_concurrent: 2 },
  });
  expect(await statusWith(bench.gateway, key)).toBe(200);
  const { limits } = await keys(`/${id}`);
  const response = await fetch(`${bench.gateway.url}/v1/key`, { headers: { authorization: `Bearer ${key}` } });
  const shown = (await response.json()) as { limits: object; usage: object };
  expect(limits).toEqual(shown.limits);
  expect(limits.requests_per_minute).toEqual({
    limit: 5,
    used: 1,
    remaining: 4,
    resets_at: expect.stringMatching(ISO),
  });
  expect(Object.keys(limits)).toEqual([
    'requests_per_minute',
    'requests_per_day',
    'requests_per_month',
    'tokens_per_month',
    'concurrent_requests',
  ]);
  expect(Object.keys(shown.usage)).toEqual(['today', 'month']);
  for (const listed of await keys()) expect(listed.limits).toBeUndefined();
});

test('keys are searched by status and text, and listed page by page', async () => {
  const mark = crypto.randomUUID().slice(0, 13);
  const made = [];
  for (const name of ['a', 'b', 'c']) made.push(await keys('', { body: { name: `${name} ${mark}`, tags: { mark } } }));
  await keys(`/${made[1].id}/revoke`, post);
  const ids = async (query: string) => (await keys(`?${query}`)).map((key: { id: string }) => key.id);
  const all = await ids(`q=${mark.toUpperCase()}`);
  expect(all).toHaveLength(3);
  expect(await ids(`q=${mark}&status=revoked`)).toEqual([made[1].id]);
  expect(await ids(`q=c+${mark}`)).toEqual([made[2].id]);
  expect(await ids(`q=${made[0].id}`)).toEqual([made[0].id]);
  expect(await ids(`q=${mark}&limit=2`)).toEqual(all.slice(0, 2));
  expect(await ids(`q=${mark}&limit=2&after=${all[1]}`)).toEqual(all.slice(2));
  expect(await ids(`q=${mark}&after=${all[2]}&status=`)).toEqual([]);
});

describe('delete', () => {
  test('only a revoked key is deleted; its usage stays, its secret and its id are unknown from then on', async () => {
    const { id, key } = await keys('', { body: { name: 'n' } });
    expect(await statusWith(bench.gateway, key)).toBe(200);
    for (const action of ['', '/suspend', '/activate']) {
      if (action) await keys(`/${id}${action}`, post);
      const refused = await adminCall(bench.gateway, `/api-keys/${id}`, { method: 'DELETE' });
      expect([refused.status, refused.json]).toEqual([
        409,
        errorOf('Only a revoked API key can be deleted', 'conflict'),
      ]);
    }
    await keys(`/${id}/revoke`, post);
    const { status, text, headers } = await adminCall(bench.gateway, `/api-keys/${id}`, { method: 'DELETE' });
    expect([status, text, headers.get('cache-control')]).toEqual([204, '', 'no-store']);
    expect(headers.get('x-request-id')).toMatch(UUID);
    expect((await adminCall(bench.gateway, `/api-keys/${id}`)).status).toBe(404);
    expect((await adminCall(bench.gateway, `/api-keys/${id}`, { method: 'DELETE' })).status).toBe(404);
    expect(await answerWith(key)).toEqual({ status: 401, body: errorOf('Invalid API key', 'invalid_api_key') });
    expect((await admin(bench.gateway, `/usage?key_id=${id}`)).daily[0].requestCount).toBe(1);
    expect(await admin(bench.gateway, `/requests?key_id=${id}`)).toHaveLength(1);
  });
});

describe('the log', () => {
  const linesOf = (requestId: string) =>
    bench.gateway.logLines().filter((line) => line.request_id === requestId && line.msg === 'admin');

  test('tells of each change who made it and what it changed', async () => {
    const call = async (path: string, method: string, body?: unknown) => {
      const requestId = crypto.randomUUID();
      const answer = await adminCall(bench.gateway, `/api-keys${path}`, {
        method,
        headers: { 'x-request-id': requestId },
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status).toBeLessThan(300);
      const [line] = await eventually(() => (linesOf(requestId).length > 0 ? linesOf(requestId) : undefined));
      const { time, level, msg, request_id, address, key_id, ...told } = line as Record<string, unknown>;
      expect({ request_id, address, level }).toEqual({ request_id: requestId, address: '127.0.0.1', level: 'info' });
      expect(key_id).toBe(answer.json?.id ?? path.split('/')[1]!);
      return { id: String(key_id), told };
    };
    const { id, told } = await call('', 'POST', { name: 'n', rpm_limit: null, tags: { team: 'a' } });
    expect(told).toEqual({
      action: 'create',
      changes: {
        name: { from: null, to: 'n' },
        rpm_limit: { from: 60, to: null },
        tags: { from: {}, to: { team: 'a' } },
      },
    });
    const time = '2030-01-01T00:00:00.000Z';
    expect((await call(`/${id}`, 'PATCH', { name: 'n', rpd_limit: 5, expires_at: time })).told).toEqual({
      action: 'update',
      changes: { rpd_limit: { from: 10_000, to: 5 }, expires_at: { from: null, to: time } },
    });
    expect((await call(`/${id}/suspend`, 'POST')).told).toEqual({
      action: 'suspend',
      changes: { status: { from: 'active', to: 'suspended' } },
    });
    const prefixes = { from: expect.stringMatching(/^sk-bve-.{5}$/), to: expect.stringMatching(/^sk-bve-.{5}$/) };
    expect((await call(`/${id}/rotate`, 'POST', { grace_seconds: 9 })).told).toEqual({
      action: 'rotate',
      grace_seconds: 9,
      changes: { prefix: prefixes },
    });
    await call(`/${id}/revoke`, 'POST');
    expect((await call(`/${id}`, 'DELETE')).told).toEqual({ action: 'delete', changes: {} });
  });

  test('what changes nothing is no change', async () => {
    const { id } = await keys('', { body: { name: 'n' } });
    const requestId = crypto.randomUUID();
    await keys(`/${id}`, { method: 'PATCH', body: { name: 'n' }, headers: { 'x-request-id': requestId } });
    await keys(`/${id}/suspend`, post);
    await eventually(() => bench.gateway.logLines().some((line) => line.key_id === id && line.action === 'suspend'));
    expect(linesOf(requestId)).toEqual([]);
  });

  test('wrong admin keys are told of, however many come once a second, and what was given is not', async () => {
    const guesses = Array.from({ length: 300 }, (_, i) => `guess-${i}-of-an-admin-key`);
    await Promise.all(
      guesses.map((guess) => adminCall(bench.gateway, '/api-keys', { headers: { authorization: `Bearer ${guess}` } })),
    );
    const lines = () => bench.gateway.logLines().filter((line) => line.msg === 'wrong admin key');
    const attempts = () => lines().reduce((sum, line) => sum + Number(line.attempts), 0);
    await eventually(() => attempts() >= 300);
    expect(lines().length).toBeLessThan(30);
    expect(lines()[0]).toMatchObject({ level: 'warn', address: '127.0.0.1', request_id: expect.stringMatching(UUID) });
    expect(bench.gateway.output()).not.toContain('guess-');
  });
});

test('no admin key, client key or hash is in the log', async () => {
  const { key } = await keys('', { body: { name: 'n' } });
  await adminCall(bench.gateway, '/api-keys', { headers: { authorization: 'Bearer wrong-admin-key' } });
  const log = bench.gateway.output();
  for (const secret of [key, key.slice(12), ADMIN_KEY, 'wrong-admin-key']) expect(log).not.toContain(secret);
});
