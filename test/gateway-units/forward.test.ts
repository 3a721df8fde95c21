import { afterAll, beforeAll, expect, test } from 'bun:test';
import { BURST_REQUESTS, BurstSmoother } from '../../src/gateway/burst-smoother.ts';
import { ENDPOINTS } from '../../src/gateway/endpoints.ts';
import { forward } from '../../src/gateway/forward.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { KeyMask } from '../../src/gateway/key-mask.ts';
import { LeaveDrains } from '../../src/gateway/leave-drains.ts';
import { BodyReader } from '../../src/http/body-reader.ts';
import { Deadlines } from '../../src/http/deadlines.ts';
import { Permits } from '../../src/http/permits.ts';
import { createKey } from '../../src/keys/key.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { createLog } from '../../src/observe/log.ts';
import { HeaderBlock } from '../../src/upstream/header-block.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { UsageObserver } from '../../src/usage/usage-observer.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';

const HOUR_MS = 3_600_000;
const CHAT = ENDPOINTS.find(({ path }) => path === '/v1/chat/completions')!;
const { key, secret } = createKey({ name: 'test', rpmLimit: null, rpdLimit: null }, 0);

let mock: MockServer;

beforeAll(() => {
  mock = startMock();
});

afterAll(() => mock.stop());

/** A gateway in the middle of a burst: what comes now waits for the next turn of the event loop. */
function inBurst() {
  const records: UsageRecord[] = [];
  const bursts = new BurstSmoother();
  for (let i = 0; i < BURST_REQUESTS; i++) expect(bursts.delay(performance.now())).toBe(null);
  const permits = { taken: 0 };
  const deadlines = new Deadlines(HOUR_MS);
  const gateway: Gateway = {
    client: new SocketClient(mock.url, {
      connectTimeoutMs: HOUR_MS,
      idleConnectionsMax: 1,
      idleLimitMs: HOUR_MS,
      ageMaxMs: HOUR_MS,
    }),
    keys: { lookup: () => ({ kind: 'active', key }) },
    limiter: {
      admit: (_key, nowMs) => {
        permits.taken++;
        return { granted: true, admittedAtMs: nowMs, reserve: () => null, release: () => permits.taken-- };
      },
      status: () => {
        throw new Error('not asked for');
      },
    },
    observers: [new UsageObserver({ record: (record) => records.push(record) })],
    keyMask: new KeyMask('fx'),
    upstream5xx: 'error',
    usage: { usageDays: async () => [] },
    permits: new Permits(BURST_REQUESTS),
    bursts,
    leaveDrains: new LeaveDrains(1),
    clock: performance,
    connections: { liftIdleTimeout: () => {}, restoreIdleTimeout: () => {} },
    deadlines,
    bodies: new BodyReader({ bytesMax: 1_000, bytesTotalMax: 10_000, timeoutMs: HOUR_MS, deadlines }),
    limits: {
      upstreamHeadTimeoutMs: HOUR_MS,
      upstreamIdleTimeoutMs: HOUR_MS,
      upstreamTotalTimeoutMs: HOUR_MS,
      clientStallTimeoutMs: HOUR_MS,
      leaveDrainMs: HOUR_MS,
      streamBreak: 'event',
    },
    injectStreamUsage: false,
    commonFields: new HeaderBlock([['authorization', 'Bearer fx']]),
    log: createLog('silent'),
  };
  return { gateway, records, permits };
}

function chat(signal: AbortSignal): Request {
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const headers = { authorization: `Bearer ${secret}`, 'content-length': String(body.length) };
  return new Request('http://gateway/v1/chat/completions', { method: 'POST', body, headers, signal });
}

test('a request that waits in a burst holds its permits, and is answered', async () => {
  const { gateway, records, permits } = inBurst();
  const answer = forward(chat(new AbortController().signal), CHAT, gateway);
  expect([gateway.permits.inFlight, permits.taken, mock.requests.length]).toEqual([1, 1, 0]);
  const response = await answer;
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('[DONE]');
  expect(mock.requests.length).toBe(1);
  expect([gateway.permits.inFlight, permits.taken]).toEqual([0, 0]);
  expect(records.map(({ finish }) => finish)).toEqual(['complete']);
  gateway.client.close();
});

test('a request whose client leaves meanwhile is never sent, leaves one record and gives its permits back', async () => {
  const { gateway, records, permits } = inBurst();
  const before = mock.requests.length;
  const client = new AbortController();
  const answer = forward(chat(client.signal), CHAT, gateway);
  client.abort();
  await answer;
  expect([gateway.permits.inFlight, permits.taken, mock.requests.length - before]).toEqual([0, 0, 0]);
  expect(records.map(({ finish, status }) => [finish, status])).toEqual([['client_closed', 499]]);
  gateway.client.close();
});
