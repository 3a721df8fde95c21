/** Open streams are not held back by anything hidden: not by fetch's cap of 256, not by a pool. */
import { afterAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { heldUpstream } from '../support/held-upstream.ts';
import { callOf, type Pair, pair } from '../support/pair.ts';
import { StreamReader } from '../support/reader.ts';

const p = pair({ requestsMax: 10_000 });

/** Each stream takes two descriptors in the gateway, and two here: client and mock are both in this process. */
const FILES_MAX = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1024);
const MANY = Math.min(2000, Math.floor((FILES_MAX - 200) / 2));

/** Connects in batches: the accept queue of a listening socket is short. */
async function openMany({ gateway }: Pair, count: number): Promise<StreamReader[]> {
  const open = () => StreamReader.open(gateway.port, callOf(gateway.key, {}));
  const readers: StreamReader[] = [];
  while (readers.length < count) {
    readers.push(...(await Promise.all(Array.from({ length: Math.min(200, count - readers.length) }, open))));
  }
  return readers;
}

test('400 streams at once: each has its first event while all others are open', async () => {
  // One event each, and then nothing: no stream ends, so one that had to wait for another would wait for ever.
  p.mock.script({ events: 2, fault: { kind: 'silence', after_bytes: 100 } });
  const startedAt = performance.now();
  const readers = await openMany(p, 400);
  await Promise.all(readers.map((reader) => reader.until('data: {')));
  // Far more than it takes.
  expect(performance.now() - startedAt).toBeLessThan(20_000);
  expect(p.mock.requests.length).toBe(400);
  expect(p.mock.requests.filter((request) => request.end !== undefined)).toEqual([]);
  for (const reader of readers) reader.leave();
  await Promise.all(p.mock.requests.map((request) => request.closed));
});

describe('held open by upstream', () => {
  const held = heldUpstream();
  afterAll(() => held.stop());
  const q = pair({ upstreamUrl: held.url });

  test(`${MANY} open streams at once: all complete, each with its own events in order`, async () => {
    expect(MANY).toBeGreaterThan(400);
    const event = (stream: number, i: number) => `data: {"stream":${stream},"i":${i},"choices":[]}\n\n`;
    const readers = await openMany(q, MANY);
    const requests = [];
    for (let stream = 0; stream < MANY; stream++) {
      const request = await held.next();
      request.begin(event(stream, 0));
      requests.push(request);
    }
    // All are open at the same time, and each has its first event, before any has its second.
    await Promise.all(readers.map((reader) => reader.until('"i":0,')));
    for (let i = 1; i < 8; i++) for (const [stream, request] of requests.entries()) request.event(event(stream, i));
    for (const request of requests) {
      request.event('data: [DONE]\n\n');
      request.end();
    }
    await Promise.all(readers.map((reader) => reader.until('\r\n0\r\n\r\n')));
    const streams = new Set<string>();
    for (const reader of readers) {
      const { status, complete, body } = reader.answer;
      const text = Buffer.from(body).toString();
      expect([status, complete]).toEqual([200, true]);
      expect(Array.from(text.matchAll(/"i":(\d+),/g), ([, i]) => Number(i))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      const own = new Set(Array.from(text.matchAll(/"stream":(\d+),/g), ([, stream]) => stream!));
      expect(own.size).toBe(1);
      for (const stream of own) streams.add(stream);
      expect(text).toEndWith('data: [DONE]\n\n');
      reader.leave();
    }
    expect(streams.size).toBe(MANY);
    const records = await q.gateway.waitForUsage(MANY);
    expect(records.filter((record) => record.finish === 'complete').length).toBe(MANY);
  });
});
