/** GET /v1/key: a key sees its limits, what is left, when it resets and what it has used; looking costs nothing. */
import { beforeEach, describe, expect, test } from 'bun:test';
import { clearOfMidnight, dayEndMs, keyWith, monthEndMs } from '../support/limited-key.ts';
import { jsonOf, PLAIN, pair, UUID } from '../support/pair.ts';

const p = pair();
beforeEach(clearOfMidnight);

describe('GET /v1/key', () => {
  const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

  test('shows the key, its limits, what is left of each, when it resets, and the usage so far', async () => {
    const flags = [
      '--rpm-limit',
      '10',
      '--rpd-limit',
      '20',
      '--monthly-limit',
      '30',
      '--monthly-token-limit',
      '4000',
      '--max-concurrent',
      '5',
    ];
    const { id, key, call } = await keyWith(
      p,
      ...flags,
      '--allowed-models',
      'm,n',
      '--expires-at',
      '2199-01-31T12:00:00Z',
    );
    const body = { ...PLAIN, mock: { usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 125 } } };
    for (let i = 0; i < 2; i++) await call({ body, headers: { 'x-request-id': `${id}-${i}` } });
    for (let i = 0; i < 2; i++) await p.recordOf(`${id}-${i}`);
    const answer = await call({ method: 'GET', path: '/v1/key' });
    expect(answer.status).toBe(200);
    expect(answer.header('content-type')).toStartWith('application/json');
    expect(answer.header('x-request-id')).toMatch(UUID);
    const usage = { requests: 2, prompt_tokens: 200, completion_tokens: 40, total_tokens: 250 };
    const monthEnd = new Date(monthEndMs()).toISOString();
    expect(jsonOf(answer)).toEqual({
      id,
      name: 'test',
      prefix: key.slice(0, 12),
      status: 'active',
      expires_at: '2199-01-31T12:00:00.000Z',
      allowed_endpoints: null,
      allowed_models: ['m', 'n'],
      limits: {
        requests_per_minute: { limit: 10, used: 2, remaining: 8, resets_at: expect.stringMatching(ISO) },
        requests_per_day: { limit: 20, used: 2, remaining: 18, resets_at: new Date(dayEndMs()).toISOString() },
        requests_per_month: { limit: 30, used: 2, remaining: 28, resets_at: monthEnd },
        tokens_per_month: { limit: 4000, used: 250, remaining: 3750, resets_at: monthEnd },
        concurrent_requests: { limit: 5, used: 0, remaining: 5, resets_at: null },
      },
      usage: { today: usage, month: usage },
    });
  });

  test('shows null where there is no limit, and no open minute before the first request', async () => {
    const { status } = await keyWith(p);
    const { limits } = await status();
    expect(limits.requests_per_minute).toEqual({ limit: null, used: 0, remaining: null, resets_at: null });
    expect(limits.concurrent_requests).toEqual({ limit: null, used: 0, remaining: null, resets_at: null });
  });

  test('is not counted, not refused and not recorded', async () => {
    const { id, call, status } = await keyWith(p, '--rpm-limit', '1', '--max-concurrent', '1');
    await call({ headers: { 'x-request-id': `${id}-1` } });
    for (let i = 0; i < 20; i++) expect((await status()).limits.requests_per_minute.used).toBe(1);
    await call({ headers: { 'x-request-id': `${id}-2` } });
    await p.recordOf(`${id}-2`);
    expect((await p.gateway.usage()).filter(({ keyId }) => keyId === id)).toHaveLength(2);
    expect(p.mock.requests.some(({ path }) => path.includes('/key'))).toBe(false);
  });

  test('needs a key that may be used, tells browsers so, and takes nothing but GET', async () => {
    const get = (authorization: string) =>
      p.call({ method: 'GET', path: '/v1/key', headers: { authorization, origin: 'https://a.example' } });
    const missing = await get('');
    expect(missing.status).toBe(401);
    expect(missing.header('access-control-allow-origin')).toBe('*');
    expect(jsonOf(missing)).toEqual({
      error: { message: 'Missing API key', type: 'invalid_request_error', code: 'missing_api_key' },
    });
    expect((await get(`Bearer sk-bve-${'0'.repeat(64)}`)).status).toBe(401);
    expect((await get(`Bearer ${p.gateway.key}`)).header('access-control-allow-origin')).toBe('*');
    const post = await p.call({ path: '/v1/key' });
    expect([post.status, post.header('allow')]).toEqual([405, 'GET, HEAD']);
    const preflight = await p.call({ method: 'OPTIONS', path: '/v1/key', headers: { origin: 'https://a.example' } });
    expect(preflight.status).toBe(204);
  });
});
