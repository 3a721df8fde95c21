/** Open streams are not held back by anything hidden: not by fetch's cap of 256, not by a pool. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { callOf, pair } from '../support/pair.ts';
import { StreamReader } from '../support/reader.ts';

const p = pair({ requestsMax: 10_000 });

/** Each stream takes two descriptors in the gateway, and two here: client and mock are both in this process. */
const FILES_MAX = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1024);
const MANY = Math.min(2000, Math.floor((FILES_MAX - 200) / 2));

const open = () => StreamReader.open(p.gateway.port, callOf(p.gateway.key, {}));

/** Connects in batches: the accept queue of a listening socket is short. */
async function openMany(count: number): Promise<StreamReader[]> {
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
  const readers = await openMany(400);
  await Promise.all(readers.map((reader) => reader.until('data: {')));
  expect(performance.now() - startedAt).toBeLessThan(5000);
  expect(p.mock.requests.length).toBe(400);
  expect(p.mock.requests.filter((request) => request.end !== undefined)).toEqual([]);
  for (const reader of readers) reader.leave();
  await Promise.all(p.mock.requests.map((request) => request.closed));
});

test(`${MANY} open streams at once: all complete, each with its own events in order`, async () => {
  expect(MANY).toBeGreaterThan(400);
  let go = () => {};
  const all = new Promise<void>((resolve) => {
    go = resolve;
  });
  // Each lasts about four seconds, so that all are open at the same time.
  p.mock.script(() => {
    if (p.mock.requests.length === MANY) go();
    return { events: 8, pace_ms: 500 };
  });
  const readers = await openMany(MANY);
  await all;
  expect(p.mock.requests.filter((request) => request.end !== undefined).length).toBe(0);
  await Promise.all(readers.map((reader) => reader.until('\r\n0\r\n\r\n')));
  for (const reader of readers) {
    const { status, complete, body } = reader.answer;
    const text = Buffer.from(body).toString();
    expect([status, complete]).toEqual([200, true]);
    expect(Array.from(text.matchAll(/"i":(\d+),/g), ([, i]) => Number(i))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(text).toEndWith('data: [DONE]\n\n');
    reader.leave();
  }
  const records = await p.gateway.waitForUsage(400 + MANY);
  expect(records.filter((record) => record.finish === 'complete').length).toBe(MANY);
});
