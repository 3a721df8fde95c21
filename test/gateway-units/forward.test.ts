import { afterAll, beforeAll, expect, test } from 'bun:test';
import { BURST_REQUESTS, BurstSmoother } from '../../src/gateway/burst-smoother.ts';
import { forward } from '../../src/gateway/forward.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { UsageObserver } from '../../src/usage/usage-observer.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { CHAT_ENDPOINT, chatRequest, dataPlane } from '../support/data-plane.ts';

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
  const observers = [new UsageObserver({ record: (record) => records.push(record) })];
  return { ...dataPlane(mock.url, { bursts, observers }), records };
}

test('a request that waits in a burst holds its permits, and is answered', async () => {
  const { gateway, records, keyPermits } = inBurst();
  const answer = forward(chatRequest({ stream: true }), CHAT_ENDPOINT, gateway);
  expect([gateway.permits.inFlight, keyPermits.taken, mock.requests.length]).toEqual([1, 1, 0]);
  const response = await answer;
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('[DONE]');
  expect(mock.requests.length).toBe(1);
  expect([gateway.permits.inFlight, keyPermits.taken]).toEqual([0, 0]);
  expect(records.map(({ finish }) => finish)).toEqual(['complete']);
  gateway.client.close();
});

test('a request whose client leaves meanwhile is never sent, leaves one record and gives its permits back', async () => {
  const { gateway, records, keyPermits } = inBurst();
  const before = mock.requests.length;
  const client = new AbortController();
  const answer = forward(chatRequest({ stream: true }, client.signal), CHAT_ENDPOINT, gateway);
  client.abort();
  await answer;
  expect([gateway.permits.inFlight, keyPermits.taken, mock.requests.length - before]).toEqual([0, 0, 0]);
  expect(records).toMatchObject([
    { finish: 'client_closed', status: 499, sentMs: null, cancelMs: null, target: null, attempts: 0 },
  ]);
  gateway.client.close();
});
