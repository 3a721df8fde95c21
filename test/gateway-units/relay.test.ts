import { expect, test } from 'bun:test';
import { Deadlines } from '../../src/gateway/deadlines.ts';
import { Meter } from '../../src/gateway/meter.ts';
import { relay } from '../../src/gateway/relay.ts';
import type { UpstreamClient, UpstreamSink } from '../../src/upstream/client.ts';

const HOUR_MS = 3_600_000;

/** One relayed answer whose upstream is the test itself. */
async function relayed(): Promise<{ sink: UpstreamSink; response: Promise<Response> }> {
  const told = Promise.withResolvers<UpstreamSink>();
  const client: UpstreamClient = {
    send: (_request, sink) => {
      told.resolve(sink);
      return { pause: () => {}, resume: () => {}, abort: () => {} };
    },
    close: () => {},
  };
  const response = relay(
    { method: 'POST', target: '/', headers: [], body: null },
    new AbortController().signal,
    {
      accept: (status) => ({
        status,
        headers: new Headers(),
        meter: new Meter('chat', 'sse'),
        filter: null,
        interruption: null,
        endsByTerminalEvent: false,
      }),
      onFirstByte: () => {},
      onSettled: () => {},
    },
    {
      client,
      deadlines: new Deadlines(HOUR_MS),
      limits: {
        upstreamHeadTimeoutMs: HOUR_MS,
        upstreamIdleTimeoutMs: HOUR_MS,
        upstreamTotalTimeoutMs: HOUR_MS,
        clientStallTimeoutMs: HOUR_MS,
      },
    },
  );
  return { sink: await told.promise, response };
}

test('what comes before anybody reads is kept as it came, though its memory is used again', async () => {
  const { sink, response } = await relayed();
  sink.head(200, { get: () => null });
  const memory = new Uint8Array(10);
  for (let digit = 0; digit < 50; digit++) {
    memory.fill(0x30 + (digit % 10));
    sink.data(memory.subarray(0, 1 + (digit % 10)));
  }
  memory.fill(0x78);
  sink.end();
  const expected = Array.from({ length: 50 }, (_, digit) => `${digit % 10}`.repeat(1 + (digit % 10)));
  expect(await (await response).text()).toBe(expected.join(''));
});
