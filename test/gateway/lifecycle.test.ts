/** Start and stop: what is printed, what is refused while draining, what is never lost. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { FUELIX_KEY, PEPPER, runBve, startGatewayProcess } from '../support/gateway.ts';
import { heldUpstream } from '../support/held-upstream.ts';
import { callOf, jsonOf, type Pair, PLAIN, pair, STREAM, startPair, TEST_TIMEOUT_MS, textOf } from '../support/pair.ts';
import { connectTo, type RawAnswer, rawRequest, readAnswer, requestBytes } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

setDefaultTimeout(TEST_TIMEOUT_MS);

const openStream = (p: Pair, id: string) =>
  StreamReader.open(p.gateway.port, callOf(p.gateway.key, { body: STREAM, headers: { 'x-request-id': id } }));

/** The gateway has taken notice of the signal: it says so, and then it drains and listens for a second one. */
async function stopping(p: Pair): Promise<void> {
  await eventually(() => p.gateway.logLines().some((line) => line.msg === 'stopping'));
  await eventually(async () => (await p.call({ method: 'GET', path: '/ready' })).status === 503);
}

/** Far more than it takes to stop, far less than the 25 s that open requests have by default. */
const AT_ONCE_MS = 15_000;

/** A connection that is open before the gateway stops listening. */
async function keptAlive(p: Pair) {
  const socket = await connectTo(p.gateway.port);
  const ask = (call: Parameters<typeof callOf>[1]): Promise<RawAnswer> => {
    const answer = readAnswer(socket);
    socket.write(requestBytes(callOf(p.gateway.key, call)));
    return answer;
  };
  expect((await ask({ method: 'GET', path: '/health' })).status).toBe(200);
  return { ask, [Symbol.dispose]: () => socket.destroy() };
}

/** Bun looks at idle connections every few seconds only, so this waits while the other tests run. */
let quiet: Promise<{ quietStreamWasComplete: boolean; closed: string[] }>;
beforeAll(() => {
  quiet = watchQuietConnections();
});

async function watchQuietConnections() {
  await using p = await startPair({ env: { CLIENT_IDLE_TIMEOUT_S: '1' } });
  const half = await connectTo(p.gateway.port);
  half.on('error', () => {});
  half.resume();
  half.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthoriz');
  const halfClosed = new Promise((resolve) => half.once('close', resolve));
  p.mock.script((request) => (request.get('x-request-id') === 'paused' ? { events: 1, pace_ms: 9000 } : {}));
  using kept = await openStream(p, 'kept-alive');
  using paused = await openStream(p, 'paused');
  await kept.until('[DONE]\n\n\r\n0\r\n\r\n');
  const closed = [kept.ended().then(() => 'kept alive'), halfClosed.then(() => 'half a head')];
  await paused.until('[DONE]\n\n\r\n0\r\n\r\n');
  return { quietStreamWasComplete: paused.answer.complete, closed: await Promise.all(closed) };
}

describe('health and readiness', () => {
  const p = pair();

  test('GET /health is 200 with {"status":"ok"}, without a key', async () => {
    const answer = await p.call({ method: 'GET', path: '/health', headers: { authorization: '' } });
    expect([answer.status, jsonOf(answer)]).toEqual([200, { status: 'ok' }]);
    expect(answer.header('content-type')).toStartWith('application/json');
  });

  test('GET /ready is 200, without a key, and whether or not upstream is there', async () => {
    expect((await p.call({ method: 'GET', path: '/ready', headers: { authorization: '' } })).status).toBe(200);
    p.mock.refuseConnections();
    expect((await p.call({ method: 'GET', path: '/ready', headers: { authorization: '' } })).status).toBe(200);
    p.mock.acceptConnections();
  });

  test('PORT=0 is told in the log: the port that is listened on', async () => {
    const line = p.gateway.logLines().find((entry) => String(entry.msg).startsWith('listening on '))!;
    expect(line).toMatchObject({ level: 'info', port: p.gateway.port, url: `http://127.0.0.1:${p.gateway.port}` });
    expect(p.gateway.port).toBeGreaterThan(0);
  });
});

test('the port is told even with LOG_LEVEL=silent', async () => {
  // startPair waits for that very line.
  await using p = await startPair({ env: { LOG_LEVEL: 'silent' } });
  expect((await p.call()).status).toBe(200);
  expect(p.gateway.logLines().length).toBe(1);
});

describe('SIGTERM', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`lets an open stream finish, then the process ends with 0 (${signal})`, async () => {
      using upstream = new DisposableStack();
      const held = heldUpstream();
      upstream.defer(() => held.stop());
      await using p = await startPair({ env: { LOG_LEVEL: 'info' }, upstreamUrl: held.url });
      using stream = await openStream(p, 'drained');
      const request = await held.next();
      request.begin('data: {"i":1}\n\n');
      await stream.until('"i":1');
      p.gateway.signal(signal);
      await stopping(p);
      request.event('data: {"i":2}\n\n');
      await stream.until('"i":2');
      expect(stream.answer.complete).toBe(false);
      request.event('data: [DONE]\n\n');
      request.end();
      await stream.until('[DONE]\n\n\r\n0\r\n\r\n');
      expect(stream.answer.complete).toBe(true);
      expect(await p.gateway.exited).toBe(0);
      expect((await p.recordOf('drained')).finish).toBe('complete');
    });
  }

  test('while draining /ready is 503, new requests are 503 with Retry-After, and the open stream goes on', async () => {
    await using p = await startPair({ env: { LOG_LEVEL: 'info' } });
    p.mock.script({ events: 100_000, pace_ms: 10 });
    using stream = await openStream(p, 'held');
    await stream.until('"i":1,');
    p.gateway.signal('SIGTERM');
    await stopping(p);
    expect((await p.call({ method: 'GET', path: '/ready' })).status).toBe(503);
    for (const [path, body] of [
      ['/v1/chat/completions', STREAM],
      ['/v1/embeddings', PLAIN],
    ] as const) {
      const refused = await p.call({ path, body });
      expect(refused.status).toBe(503);
      expect(jsonOf(refused)).toMatchObject({ error: { type: 'api_error', code: 'overloaded' } });
      expect(refused.header('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(refused.header('x-request-id')).not.toBeNull();
    }
    expect((await p.call({ method: 'GET', path: '/health' })).status).toBe(200);
    expect(p.mock.requests.length).toBe(1);
    const before = stream.bytes;
    await eventually(() => stream.bytes > before);
  });

  test('lets the last answer reach its client, also one that is made of what upstream said', async () => {
    using upstream = new DisposableStack();
    const held = heldUpstream();
    upstream.defer(() => held.stop());
    await using p = await startPair({ env: { LOG_LEVEL: 'info' }, upstreamUrl: held.url });
    const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'm');
    const headers = { authorization: `Bearer ${key}`, origin: 'http://x' };
    const answer = p.call({ method: 'GET', path: '/v1/models', headers });
    const request = await held.next();
    p.gateway.signal('SIGTERM');
    await stopping(p);
    request.json(200, { object: 'list', data: [{ id: 'm' }, { id: 'n' }] });
    expect([(await answer).status, jsonOf(await answer)]).toEqual([200, { object: 'list', data: [{ id: 'm' }] }]);
    expect(await p.gateway.exited).toBe(0);
  });

  test('a second one cuts what is open: its client sees a break, its record an error, and the process ends with 0', async () => {
    await using p = await startPair({ env: { LOG_LEVEL: 'info' } });
    p.mock.script({ events: 100_000, pace_ms: 10 });
    using stream = await openStream(p, 'cut');
    await stream.until('"i":1,');
    p.gateway.signal('SIGTERM');
    await stopping(p);
    const cutAt = performance.now();
    p.gateway.signal('SIGTERM');
    expect(await p.gateway.exited).toBe(0);
    expect(performance.now() - cutAt).toBeLessThan(AT_ONCE_MS);
    await stream.ended();
    expectCut(stream);
    const record = await p.recordOf('cut');
    expect(record).toMatchObject({ finish: 'error', errorCode: 'overloaded', status: 200, cancelMs: null });
    expect(record.bytesOut).toBeGreaterThan(0);
    expect(await (await p.mock.waitForRequest()).closed).toBe('client_closed');
  });

  test('cuts by itself after DRAIN_TIMEOUT_MS', async () => {
    await using p = await startPair({ env: { LOG_LEVEL: 'info', DRAIN_TIMEOUT_MS: '300' } });
    p.mock.script({ fault: { kind: 'hang' } });
    using stream = await openStream(p, 'overdue');
    await p.mock.waitForRequest();
    const signalledAt = performance.now();
    p.gateway.signal('SIGTERM');
    expect(await p.gateway.exited).toBe(0);
    expect(performance.now() - signalledAt).toBeGreaterThan(290);
    expect(performance.now() - signalledAt).toBeLessThan(AT_ONCE_MS);
    await stream.ended();
    await p.recordOf('overdue');
  });

  test('with nothing in flight ends at once, although clients and upstream hold idle connections open', async () => {
    await using p = await startPair();
    using connection = await keptAlive(p);
    expect((await connection.ask({ body: PLAIN })).status).toBe(200);
    expect(p.mock.openConnections).toBeGreaterThan(0);
    const signalledAt = performance.now();
    p.gateway.signal('SIGTERM');
    expect(await p.gateway.exited).toBe(0);
    expect(performance.now() - signalledAt).toBeLessThan(AT_ONCE_MS);
  });

  test('loses no usage record: all of 1,000 requests are there', async () => {
    await using p = await startPair({ requestsMax: 2000 });
    const TOTAL = 1000;
    for (let done = 0; done < TOTAL; done += 50) {
      await Promise.all(Array.from({ length: 50 }, () => p.call({ body: PLAIN })));
    }
    p.gateway.signal('SIGTERM');
    expect(await p.gateway.exited).toBe(0);
    const records = await p.gateway.usage();
    expect(records.length).toBe(TOTAL);
    expect(new Set(records.map((record) => record.requestId)).size).toBe(TOTAL);
    expect(records.every((record) => record.finish === 'complete' && record.usageSource === 'upstream')).toBe(true);
  });

  test('in the middle of 200 streams loses no record either: those cut leave one each', async () => {
    await using p = await startPair({ env: { DRAIN_TIMEOUT_MS: '0' } });
    p.mock.script({ events: 100_000, pace_ms: 10 });
    const streams = await Promise.all(Array.from({ length: 200 }, (_, i) => openStream(p, `open-${i}`)));
    await Promise.all(streams.map((stream) => stream.until('"i":1,')));
    p.gateway.signal('SIGTERM');
    expect(await p.gateway.exited).toBe(0);
    for (const stream of streams) {
      await stream.ended();
      expectCut(stream);
    }
    const records = await p.gateway.usage();
    expect(records.every((record) => record.finish === 'error')).toBe(true);
    expect(new Set(records.map((record) => record.requestId)).size).toBe(200);
    expect(records.length).toBe(200);
  });
});

/** It ends with one error event, like any stream that breaks between two events, and does not look whole. */
function expectCut(stream: StreamReader): void {
  const text = textOf(stream.answer);
  expect(text.split('"code":"upstream_stream_interrupted"').length).toBe(2);
  expect(text).not.toContain('[DONE]');
  for (const event of text.trimEnd().split('\n\n')) JSON.parse(event.slice('data: '.length));
}

test('kill -9 loses at most the last 100 ms of records', async () => {
  await using p = await startPair();
  for (let n = 0; n < 50; n++) await p.call({ body: PLAIN, headers: { 'x-request-id': `before-${n}` } });
  // That much time has to pass: it is what the contract allows to be lost. Only such counts in which the gateway was running.
  for (let livedMs = 0; livedMs < 150; ) {
    const fromMs = performance.now();
    await p.call({ method: 'GET', path: '/health' });
    await Bun.sleep(2);
    livedMs += Math.min(performance.now() - fromMs, 10);
  }
  p.gateway.signal('SIGKILL');
  await p.gateway.exited;
  expect((await p.gateway.usage()).length).toBe(50);
});

describe('a start that cannot be', () => {
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    FUELIX_API_KEY: FUELIX_KEY,
    API_KEY_PEPPER: PEPPER,
    FUELIX_BASE_URL: 'http://127.0.0.1:9/v1',
  };

  async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'bve-start-'));
    try {
      await run(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Exit code 1 and one line that says why; no stack. */
  async function expectFailure(extra: Record<string, string>, message: RegExp): Promise<void> {
    await inFolder(async (folder) => {
      const ran = await runBve(
        ['serve'],
        { ...env, DATABASE_URL: `sqlite://${join(folder, 'bve.db')}`, ...extra },
        folder,
      );
      expect(ran.exitCode).toBe(1);
      const lines = (ran.stdout + ran.stderr).split('\n').filter((line) => line.trim() !== '');
      expect(lines.length).toBe(1);
      expect(lines[0]).toMatch(message);
      expect(lines[0]).not.toContain(' at ');
    });
  }

  test('the port is taken: 1, naming PORT', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    await expectFailure({ PORT: String(port) }, new RegExp(`PORT.*${port}.*in use|${port}.*in use`));
    await new Promise((resolve) => taken.close(resolve));
  });

  test('two gateways on one port: the second is refused, the first keeps all traffic', async () => {
    await using p = await startPair();
    await expectFailure({ PORT: String(p.gateway.port) }, /in use/);
    expect((await p.call()).status).toBe(200);
  });

  test('the folder of the database does not exist: 1', () =>
    expectFailure({ DATABASE_URL: 'sqlite:///nonexistent/folder/bve.db' }, /database|sqlite|DATABASE_URL/i));
  test('the database is a folder: 1', () =>
    inFolder((folder) => expectFailure({ DATABASE_URL: `sqlite://${folder}` }, /database|sqlite|DATABASE_URL/i)));
  test('the database is no database: 1', () =>
    inFolder(async (folder) => {
      const file = join(folder, 'text.db');
      await Bun.write(file, 'this is plain text, and long enough not to be taken for an empty file\n'.repeat(100));
      await expectFailure({ DATABASE_URL: `sqlite://${file}` }, /database|sqlite|DATABASE_URL/i);
      expect(await Bun.file(file).text()).toStartWith('this is plain text');
    }));
  for (const HOST of [
    '203.0.113.1',
    '999.1.1.1',
    'nosuch.invalid',
    'localhost:80',
    '[::1',
    'b\u00fccher.example',
    'x'.repeat(300),
  ]) {
    test(`HOST ${HOST.slice(0, 40)} is no address of this machine: 1, naming it`, () =>
      expectFailure({ HOST }, new RegExp(`^bve serve: HOST ${RegExp.escape(HOST)} is no address of this machine`)));
  }
});

test('a restart on the same database knows keys and records', async () => {
  await using p = await startPair();
  await p.call({ body: PLAIN, headers: { 'x-request-id': 'first-life' } });
  p.gateway.signal('SIGTERM');
  expect(await p.gateway.exited).toBe(0);
  const folder = mkdtempSync(join(tmpdir(), 'bve-again-'));
  const again = await startGatewayProcess({
    upstreamUrl: p.mock.url,
    folder,
    env: { DATABASE_URL: p.gateway.databaseUrl },
  });
  try {
    const answer = await rawRequest(again.port, callOf(p.gateway.key, { body: PLAIN }));
    expect([answer.status, textOf(answer).includes('chat.completion')]).toEqual([200, true]);
  } finally {
    await again.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('connections on which nothing moves are closed, half a head or kept alive after a stream; a stream that pauses is not', async () => {
  expect(await quiet).toEqual({ quietStreamWasComplete: true, closed: ['kept alive', 'half a head'] });
});
