/** Invariant 3: a client that stops reading stops the upstream; the process holds next to nothing for it. */
import { describe, expect, test } from 'bun:test';
import type { ReceivedRequest } from '../../src/mock/received-request.ts';
import { CHAT, callOf, pair, STREAM } from '../support/pair.ts';
import { StreamReader } from '../support/reader.ts';
import { stoppedAt } from '../support/stopped-upstream.ts';

const MB = 1024 * 1024;
const EVENT_BYTES = 16_384;
/** Kernel buffers of four sockets on loopback, and little more. */
const IN_FLIGHT_MAX = 16 * MB;
const ENDLESS = { events: 100_000_000, event_bytes: EVENT_BYTES };

const p = pair();

async function openStalled(id: string, path = CHAT, readFirst = ''): Promise<StreamReader> {
  const reader = await StreamReader.open(
    p.gateway.port,
    callOf(p.gateway.key, { path, body: STREAM, headers: { 'x-request-id': id } }),
  );
  await reader.until(readFirst);
  reader.socket.pause();
  return reader;
}

const requestOf = (id: string) => p.mock.waitForRequest((request) => request.get('x-request-id') === id);

const stopOf = (request: ReceivedRequest) => stoppedAt(request, 8 * IN_FLIGHT_MAX);

async function stallAll(name: string, count: number): Promise<StreamReader[]> {
  const readers = await Promise.all(Array.from({ length: count }, (_, i) => openStalled(`${name}-${i}`)));
  await Promise.all(readers.map(async (_, i) => stopOf(await requestOf(`${name}-${i}`))));
  return readers;
}

async function leaveAll(name: string, readers: StreamReader[]): Promise<void> {
  for (const reader of readers) reader.leave();
  await Promise.all(readers.map(async (_, i) => (await requestOf(`${name}-${i}`)).closed));
}

describe('a reader that stops', () => {
  for (const path of [CHAT, '/v1/responses', '/v1/messages']) {
    test(`stops the upstream of ${path}`, async () => {
      p.mock.script(ENDLESS);
      const stops: number[] = [];
      // Not later: what a client has read makes its own kernel grow its buffer, which no gateway can bound.
      for (const [name, readFirst] of [
        ['at once', ''],
        ['at the first event', 'data: {'],
      ] as const) {
        const id = `stop-${path.slice(4).replaceAll('/', '-')}-${name.replaceAll(' ', '-')}`;
        using reader = await openStalled(id, path, readFirst);
        const request = await requestOf(id);
        stops.push((await stopOf(request)) - reader.bytes);
        expect(request.end).toBeUndefined();
        reader.leave();
        expect(await request.closed).toBe('client_closed');
        expect(await p.recordOf(id)).toMatchObject({ finish: 'client_closed', cancelMs: expect.any(Number) });
      }
      expect(Math.max(...stops)).toBeLessThan(IN_FLIGHT_MAX);
    });
  }

  test('makes the process hold next to nothing: below 2 MB each, ten at once', async () => {
    p.mock.script(ENDLESS);
    const COUNT = 10;
    // What the process keeps for later (buffers, compiled code) it has after two rounds.
    for (const round of ['warm-1', 'warm-2']) await leaveAll(round, await stallAll(round, COUNT));
    const before = p.gateway.rss();
    const readers = await stallAll('stalled', COUNT);
    expect(p.gateway.rss() - before).toBeLessThan(COUNT * 2 * MB);
    await leaveAll('stalled', readers);
  });

  test('and reads on gets every byte in order, and upstream goes on', async () => {
    const EVENTS = 2000;
    p.mock.script({ events: EVENTS, event_bytes: EVENT_BYTES });
    using reader = await openStalled('resumed');
    const request = await requestOf('resumed');
    const stopped = await stopOf(request);
    expect(stopped).toBeLessThan(IN_FLIGHT_MAX);
    reader.socket.resume();
    expect(await request.closed).toBe('finished');
    await reader.until('[DONE]\n\n\r\n0\r\n\r\n');
    expect(request.bytesSent).toBeGreaterThan(EVENTS * EVENT_BYTES);
    const { body, complete } = reader.answer;
    expect([complete, body.length]).toEqual([true, request.bytesSent]);
    const numbers = Array.from(
      Buffer.from(body)
        .toString('latin1')
        .matchAll(/"i":(\d+),/g),
      ([, i]) => Number(i),
    );
    expect(numbers).toEqual(Array.from({ length: EVENTS }, (_, i) => i));
    expect(await p.recordOf('resumed')).toMatchObject({ finish: 'complete', bytesOut: body.length });
  });

  test('and starts many times over gets every byte in order', async () => {
    const EVENTS = 3000;
    p.mock.script({ events: EVENTS, event_bytes: EVENT_BYTES });
    using reader = await openStalled('stutter');
    const request = await requestOf('stutter');
    while (!request.end) {
      reader.socket.resume();
      const target = reader.bytes + 2 * MB;
      while (reader.bytes < target && !request.end) await Bun.sleep(1);
      reader.socket.pause();
      await Bun.sleep(5);
    }
    reader.socket.resume();
    await reader.until('[DONE]\n\n\r\n0\r\n\r\n');
    const numbers = Array.from(
      Buffer.from(reader.answer.body)
        .toString('latin1')
        .matchAll(/"i":(\d+),/g),
      ([, i]) => Number(i),
    );
    expect(numbers).toEqual(Array.from({ length: EVENTS }, (_, i) => i));
  });

  test('does not hold up another one', async () => {
    p.mock.script((request) =>
      request.get('x-request-id') === 'holdup' ? ENDLESS : { events: 500, event_bytes: EVENT_BYTES },
    );
    using _reader = await openStalled('holdup');
    await stopOf(await requestOf('holdup'));
    const answer = await p.call();
    expect([answer.complete, answer.body.length]).toEqual([true, 500 * EVENT_BYTES + 'data: [DONE]\n\n'.length]);
  });

  test('and leaves while upstream breaks off leaves one record', async () => {
    p.mock.script({ ...ENDLESS, fault: { kind: 'reset', after_bytes: 8 * MB } });
    for (let round = 0; round < 5; round++) {
      using reader = await openStalled(`break-${round}`);
      reader.vanish();
      expect(['client_closed', 'upstream_interrupted']).toContain((await p.recordOf(`break-${round}`)).finish);
    }
    p.mock.reset();
    expect((await p.call()).status).toBe(200);
  });
});

describe('CLIENT_STALL_TIMEOUT_MS', () => {
  const q = pair({ env: { CLIENT_STALL_TIMEOUT_MS: '600', UPSTREAM_IDLE_TIMEOUT_MS: '300' } });

  const openOn = (id: string) =>
    StreamReader.open(q.gateway.port, callOf(q.gateway.key, { headers: { 'x-request-id': id } }));

  test('drops a client that does not read for so long; its answer never looks complete', async () => {
    q.mock.script(ENDLESS);
    using reader = await openOn('dropped');
    await reader.until('data: {');
    reader.socket.pause();
    expect(await (await q.mock.waitForRequest()).closed).toBe('client_closed');
    expect(await q.recordOf('dropped')).toMatchObject({ finish: 'error', errorCode: 'client_stalled', status: 200 });
    reader.socket.resume();
    await reader.ended();
    expect(reader.answer.complete).toBe(false);
    expect(reader.text).not.toContain('upstream_stream_interrupted');
  });

  test('does not drop one that reads slowly but steadily', async () => {
    q.mock.script({ events: 6000, event_bytes: EVENT_BYTES });
    using reader = await openOn('slow');
    const request = await q.mock.waitForRequest();
    const startedAt = performance.now();
    // Far slower than upstream could send: a burst of what the kernel has, and a pause.
    while (!request.end) {
      reader.socket.pause();
      await Bun.sleep(100);
      reader.socket.resume();
      const before = reader.bytes;
      while (reader.bytes === before && !request.end) await Bun.sleep(1);
    }
    expect(performance.now() - startedAt).toBeGreaterThan(700);
    await reader.until('[DONE]\n\n\r\n0\r\n\r\n');
    expect((await q.recordOf('slow')).finish).toBe('complete');
  });

  test('is not mixed up with silence of upstream: a stall longer than UPSTREAM_IDLE_TIMEOUT_MS is the client’s', async () => {
    q.mock.script({ events: 1500, event_bytes: EVENT_BYTES });
    using reader = await openOn('stalled');
    await reader.until('data: {');
    reader.socket.pause();
    const request = await q.mock.waitForRequest();
    while (!request.paused) await Bun.sleep(1);
    await Bun.sleep(400);
    reader.socket.resume();
    await reader.until('[DONE]\n\n\r\n0\r\n\r\n');
    expect((await q.recordOf('stalled')).finish).toBe('complete');
  });
});
