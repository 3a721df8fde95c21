import { expect, test } from 'bun:test';
import { stoppedAt } from '../support/stopped-upstream.ts';
import { clientOf, mockServer } from './fixture.ts';
import { iterateUntil } from './raw-client.ts';

const ENDLESS = { events: 100_000_000, event_bytes: 1_000 };

test('a reader that stops stops the mock, and gets every event once when it reads on', async () => {
  const server = mockServer();
  const count = 20_000;
  const client = await clientOf(server);
  client.socket.pause();
  client.post({ stream: true, mock: { events: count, event_bytes: 1_000 } });
  const request = await server.waitForRequest();
  const sent = await stoppedAt(request);
  expect(sent).toBeLessThan(count * 1_000);
  for (let turn = 0; turn < 100; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  expect(request.bytesSent).toBe(sent);
  client.socket.resume();
  expect(await request.closed).toBe('finished');
  const tail = 'data: [DONE]\n\n';
  await iterateUntil(() => client.reads.at(-1)?.toString('latin1').endsWith('0\r\n\r\n') ?? false);
  const answer = await client.answer();
  expect(answer.body.length).toBe(count * 1_000 + tail.length);
  expect(request.bytesSent).toBe(answer.body.length);
  expect(answer.chunks.length).toBe(count + 1);
  let next = 0;
  for (const match of answer.text.matchAll(/"i":(\d+)/g)) expect(Number(match[1])).toBe(next++);
});

test('an endless stream does not cost the mock memory while it is not read', async () => {
  const server = mockServer({ scenario: ENDLESS });
  Bun.gc(true);
  const rssBefore = process.memoryUsage().rss;
  const clients = await Promise.all(Array.from({ length: 20 }, () => clientOf(server)));
  for (const client of clients) {
    client.socket.pause();
    client.post({ stream: true });
  }
  await server.waitForRequest((request) => request.sequence === 20);
  await iterateUntil(() => server.requests.every((request) => request.paused));
  Bun.gc(true);
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(100 * 1_048_576);
  for (const client of clients) client.leave();
  expect(await Promise.all(server.requests.map((request) => request.closed))).toEqual(Array(20).fill('client_closed'));
});

test('a client that disconnects ends the exchange, in the middle of a fast, a slow and a cut stream', async () => {
  const server = mockServer();
  for (const mock of [ENDLESS, { ...ENDLESS, pace_ms: 1 }, { body: 'x'.repeat(100_000), split: 1 }]) {
    const client = await clientOf(server);
    client.post({ stream: true, mock });
    await client.until((text) => text.includes('200 OK'));
    client.leave();
    const request = server.requests.at(-1)!;
    expect(await request.closed).toBe('client_closed');
    const { bytesSent } = request;
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    expect(request.bytesSent).toBe(bytesSent);
  }
  await iterateUntil(() => server.openConnections === 0);
});

test('a client that closes its half has disconnected', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  client.post({ stream: true, mock: { fault: { kind: 'hang' } } });
  const request = await server.waitForRequest();
  client.socket.end();
  expect(await request.closed).toBe('client_closed');
});
