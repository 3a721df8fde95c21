/** A gateway that may open few files, and more clients than that. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { BVE, type GatewayProcess, PEPPER, startGatewayProcess } from '../support/gateway.ts';
import { callOf, PLAIN, STREAM, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { connectTo, rawRequest, requestBytes } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

setDefaultTimeout(2 * TEST_TIMEOUT_MS);
const runs = process.platform === 'linux';
if (!runs) console.log('skipped: file descriptors are counted on Linux only');

const DESCRIPTORS = 256;
const CLIENTS = 400;
const EXHAUSTED = /clients take all file descriptors/;
/** Without the guard it is a whole core. */
const CPU_PART_MAX = 0.2;
const WATCHED_MS = 1000;

const withDescriptors = (count: number) => ['sh', '-c', `ulimit -n ${count}; exec "$@"`, 'sh'];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(): Promise<{ mock: MockServer; gateway: GatewayProcess }> {
  const mock = startMock({ port: 0, requestsMax: 10 });
  cleanups.push(() => mock.stop());
  const gateway = await startGatewayProcess({
    upstreamUrl: mock.url,
    env: { LOG_LEVEL: 'warn' },
    startedBy: withDescriptors(DESCRIPTORS),
  });
  cleanups.push(() => gateway.stop());
  return { mock, gateway };
}

async function connectAll(gateway: GatewayProcess): Promise<Socket[]> {
  const sockets = await Promise.all(Array.from({ length: CLIENTS }, () => connectTo(gateway.port)));
  cleanups.push(() => sockets.map((socket) => socket.destroy()));
  // Whoever is told to leave leaves.
  for (const socket of sockets) socket.on('error', () => {}).resume();
  return sockets;
}

/** Processor time of all its threads, milliseconds. */
function cpuMs(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const ns = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]));
  return ns.reduce((sum, one) => sum + one, 0) / 1e6;
}

async function expectCalm(gateway: GatewayProcess): Promise<void> {
  await eventually(() => EXHAUSTED.test(gateway.output()));
  const before = cpuMs(gateway.pid);
  const fromMs = performance.now();
  await Bun.sleep(WATCHED_MS);
  expect((cpuMs(gateway.pid) - before) / (performance.now() - fromMs)).toBeLessThan(CPU_PART_MAX);
}

function expectToldOnce(gateway: GatewayProcess): void {
  expect(gateway.logLines().filter(({ msg }) => EXHAUSTED.test(String(msg))).length).toBe(1);
}

const statusOf = async (gateway: GatewayProcess) =>
  (await rawRequest(gateway.port, callOf(gateway.key, { body: PLAIN }))).status;

describe.if(runs)(`${CLIENTS} clients of a gateway with ${DESCRIPTORS} file descriptors`, () => {
  test('that never send anything are closed, and others are served', async () => {
    const { gateway } = await start();
    await connectAll(gateway);
    await expectCalm(gateway);
    expect(await statusOf(gateway)).toBe(200);
    expectToldOnce(gateway);
  });

  test('that wait with open connections between requests are closed, and others are served', async () => {
    const { gateway } = await start();
    const request = requestBytes(callOf(gateway.key, { method: 'GET', path: '/health' }));
    for (const socket of await connectAll(gateway)) socket.write(request);
    await expectCalm(gateway);
    expect(await statusOf(gateway)).toBe(200);
    expectToldOnce(gateway);
  });

  test('with a request each are answered, all of them, with what upstream said or that there is no room', async () => {
    const { gateway } = await start();
    const statuses = await Promise.all(Array.from({ length: CLIENTS }, () => statusOf(gateway)));
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(50);
    expect(await statusOf(gateway)).toBe(200);
  });

  test('that stream: as many as have room, the others are told, and when they leave there is room at once', async () => {
    const { mock, gateway } = await start();
    mock.script({ events: 100_000, pace_ms: 100 });
    const open = async () => {
      const reader = await StreamReader.open(gateway.port, callOf(gateway.key, { body: STREAM }));
      cleanups.push(() => reader.leave());
      await reader.head();
      return reader;
    };
    const readers = await Promise.all(Array.from({ length: CLIENTS }, open));
    const streams = readers.filter((reader) => reader.answer.status === 200);
    expect(readers.filter((reader) => reader.answer.status === 503).length).toBe(CLIENTS - streams.length);
    expect(streams.length).toBeGreaterThan(50);
    await expectCalm(gateway);
    // Those that were let in go on.
    const before = streams.map((reader) => reader.bytes);
    await eventually(() => streams.every((reader, n) => reader.bytes > before[n]!));
    for (const reader of readers) reader.leave();
    mock.reset();
    const leftAtMs = performance.now();
    await eventually(async () => (await statusOf(gateway)) === 200);
    expect(performance.now() - leftAtMs).toBeLessThan(5000);
    expectToldOnce(gateway);
  });
});

test.if(runs)('a gateway with 120 file descriptors warms up and starts', async () => {
  const mock = startMock({ port: 0 });
  cleanups.push(() => mock.stop());
  const gateway = await startGatewayProcess({
    upstreamUrl: mock.url,
    env: { WARM_UP_REQUESTS: '500', LOG_LEVEL: 'warn' },
    startedBy: withDescriptors(120),
  });
  cleanups.push(() => gateway.stop());
  expect(await statusOf(gateway)).toBe(200);
  expect(gateway.logLines().map(({ msg }) => msg)).toContain(
    'ulimit -n allows fewer requests at once than MAX_CONCURRENT_REQUESTS',
  );
});

test.if(runs)('one with too few does not start, and says why in one line', async () => {
  const env = { PATH: process.env.PATH ?? '', FUELIX_API_KEY: 'fx', API_KEY_PEPPER: PEPPER, PORT: '0' };
  const child = Bun.spawn([...withDescriptors(40), ...BVE, 'serve'], { env, stdout: 'pipe', stderr: 'pipe', cwd: '/' });
  const text = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  expect([await child.exited, text]).toEqual([
    1,
    'bve serve: ulimit -n is 40: at least 64 file descriptors are needed\n',
  ]);
});
