import { afterAll, beforeAll, expect, test } from 'bun:test';
import { ENDPOINTS } from '../../src/gateway/endpoints.ts';
import { forward } from '../../src/gateway/forward.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { CROWD, Pace } from '../../src/gateway/pace.ts';
import { Deadlines } from '../../src/http/deadlines.ts';
import { Permits } from '../../src/http/permits.ts';
import { createKey } from '../../src/keys/key.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { createLog } from '../../src/observe/log.ts';
import { HeaderBlock } from '../../src/upstream/header-block.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';

const HOUR_MS = 3_600_000;
const CHAT = ENDPOINTS.find(({ path }) => path === '/v1/chat/completions')!;
const { key, secret } = createKey({ name: 'test', rpmLimit: null, rpdLimit: null }, 0);

let mock: MockServer;

beforeAll(() => {
  mock = startMock();
});

afterAll(() => mock.stop());

/** A gateway in the middle of a crowd: who comes now waits for a turn. */
function crowded() {
  const records: UsageRecord[] = [];
  const pace = new Pace();
  for (let i = 0; i < CROWD; i++) expect(pace.turn(performance.now())).toBe(null);
  const places = { taken: 0 };
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
        places.taken++;
        return { granted: true, admittedAtMs: nowMs, release: () => places.taken-- };
      },
      charge: () => {},
      status: () => {
        throw new Error('not asked for');
      },
    },
    recorder: { record: (record) => records.push(record) },
    usage: { usageDays: async () => [] },
    permits: new Permits(CROWD),
    pace,
    connections: { allowQuiet: () => {}, boundQuiet: () => {} },
    deadlines: new Deadlines(HOUR_MS),
    limits: {
      maxBodyBytes: 1_000,
      requestBodyTimeoutMs: HOUR_MS,
      upstreamHeadTimeoutMs: HOUR_MS,
      upstreamIdleTimeoutMs: HOUR_MS,
      upstreamTotalTimeoutMs: HOUR_MS,
      clientStallTimeoutMs: HOUR_MS,
    },
    injectStreamUsage: false,
    commonFields: new HeaderBlock([['authorization', 'Bearer fx']]),
    log: createLog('silent'),
  };
  return { gateway, records, places };
}

function chat(signal: AbortSignal): Request {
  const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] });
  const headers = { authorization: `Bearer ${secret}`, 'content-length': String(body.length) };
  return new Request('http://gateway/v1/chat/completions', { method: 'POST', body, headers, signal });
}

test('who waits for a turn holds a slot and a place, and is answered when the turn comes', async () => {
  const { gateway, records, places } = crowded();
  const answer = forward(chat(new AbortController().signal), CHAT, gateway);
  expect([gateway.permits.inFlight, places.taken, mock.requests.length]).toEqual([1, 1, 0]);
  const response = await answer;
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('[DONE]');
  expect(mock.requests.length).toBe(1);
  expect([gateway.permits.inFlight, places.taken]).toEqual([0, 0]);
  expect(records.map(({ finish }) => finish)).toEqual(['complete']);
  gateway.client.close();
});

test('a request whose client leaves before its turn is never sent, and leaves one record and its slot', async () => {
  const { gateway, records, places } = crowded();
  const before = mock.requests.length;
  const client = new AbortController();
  const answer = forward(chat(client.signal), CHAT, gateway);
  client.abort();
  await answer;
  expect([gateway.permits.inFlight, places.taken, mock.requests.length - before]).toEqual([0, 0, 0]);
  expect(records.map(({ finish, status }) => [finish, status])).toEqual([['client_closed', 499]]);
  gateway.client.close();
});
