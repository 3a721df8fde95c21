/** Contract, section 5: what each limit lets through, what it says, and what is counted. */
import { beforeEach, describe, expect, test } from 'bun:test';
import type { Socket } from 'node:net';
import { createKey, hashKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { PEPPER } from '../support/gateway.ts';
import {
  clearOfMidnight,
  dayEndMs,
  expectLimit,
  type KeyJson,
  keyWith,
  LIMIT_REFUSALS,
  monthEndMs,
} from '../support/limited-key.ts';
import { CHAT, callOf, jsonOf, PLAIN, pair, STREAM } from '../support/pair.ts';
import { connectTo, readAnswer, requestBytes } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';
import { beginUpload } from '../support/uploads.ts';

const p = pair({ requestsMax: 20_000 });
beforeEach(clearOfMidnight);

/** Whole seconds until a moment: as many as when the answer was made, which is between the two times. */
function expectSecondsUntil(retryAfterS: number, endMs: number, fromMs: number): void {
  expect(retryAfterS).toBeLessThanOrEqual(Math.ceil((endMs - fromMs) / 1000));
  expect(retryAfterS).toBeGreaterThanOrEqual(Math.ceil((endMs - Date.now()) / 1000));
}

describe('a key that has used up', () => {
  test('its requests per minute is refused for the rest of the 60 s since the first', async () => {
    const { call } = await keyWith(p, '--rpm-limit', '3');
    const firstMs = Date.now();
    for (let i = 0; i < 3; i++) expect((await call()).status).toBe(200);
    const retryAfterS = expectLimit(await call(), LIMIT_REFUSALS.minute);
    expectSecondsUntil(retryAfterS, firstMs + 60_000, firstMs);
  });

  test('its requests per day is refused until UTC midnight', async () => {
    const { call } = await keyWith(p, '--rpd-limit', '2');
    for (let i = 0; i < 2; i++) expect((await call()).status).toBe(200);
    const fromMs = Date.now();
    expectSecondsUntil(expectLimit(await call(), LIMIT_REFUSALS.day), dayEndMs(), fromMs);
  });

  test('its requests per month is refused until the month ends', async () => {
    const { call } = await keyWith(p, '--monthly-limit', '1');
    expect((await call()).status).toBe(200);
    const fromMs = Date.now();
    expectSecondsUntil(expectLimit(await call(), LIMIT_REFUSALS.month), monthEndMs(), fromMs);
  });

  for (const [name, body, tokens] of [
    ['an answer', { ...PLAIN, mock: { usage: { prompt_tokens: 60, completion_tokens: 40, total_tokens: 100 } } }, 100],
    [
      'a stream',
      {
        ...STREAM,
        mock: {
          text: 'a b c',
          include_usage: true,
          usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 150 },
        },
      },
      150,
    ],
  ] as const) {
    test(`its tokens with ${name} gets that whole, and is refused from the next request on until the month ends`, async () => {
      const { call, status } = await keyWith(p, '--monthly-token-limit', '100');
      expect((await call({ body })).status).toBe(200);
      const fromMs = Date.now();
      expectSecondsUntil(expectLimit(await call(), LIMIT_REFUSALS.tokens), monthEndMs(), fromMs);
      expect((await status()).limits.tokens_per_month).toMatchObject({ limit: 100, used: tokens, remaining: 0 });
    });
  }

  test('one of its tokens less than the limit is let in once more', async () => {
    const { call } = await keyWith(p, '--monthly-token-limit', '100');
    const body = { ...PLAIN, mock: { usage: { prompt_tokens: 98, completion_tokens: 1, total_tokens: 99 } } };
    expect((await call({ body })).status).toBe(200);
    expect((await call({ body })).status).toBe(200);
    expectLimit(await call({ body }), LIMIT_REFUSALS.tokens);
  });

  test('a limit is told so on /v1/messages in the envelope of Anthropic', async () => {
    const { call } = await keyWith(p, '--rpm-limit', '1');
    const firstMs = Date.now();
    expect((await call()).status).toBe(200);
    const answer = await call({ path: '/v1/messages', headers: { 'x-request-id': 'mine-1' } });
    expect(answer.status).toBe(429);
    expect(answer.header('retry-after')).toMatch(/^\d+$/);
    expectSecondsUntil(Number(answer.header('retry-after')), firstMs + 60_000, firstMs);
    expect(jsonOf(answer)).toEqual({
      type: 'error',
      error: { type: 'rate_limit_error', message: LIMIT_REFUSALS.minute },
      request_id: 'mine-1',
    });
  });

  test('a limit is told so to a browser too', async () => {
    const { call } = await keyWith(p, '--rpm-limit', '1');
    await call();
    const answer = await call({ headers: { origin: 'https://app.example' } });
    expectLimit(answer, LIMIT_REFUSALS.minute);
    expect(answer.header('access-control-allow-origin')).toBe('*');
  });

  test('a limit is refused before the body is read, without asking upstream, and leaves a record', async () => {
    const { id, key, call } = await keyWith(p, '--rpm-limit', '1');
    await call();
    p.mock.reset();
    const headers = { authorization: `Bearer ${key}`, 'content-length': '5000', 'x-request-id': 'unread' };
    const { socket, answer } = await beginUpload(p.gateway.port, { path: CHAT, headers }, '{');
    expect((await answer).status).toBe(429);
    socket.destroy();
    expect(p.mock.requests).toHaveLength(0);
    const record = await p.recordOf('unread');
    expect(record).toMatchObject({ keyId: id, status: 429, finish: 'error', admittedAt: null, usageSource: 'none' });
  });
});

describe('what is counted', () => {
  test('a request refused by one limit uses up none of the others', async () => {
    const { call, status } = await keyWith(p, '--rpm-limit', '2', '--rpd-limit', '50', '--monthly-limit', '60');
    for (let i = 0; i < 10; i++) await call();
    const { limits } = await status();
    expect(limits.requests_per_minute).toMatchObject({ used: 2, remaining: 0 });
    expect(limits.requests_per_day).toMatchObject({ used: 2, remaining: 48 });
    expect(limits.requests_per_month).toMatchObject({ used: 2, remaining: 58 });
  });

  test('a request counts once it is admitted, whatever is found wrong with it after that', async () => {
    const { call, status } = await keyWith(p, '--allowed-models', 'm', '--max-concurrent', '1');
    expect((await call({ body: '{' })).status).toBe(400);
    expect((await call({ body: { model: 'other' } })).status).toBe(403);
    expect((await call({ body: { ...PLAIN, mock: { status: 500 } } })).status).toBe(502);
    expect((await call({ method: 'GET', path: '/v1/models' })).status).toBe(200);
    expect((await status()).limits).toMatchObject({ requests_per_day: { used: 4 }, concurrent_requests: { used: 0 } });
  });

  test('what never gets as far as the limits is not counted', async () => {
    const { call, status } = await keyWith(p);
    expect((await call({ path: '/v1/unknown' })).status).toBe(404);
    expect((await call({ method: 'PUT', path: CHAT })).status).toBe(405);
    expect((await call({ method: 'OPTIONS' })).status).toBe(204);
    expect((await status()).limits.requests_per_day.used).toBe(0);
  });

  test('tokens of all formats are charged, in the moment the answer ends', async () => {
    const { call, status } = await keyWith(p);
    const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 7 };
    await call({ body: { ...STREAM, mock: { text: 'a', include_usage: true, usage } } });
    expect((await status()).limits.tokens_per_month.used).toBe(7);
    const messages = { input_tokens: 10, output_tokens: 20, cache_read_input_tokens: 70 };
    await call({ path: '/v1/messages', body: { ...PLAIN, mock: { json: { type: 'message', usage: messages } } } });
    expect((await status()).limits.tokens_per_month.used).toBe(107);
    const responses = { input_tokens: 400, output_tokens: 500, total_tokens: 900 };
    await call({ path: '/v1/responses', body: { ...PLAIN, mock: { json: { object: 'response', usage: responses } } } });
    expect((await status()).limits.tokens_per_month.used).toBe(1007);
  });
});

describe('a gateway at its own limit', () => {
  const full = pair({ env: { MAX_CONCURRENT_REQUESTS: '1' } });

  test('refuses with 503 and counts nothing for the key', async () => {
    const { key } = await full.gateway.createKey('--rpm-limit', '5');
    const authorization = `Bearer ${key}`;
    full.mock.script({ events: 100_000, pace_ms: 10 });
    using held = await StreamReader.open(full.gateway.port, callOf(full.gateway.key, {}));
    const request = await full.mock.waitForRequest();
    expect((await full.call({ headers: { authorization } })).status).toBe(503);
    held.leave();
    await request.closed;
    const json = jsonOf(await full.call({ method: 'GET', path: '/v1/key', headers: { authorization } })) as KeyJson;
    expect(json.limits.requests_per_minute).toEqual({ limit: 5, used: 0, remaining: 5, resets_at: null });
  });
});

// Last: its many records make every look at all records slow.
describe('1,000 requests at once on a key with rpm_limit 100', () => {
  /** LIMITS_RUNS=50 takes 5 s on an idle machine of two cores; test/limits/contract.ts does 50 each time. */
  const RUNS = Number(process.env.LIMITS_RUNS ?? 10);
  const AT_ONCE = 1_000;

  test(`exactly 100 pass, in each of ${RUNS} runs`, async () => {
    const sockets = await Promise.all(Array.from({ length: AT_ONCE }, () => connectTo(p.gateway.port)));
    // Each answer adds listeners for the end of the connection.
    for (const socket of sockets) socket.setMaxListeners(0);
    const store = await openStore(p.gateway.databaseUrl, { busyTimeoutMs: 5_000 });
    try {
      for (let run = 0; run < RUNS; run++) {
        const { key, secret } = createKey({ name: `run ${run}`, rpmLimit: 100 }, Date.now());
        await store.insertKey(key, hashKey(secret, PEPPER));
        const request = requestBytes(callOf(secret, { method: 'GET', path: '/v1/models' }));
        const statuses = await Promise.all(sockets.map((socket) => statusOf(socket, request)));
        const counts = { passed: 0, refused: 0 };
        for (const status of statuses) {
          if (status === 200) counts.passed++;
          if (status === 429) counts.refused++;
        }
        expect({ run, ...counts }).toEqual({ run, passed: 100, refused: AT_ONCE - 100 });
      }
    } finally {
      await store.close();
      for (const socket of sockets) socket.destroy();
    }
  });
});

async function statusOf(socket: Socket, request: Buffer): Promise<number> {
  socket.write(request);
  return (await readAnswer(socket)).status;
}
