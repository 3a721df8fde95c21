import { expect, test } from 'bun:test';
import { monotonicNs } from '../../src/mock/clock.ts';
import { clientOf, mockServer } from './fixture.ts';

/**
 * The reads of an answer. A busy kernel may merge two writes into one read; then the request is repeated, a few times.
 */
async function readsOf(mock: object, apart: (reads: readonly Buffer[]) => boolean): Promise<readonly Buffer[]> {
  for (let tries = 1; ; tries++) {
    const client = await clientOf(mockServer());
    client.post({ mock });
    await client.until((text) => text.endsWith('\r\n0\r\n\r\n'));
    if (apart(client.reads) || tries === 5) return client.reads;
  }
}

test('split: every piece is a read of its own', async () => {
  const mock = { body: 'abcdefghij', framing: 'chunked', split: 3 };
  const reads = await readsOf(mock, (parts) => parts.length === 6);
  expect(reads.slice(1).map(String)).toEqual([
    '3\r\nabc\r\n',
    '3\r\ndef\r\n',
    '3\r\nghi\r\n',
    '1\r\nj\r\n',
    '0\r\n\r\n',
  ]);
});

test('split_at: cuts exactly there, inside a character too', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  const answer = await client.post({ mock: { body: 'a👋b', framing: 'chunked', split_at: [5, 3, 3, 0, 99] } }).answer();
  expect(answer.chunks.map((chunk) => chunk.length)).toEqual([3, 2, 1]);
  expect(answer.text).toBe('a👋b');
});

test('wire_split: the head and the chunk lines are cut too', async () => {
  const everyByte = (parts: readonly Buffer[]) => parts.every((read) => read.length === 1);
  expect(everyByte(await readsOf({ body: 'hello', framing: 'chunked', wire_split: 1 }, everyByte))).toBe(true);
  const server = mockServer();
  const client = await clientOf(server);
  await client.post({ mock: { body: 'hello', framing: 'chunked', wire_split: 1 } }).answer();
  expect(server.requests[0]!.bytesSent).toBe(5);
});

test('a body of 20,000 pieces of one byte arrives piece by piece', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  const answer = await client.post({ mock: { body: 'x'.repeat(20_000), framing: 'chunked', split: 1 } }).answer();
  expect(answer.chunks.length).toBe(20_000);
}, 20_000);

test('pace: pieces are no faster than asked, whatever the piece', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  const waits: [object, number][] = [
    [{ events: 5, pace_ms: 10 }, 50],
    [{ events: 5, pace_ms: 10, pace: 'none' }, 0],
    [{ body: 'abcde', pace: 'byte', pace_ms: 5 }, 20],
    [{ events: 100, pace_ms: 0.5 }, 50],
    [{ body: 'abcdef', split: 2, pace_ms: 10 }, 20],
    [{ body: '', head_delay_ms: 20 }, 20],
    [{ body: '.', first_delay_ms: 20 }, 20],
  ];
  for (const [mock, leastMs] of waits) {
    const startedMs = performance.now();
    await client.post({ stream: true, mock }).answer();
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(leastMs);
  }
});

test('first_delay_ms: the head comes at once, alone', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  client.post({ mock: { body: '.', first_delay_ms: 3_600_000 } });
  await client.until((text) => text.endsWith('\r\n\r\n'));
  client.leave();
  expect(await server.requests[0]!.closed).toBe('client_closed');
});

test('numbered events have the time of their creation, on the clock of this machine', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  const beforeNs = monotonicNs();
  const { text } = await client.post({ stream: true, mock: { events: 4, pace_ms: 4, event_bytes: 300 } }).answer();
  const events = text.split('\n\n').slice(0, -2);
  expect(events.map((event) => event.length + 2)).toEqual([300, 300, 300, 300]);
  const parsed = events.map((event) => JSON.parse(event.slice('data: '.length)) as { i: number; t: number });
  expect(parsed.map((event) => event.i)).toEqual([0, 1, 2, 3]);
  const times = [beforeNs, ...parsed.map((event) => event.t), monotonicNs()];
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  // The last one was not created together with the first.
  expect(parsed[3]!.t - beforeNs).toBeGreaterThanOrEqual(12_000_000);
});

test.each([
  [{ reorder: [0, 2] }, [2, 1, 0, 3]],
  [{ drop: 1 }, [0, 2, 3]],
  [{ duplicate: 3 }, [0, 1, 2, 3, 3]],
  [{ reorder: [1, 2], drop: 1, duplicate: 2 }, [0, 2, 2, 3]],
])('order fault %j', async (fault, numbers) => {
  const server = mockServer();
  const client = await clientOf(server);
  const { text } = await client.post({ stream: true, mock: { events: 4, ...fault } }).answer();
  expect([...text.matchAll(/"i":(\d+)/g)].map((match) => Number(match[1]))).toEqual(numbers);
  expect(text).toEndWith('data: [DONE]\n\n');
});

test('truncate_after_event: ends in order without [DONE]', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  const mock = { events: 4, truncate_after_event: 1, include_usage: true };
  const { text } = await client.post({ stream: true, mock }).answer();
  expect(text.match(/"i":\d/g)).toEqual(['"i":0', '"i":1']);
  expect(text).not.toMatch(/usage|DONE/);
});
