import { expect, test } from 'bun:test';
import { CHAT } from '../../src/formats/chat.ts';
import { LeaveDrains } from '../../src/gateway/leave-drains.ts';
import { Meter } from '../../src/gateway/meter.ts';
import { type Relay, relay } from '../../src/gateway/relay.ts';
import { Deadlines } from '../../src/http/deadlines.ts';
import { type UpstreamClient, UpstreamError, type UpstreamSink } from '../../src/upstream/client.ts';
import type { Finish } from '../../src/usage/usage-record.ts';

const HOUR_MS = 3_600_000;

/** One relayed answer whose upstream is the test itself. */
async function relayed(clock: { now(): number } = performance) {
  const told = Promise.withResolvers<UpstreamSink>();
  const paused = Promise.withResolvers<void>();
  const settled = Promise.withResolvers<Finish>();
  const client: UpstreamClient = {
    send: (_request, sink) => {
      told.resolve(sink);
      return { pause: paused.resolve, resume: () => {}, abort: () => {} };
    },
    close: () => {},
  };
  const signal = new AbortController();
  const response: Promise<Response> = relay(
    { method: 'POST', target: '/', headers: [], body: null },
    signal.signal,
    {
      accept: (status) => ({
        status,
        headers: new Headers(),
        hasBody: true,
        meter: new Meter(CHAT, 'sse'),
        filter: null,
        endsByTerminalEvent: false,
        refused: null,
      }),
      drainsOnLeave: false,
      onSent: () => {},
      onFirstByte: () => {},
      onLastByte: () => {},
      onCancelled: () => {},
      onSettled: (finish) => settled.resolve(finish),
    },
    {
      client,
      deadlines: new Deadlines(HOUR_MS),
      leaveDrains: new LeaveDrains(1),
      clock,
      limits: {
        upstreamHeadTimeoutMs: HOUR_MS,
        upstreamIdleTimeoutMs: HOUR_MS,
        upstreamTotalTimeoutMs: HOUR_MS,
        clientStallTimeoutMs: HOUR_MS,
        leaveDrainMs: HOUR_MS,
        streamBreak: 'event',
        streamHeartbeatMs: 0,
      },
    },
  ).then((answer) => answer.response());
  return {
    sink: await told.promise,
    response,
    paused: paused.promise,
    settled: settled.promise,
    leave: () => signal.abort(),
  };
}

test('what comes before anybody reads is kept as it came, though its memory is used again', async () => {
  const { sink, response } = await relayed();
  const body = sink.head(200, { get: () => null, keys: () => [] });
  const memory = new Uint8Array(10);
  for (let digit = 0; digit < 50; digit++) {
    memory.fill(0x30 + (digit % 10));
    body.data(memory.subarray(0, 1 + (digit % 10)));
  }
  memory.fill(0x78);
  body.end();
  const expected = Array.from({ length: 50 }, (_, digit) => `${digit % 10}`.repeat(1 + (digit % 10)));
  expect(await (await response).text()).toBe(expected.join(''));
});

test.each([
  ['with all of it delivered', false, 'complete'],
  ['while the end of it still waits for room', true, 'client_closed'],
])('a client that leaves behind the last event, %s, is on record as it was', async (_, stalled, expected) => {
  const { sink, response, paused, settled, leave } = await relayed();
  const body = sink.head(200, { get: () => null, keys: () => [] });
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => response });
  const delivered = Promise.withResolvers<void>();
  const client = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.port!,
    socket: {
      data: (_socket, bytes) => {
        if (bytes.includes('[DONE]')) delivered.resolve();
      },
      open: (socket) => void socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'),
    },
  });
  try {
    if (stalled) {
      client.pause();
      let full = false;
      void paused.then(() => {
        full = true;
      });
      const event = Buffer.from(`data: ${'x'.repeat(100_000)}\n\n`);
      while (!full) {
        body.data(event);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    body.data(Buffer.from('data: [DONE]\n\n'));
    if (!stalled) await delivered.promise;
    leave();
    expect(await settled).toBe(expected as Finish);
  } finally {
    client.terminate();
    await server.stop(true);
  }
});

test('a reset under way in a process that has run for long is not taken for a client that stopped reading', async () => {
  const clock = { now: () => performance.now() + 100 * HOUR_MS };
  const { sink, response, settled } = await relayed(clock);
  const body = sink.head(200, { get: () => null, keys: () => [] });
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => response });
  body.data(Buffer.from('data: {"half'));
  const reader = (await fetch(server.url)).body!.getReader();
  await reader.read();
  body.fail(new UpstreamError('reset', 'Upstream closed the connection'));
  (sink as Relay).check(clock.now());
  expect(await settled).toBe('upstream_interrupted');
  await reader.read().catch(() => {});
  await server.stop(true);
});
