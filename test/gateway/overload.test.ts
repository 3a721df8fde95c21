/** More than there is room for: requests, body bytes and connections at once; and one key that wants all of it. */
import { describe, expect, test } from 'bun:test';
import { connect, type Socket } from 'node:net';
import { eventually } from '../support/eventually.ts';
import { callOf, jsonOf, type Pair, PLAIN, STREAM, startPair } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

const SLOTS = 50;
const MB = 1024 * 1024;

/** A gateway for each test: who has asked lately is remembered. */
const OPTIONS = {
  env: {
    MAX_CONCURRENT_REQUESTS: String(SLOTS),
    MAX_BODY_BYTES: String(4 * MB),
    MAX_BODY_BYTES_TOTAL: String(8 * MB),
    LOG_LEVEL: 'info',
  },
};
const SILENT = { events: 3, fault: { kind: 'silence', after_bytes: 10 } } as const;

async function openStreams(
  t: Pair,
  key: string,
  count: number,
): Promise<{ granted: StreamReader[]; refused: StreamReader[] }> {
  const readers = await Promise.all(
    Array.from({ length: count }, () => StreamReader.open(t.gateway.port, callOf(key, { body: STREAM }))),
  );
  await Promise.all(readers.map((reader) => reader.until('\r\n\r\n')));
  const isGranted = ({ text }: StreamReader) => text.startsWith('HTTP/1.1 200');
  return { granted: readers.filter(isGranted), refused: readers.filter((reader) => !isGranted(reader)) };
}
const leave = (readers: readonly StreamReader[]) => {
  for (const reader of readers) reader.socket.destroy();
};
/** Resolves when so many more streams get through. */
const isFree = (t: Pair) => eventually(async () => (await t.call({ body: PLAIN })).status === 200);

describe('overload', () => {
  test('slots, body bytes and connections are used up together: 503 at once with Retry-After, and health answers', async () => {
    await using t = await startPair(OPTIONS);
    t.mock.script((request) => (JSON.stringify(request.json ?? {}).includes('"stream":true') ? SILENT : undefined));
    const idle: Socket[] = [];
    for (let i = 0; i < 500; i++) idle.push(connect(t.gateway.port, '127.0.0.1'));
    const { granted, refused } = await openStreams(t, t.gateway.key, SLOTS * 4);
    expect([granted.length, refused.length]).toEqual([SLOTS, SLOTS * 3]);
    for (const { text } of refused) expect(text).toMatch(/^HTTP\/1\.1 503 .*retry-after: 1\r\n.*"code":"overloaded"/is);
    // By the gateway's own clock, on a machine that is busy with all of this.
    const times = await eventually(() => {
      const lines = t.gateway.logLines().filter(({ error_code }) => error_code === 'overloaded');
      return lines.length >= SLOTS * 3 && lines.map(({ duration_ms }) => Number(duration_ms)).sort((a, b) => a - b);
    });
    expect(times[Math.floor(times.length / 2)]!).toBeLessThan(5);
    expect((await rawRequest(t.gateway.port, { method: 'GET', path: '/health' })).status).toBe(200);
    expect((await rawRequest(t.gateway.port, { method: 'GET', path: '/ready' })).status).toBe(200);
    leave(granted);
    leave(refused);
    await isFree(t);

    // Bodies that wait for an answer hold their bytes.
    t.mock.script({ fault: { kind: 'hang' } });
    const long = JSON.stringify({ ...PLAIN, pad: 'x'.repeat(3 * MB) });
    const held = [1, 2].map(() => StreamReader.open(t.gateway.port, callOf(t.gateway.key, { body: long })));
    const holding = await Promise.all(held);
    await eventually(() => t.mock.requests.length >= 2);
    const third = await rawRequest(t.gateway.port, callOf(t.gateway.key, { body: long }));
    expect([third.status, third.header('retry-after')]).toEqual([503, '1']);
    expect(jsonOf(third)).toMatchObject({ error: { code: 'overloaded' } });
    t.mock.script({});
    expect((await t.call({ body: PLAIN })).status).toBe(200);
    leave(holding);
    for (const socket of idle) socket.destroy();
  });

  test('a key that is alone may take all slots; as soon as another asks, a tenth is for keys that hold little', async () => {
    await using t = await startPair(OPTIONS);
    t.mock.script(() => SILENT);
    const greedy = await t.gateway.createKey('--unlimited');
    const modest = await t.gateway.createKey('--unlimited');
    const { granted } = await openStreams(t, greedy.key, SLOTS);
    expect(granted).toHaveLength(SLOTS);
    expect((await openStreams(t, modest.key, 1)).granted).toHaveLength(0);
    // Slots that become free now are not the greedy one's, however often it asks.
    leave(granted.splice(0, 3));
    const theirs: StreamReader[] = [];
    await eventually(async () => {
      const again = await openStreams(t, greedy.key, 20);
      expect(again.granted).toHaveLength(0);
      leave(again.refused);
      const modestly = await openStreams(t, modest.key, 1);
      theirs.push(...modestly.granted);
      leave(modestly.refused);
      return theirs.length === 3;
    });
    leave([...granted, ...theirs]);
    t.mock.script({});
    await isFree(t);
  });
});
