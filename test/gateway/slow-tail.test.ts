/** Upstream is done, the client is not: the tail of an answer that waits for a slow reader. */
import { afterEach, beforeEach, expect, setDefaultTimeout, test } from 'bun:test';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { CHAT, STREAM } from '../support/pair.ts';
import { StreamReader } from '../support/reader.ts';

setDefaultTimeout(30_000);

/** Around what the kernel takes for a reader that does not read, so that upstream ends while some of these wait. */
const SIZES = Array.from({ length: 40 }, (_, i) => 150 + 8 * i);
const EVENT_BYTES = 16_384;

let mock: MockServer;
let gateway: GatewayProcess;

beforeEach(async () => {
  mock = startMock({ port: 0 });
  gateway = await startGatewayProcess({ upstreamUrl: mock.url, env: { LOG_LEVEL: 'warn' } });
});
afterEach(async () => {
  await gateway.stop();
  await mock.stop();
});

async function stalledReaders(): Promise<StreamReader[]> {
  mock.script((request) => ({ events: Number(request.get('x-request-id')), event_bytes: EVENT_BYTES }));
  const readers = await Promise.all(
    SIZES.map(async (events) => {
      const headers = { authorization: `Bearer ${gateway.key}`, 'x-request-id': String(events) };
      const reader = await StreamReader.open(gateway.port, { path: CHAT, headers, body: JSON.stringify(STREAM) });
      await reader.until('data: {');
      reader.socket.pause();
      return reader;
    }),
  );
  for (const events of SIZES) {
    const request = await mock.waitForRequest((other) => other.get('x-request-id') === String(events));
    // Everything is sent, or everything that fits.
    while (!request.end && !request.paused) await Bun.sleep(1);
  }
  return readers;
}

test('a gateway that stops lets slow readers have their whole tail, and records them complete', async () => {
  const readers = await stalledReaders();
  gateway.signal('SIGTERM');
  for (const reader of readers) reader.socket.resume();
  await Promise.all(readers.map((reader) => reader.until('data: [DONE]\n\n\r\n0\r\n\r\n')));
  expect(await gateway.exited).toBe(0);
  const records = await gateway.usage();
  expect(records.map(({ finish }) => finish)).toEqual(SIZES.map(() => 'complete'));
});

test('a reader that leaves instead leaves one record each, and its slot', async () => {
  const readers = await stalledReaders();
  for (const reader of readers) reader.leave();
  const records = await gateway.waitForUsage(SIZES.length);
  expect(records.length).toBe(SIZES.length);
  gateway.signal('SIGTERM');
  // With a slot still held it would wait for DRAIN_TIMEOUT_MS.
  expect(await gateway.exited).toBe(0);
});
