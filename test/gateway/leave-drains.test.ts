/** Contract, section 1, "A client that leaves": an answer whose usage is still to come is read on, so that it is charged. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { type HeldRequest, heldUpstream } from '../support/held-upstream.ts';
import { CHAT, callOf, jsonOf, PLAIN, STREAM, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

setDefaultTimeout(TEST_TIMEOUT_MS);

const CONTENT = 'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n';
const FINISH = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n';
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":12,"total_tokens":42}}\n\n';
const DONE = 'data: [DONE]\n\n';

let upstream: ReturnType<typeof heldUpstream>;
let gateway: GatewayProcess;

async function start(env: Record<string, string>): Promise<void> {
  upstream = heldUpstream();
  gateway = await startGatewayProcess({ upstreamUrl: upstream.url, env: { LOG_LEVEL: 'warn', ...env } });
}

async function stop(): Promise<void> {
  await gateway.stop();
  upstream.stop();
}

async function keyWith(...flags: string[]): Promise<string> {
  return (await gateway.createKey('--unlimited', ...flags)).key;
}

/** A stream that has begun; the client has all of its first event. */
async function begun(key: string, first = CONTENT, call: { path?: string; body?: unknown } = {}) {
  const id = crypto.randomUUID();
  const client = await StreamReader.open(gateway.port, callOf(key, { headers: { 'x-request-id': id }, ...call }));
  const request = await upstream.next();
  request.begin(first);
  await client.until(first.trimEnd().slice(-20));
  return { id, client, request };
}

const recordOf = (id: string) =>
  eventually(
    async () => (await gateway.usage()).find(({ requestId }) => requestId === id),
    () => `no usage record of ${id}`,
  );

/** That the gateway knows by now that a client has left: it has answered a request which was sent after that. */
async function noticed(client: StreamReader): Promise<void> {
  await client.ended();
  for (let trip = 0; trip < 5; trip++) await rawRequest(gateway.port, { method: 'GET', path: '/health' });
}

async function isOpen(request: HeldRequest): Promise<boolean> {
  return (await Promise.race([request.connection.closed.then(() => 'closed'), Promise.resolve('open')])) === 'open';
}

async function expectReadOn({ client, request }: { client: StreamReader; request: HeldRequest }): Promise<void> {
  client.leave();
  await noticed(client);
  expect(await isOpen(request)).toBe(true);
}

describe('a client that leaves', () => {
  beforeAll(() => start({ LEAVE_DRAINS_MAX: '1' }));
  afterAll(stop);

  test('between the finish_reason and the usage event is charged for it', async () => {
    const stream = await begun(gateway.key);
    stream.request.event(FINISH);
    await stream.client.until('"stop"');
    await expectReadOn(stream);
    stream.request.event(USAGE);
    await stream.request.connection.closed;
    const record = await recordOf(stream.id);
    expect(record).toMatchObject({
      finish: 'client_closed',
      errorCode: null,
      usageSource: 'upstream',
      totalTokens: 42,
    });
    expect(record.cancelMs).toBeGreaterThan(0);
  });

  test('so, with the finish_reason cut in two and the usage in the same read, is charged for it', async () => {
    const stream = await begun(gateway.key);
    stream.request.event(FINISH.slice(0, 36));
    await stream.client.until(FINISH.slice(20, 36));
    stream.request.event(FINISH.slice(36));
    await stream.client.until('"stop"');
    await expectReadOn(stream);
    stream.request.event(USAGE + DONE);
    stream.request.end();
    expect(await recordOf(stream.id)).toMatchObject({ finish: 'client_closed', totalTokens: 42 });
  });

  test('after the stop_reason of a message that has no usage yet is charged for what follows', async () => {
    const delta = 'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n';
    const stream = await begun(gateway.key, delta, { path: '/v1/messages' });
    await expectReadOn(stream);
    stream.request.event(
      'event: message_delta\ndata: {"type":"message_delta","delta":{},"usage":{"input_tokens":3,"output_tokens":4}}\n\n',
    );
    expect(await recordOf(stream.id)).toMatchObject({
      finish: 'client_closed',
      usageSource: 'upstream',
      totalTokens: 7,
    });
  });

  test('is waited for two seconds by nobody: upstream is cancelled when no usage comes', async () => {
    const stream = await begun(gateway.key, CONTENT + FINISH);
    await expectReadOn(stream);
    await stream.request.connection.closed;
    const record = await recordOf(stream.id);
    expect(record).toMatchObject({ finish: 'client_closed', usageSource: 'none' });
    expect(record.cancelMs).toBeGreaterThan(1900);
    expect(record.cancelMs).toBeLessThan(5000);
  });

  test.each([
    ['in the middle of the content', CONTENT],
    ['when one choice has ended and another goes on', FINISH + CONTENT],
    ['when every chunk has an empty finish_reason', CONTENT.replace('null', '""')],
  ])('%s cancels upstream at once', async (_, first) => {
    const { id, client, request } = await begun(gateway.key, first);
    client.leave();
    await request.connection.closed;
    const record = await recordOf(id);
    expect(record).toMatchObject({ finish: 'client_closed', usageSource: 'none', status: 200 });
    expect(record.cancelMs).toBeGreaterThanOrEqual(0);
    expect(record.cancelMs).toBeLessThan(500);
  });

  test('of a key with a token limit is read on, keeps its permit meanwhile, and its limit holds', async () => {
    const key = await keyWith('--monthly-token-limit', '40', '--max-concurrent', '1');
    const stream = await begun(key);
    await expectReadOn(stream);
    const refused = await rawRequest(gateway.port, callOf(key, { body: STREAM }));
    expect([refused.status, jsonOf(refused)]).toEqual([
      429,
      { error: expect.objectContaining({ message: 'Rate limit exceeded: concurrent requests' }) },
    ]);
    stream.request.event(CONTENT + FINISH + USAGE + DONE);
    expect(await recordOf(stream.id)).toMatchObject({
      finish: 'client_closed',
      usageSource: 'upstream',
      totalTokens: 42,
    });
    const next = await rawRequest(gateway.port, callOf(key, { body: STREAM }));
    expect(jsonOf(next)).toEqual({ error: expect.objectContaining({ message: 'Monthly token limit exceeded' }) });
  });

  test('whose key says cancel is not read on, token limit or not', async () => {
    const key = await keyWith('--monthly-token-limit', '1000', '--on-leave', 'cancel');
    const { client, request } = await begun(key);
    client.leave();
    await request.connection.closed;
  });

  test('before the head, or of an answer that is not streamed, is read on for a key that drains', async () => {
    const key = await keyWith('--on-leave', 'drain');
    const id = crypto.randomUUID();
    const call = callOf(key, { body: PLAIN, headers: { 'x-request-id': id } });
    const client = await StreamReader.open(gateway.port, call);
    const request = await upstream.next();
    client.leave();
    await noticed(client);
    expect(await isOpen(request)).toBe(true);
    request.json(200, { usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } });
    expect(await recordOf(id)).toMatchObject({
      finish: 'client_closed',
      status: 499,
      usageSource: 'upstream',
      totalTokens: 3,
      cancelMs: null,
      bytesOut: 0,
    });
  });

  test('beyond LEAVE_DRAINS_MAX cancels, until one of those read on has ended', async () => {
    const key = await keyWith('--on-leave', 'drain');
    const first = await begun(key);
    await expectReadOn(first);
    const second = await begun(key);
    second.client.leave();
    await second.request.connection.closed;
    first.request.event(FINISH + USAGE);
    await recordOf(first.id);
    const third = await begun(key);
    await expectReadOn(third);
    third.request.event(FINISH + USAGE);
    await recordOf(third.id);
  });

  test('whose answer then breaks has what was reported on record', async () => {
    const key = await keyWith('--on-leave', 'drain');
    const stream = await begun(key);
    await expectReadOn(stream);
    stream.request.event(USAGE);
    stream.request.connection.reset();
    expect(await recordOf(stream.id)).toMatchObject({
      finish: 'client_closed',
      usageSource: 'partial',
      totalTokens: 42,
    });
  });
});

describe('LEAVE_DRAIN_MS', () => {
  beforeAll(() => start({ LEAVE_DRAIN_MS: '400' }));
  afterAll(stop);

  test('bounds how long an answer is read on', async () => {
    const stream = await begun(await keyWith('--on-leave', 'drain'));
    stream.client.leave();
    await stream.request.connection.closed;
    const record = await recordOf(stream.id);
    expect(record).toMatchObject({ finish: 'client_closed', usageSource: 'none' });
    expect(record.cancelMs).toBeGreaterThan(390);
  });

  test('does not hold up a shutdown', async () => {
    const stream = await begun(await keyWith('--on-leave', 'drain'), CONTENT, { path: CHAT });
    stream.client.leave();
    await noticed(stream.client);
    gateway.signal('SIGTERM');
    gateway.signal('SIGTERM');
    expect(await gateway.exited).toBe(0);
    expect(await recordOf(stream.id)).toMatchObject({ finish: 'client_closed' });
  });
});
