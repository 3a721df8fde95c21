/** A client that leaves cancels the upstream request at once, leaves one record, and its slot is free again. */
import { describe, expect, test } from 'bun:test';
import type { ReceivedRequest } from '../../src/mock/received-request.ts';
import { CHAT, callOf, PLAIN, pair, STREAM, textOf } from '../support/pair.ts';
import { rawRequest, requestBytes } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

const CLIENTS = 200;
const p = pair({ env: { MAX_CONCURRENT_REQUESTS: String(CLIENTS) }, requestsMax: 10_000 });

/**
 * How long it may take is told in round trips through the same gateway, about a millisecond each: a machine that stops for a
 * while stops these, too.
 */
const ROUND_TRIPS_MAX = 500;

const open = (id: string, body: object = STREAM, path = CHAT) =>
  StreamReader.open(p.gateway.port, callOf(p.gateway.key, { path, body, headers: { 'x-request-id': id } }));

async function expectCancelled(request: ReceivedRequest, leave: () => void): Promise<void> {
  expect(request.end).toBeUndefined();
  leave();
  for (let trips = 0; request.end === undefined; trips++) {
    expect(trips).toBeLessThan(ROUND_TRIPS_MAX);
    await p.call({ method: 'GET', path: '/health' });
  }
  expect(await request.closed).toBe('client_closed');
}

describe('a client that leaves', () => {
  for (const how of ['leave', 'vanish'] as const) {
    for (const path of [CHAT, '/v1/responses', '/v1/messages']) {
      test(`in the middle of a stream (${how}) cancels the upstream request: ${path}`, async () => {
        p.mock.script({ events: 100_000, pace_ms: 5 });
        const id = `mid-${how}-${path.slice(4)}`.replaceAll('/', '-');
        const client = await open(id, STREAM, path);
        await client.until('"i":3,');
        await expectCancelled(await p.mock.waitForRequest(), () => client[how]());
        const record = await p.recordOf(id);
        expect(record).toMatchObject({
          finish: 'client_closed',
          status: 200,
          streamed: true,
          cancelMs: expect.any(Number),
        });
        expect(record.usageSource).toBe(path === '/v1/messages' ? 'partial' : 'none');
        expect(record.bytesOut).toBeGreaterThan(0);
      });

      test(`before the head of a stream (${how}) cancels the upstream request: ${path}`, async () => {
        p.mock.script({ fault: { kind: 'hang' } });
        const id = `head-${how}-${path.slice(4)}`.replaceAll('/', '-');
        const client = await open(id, STREAM, path);
        await expectCancelled(await p.mock.waitForRequest(), () => client[how]());
        expect(await p.recordOf(id)).toMatchObject({
          finish: 'client_closed',
          status: 499,
          bytesOut: 0,
          ttfbMs: null,
          cancelMs: expect.any(Number),
          usageSource: 'none',
        });
      });
    }
  }

  test('between the head and the first byte cancels the upstream request', async () => {
    p.mock.script({ events: 5, first_delay_ms: 60_000 });
    const client = await open('before-first-byte');
    await expectCancelled(await p.mock.waitForRequest(), () => client.leave());
    expect(await p.recordOf('before-first-byte')).toMatchObject({ finish: 'client_closed', bytesOut: 0, ttfbMs: null });
  });

  test('while an answer that is not streamed is awaited cancels the upstream request', async () => {
    p.mock.script({ fault: { kind: 'hang' } });
    const client = await open('plain', PLAIN);
    await expectCancelled(await p.mock.waitForRequest(), () => client.leave());
    expect(await p.recordOf('plain')).toMatchObject({ finish: 'client_closed', streamed: false });
  });

  test('while the list of models is read for a key that sees only some cancels the upstream request', async () => {
    const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'gpt-4o');
    p.mock.script({ fault: { kind: 'hang' } });
    const client = await StreamReader.open(
      p.gateway.port,
      callOf(key, { method: 'GET', path: '/v1/models', headers: { 'x-request-id': 'models' } }),
    );
    await expectCancelled(await p.mock.waitForRequest(), () => client.leave());
    expect(await p.recordOf('models')).toMatchObject({ finish: 'client_closed', cancelMs: expect.any(Number) });
  });

  test('after the usage of its stream was reported has it on record as partial', async () => {
    const body = 'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n';
    p.mock.script({
      body,
      content_type: 'text/event-stream',
      framing: 'chunked',
      fault: { kind: 'silence', after_bytes: body.length },
    });
    const client = await open('after-usage');
    await client.until('usage');
    await expectCancelled(await p.mock.waitForRequest(), () => client.leave());
    expect(await p.recordOf('after-usage')).toMatchObject({
      finish: 'client_closed',
      usageSource: 'partial',
      totalTokens: 3,
    });
  });

  test('right after [DONE], as SDKs do, had everything: the record says complete, and upstream is let go', async () => {
    const body =
      'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\ndata: [DONE]\n\n';
    p.mock.script({
      body,
      content_type: 'text/event-stream',
      framing: 'chunked',
      fault: { kind: 'silence', after_bytes: body.length },
    });
    const client = await open('after-done');
    await client.until('[DONE]\n\n');
    await expectCancelled(await p.mock.waitForRequest(), () => client.leave());
    expect(await p.recordOf('after-done')).toMatchObject({
      finish: 'complete',
      usageSource: 'upstream',
      totalTokens: 3,
    });
  });

  test('a moment before the end leaves one record, complete or not, and the next request is served', async () => {
    p.mock.script({ events: 3 });
    for (let round = 0; round < 20; round++) {
      const client = await open(`race-${round}`);
      await client.head();
      client.vanish();
    }
    for (let round = 0; round < 20; round++) {
      expect(['complete', 'client_closed']).toContain((await p.recordOf(`race-${round}`)).finish);
    }
    expect((await p.call()).status).toBe(200);
  });

  test('on a connection it used before cancels only its last request', async () => {
    const reader = await open('first-of-two');
    await reader.until('[DONE]\n\n\r\n0\r\n\r\n');
    p.mock.script({ fault: { kind: 'hang' } });
    const second = callOf(p.gateway.key, { headers: { 'x-request-id': 'second-of-two' } });
    reader.socket.write(requestBytes(second));
    const request = await p.mock.waitForRequest((received) => received.get('x-request-id') === 'second-of-two');
    await expectCancelled(request, () => reader.leave());
    expect((await p.recordOf('first-of-two')).finish).toBe('complete');
    expect((await p.recordOf('second-of-two')).finish).toBe('client_closed');
  });
});

describe(`${CLIENTS} clients, the limit of the gateway`, () => {
  test('half of them leave: their slots are free again, the others are not disturbed', async () => {
    p.mock.script({ events: 100_000, pace_ms: 20 });
    const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => open(`group-${i}`)));
    await Promise.all(clients.map((client) => client.until('"i":1,')));
    expect((await p.call({ headers: { 'x-request-id': 'too-many' } })).status).toBe(503);

    const leaving = clients.filter((_, i) => i % 2 === 0);
    for (const [i, client] of leaving.entries()) client[i % 4 < 2 ? 'leave' : 'vanish']();
    const left = p.mock.requests.filter((request) => Number(request.get('x-request-id')!.slice(6)) % 2 === 0);
    expect(left.length).toBe(CLIENTS / 2);
    for (const request of left) expect(await request.closed).toBe('client_closed');
    for (let i = 0; i < CLIENTS; i += 2) expect((await p.recordOf(`group-${i}`)).finish).toBe('client_closed');

    // As many again fit in, and not one more.
    const newcomers = await Promise.all(leaving.map((_, i) => open(`new-${i}`)));
    await Promise.all(newcomers.map((client) => client.until('"i":1,')));
    expect((await p.call()).status).toBe(503);

    for (const [i, client] of clients.entries()) {
      if (i % 2 === 0) continue;
      expect(p.mock.requests.find((request) => request.get('x-request-id') === `group-${i}`)!.end).toBeUndefined();
      client.leave();
    }
    for (const client of newcomers) client.leave();
    await Promise.all(p.mock.requests.map((request) => request.closed));
    await Promise.all(newcomers.map((_, i) => p.recordOf(`new-${i}`)));

    p.mock.reset();
    const after = await Promise.all(
      leaving.concat(leaving).map(() => rawRequest(p.gateway.port, callOf(p.gateway.key, {}))),
    );
    expect(after.length).toBe(CLIENTS);
    for (const answer of after) expect(textOf(answer)).toEndWith('data: [DONE]\n\n');
  });

  test('all leave before the head: every slot is free again', async () => {
    p.mock.script({ fault: { kind: 'hang' } });
    const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => open(`hang-${i}`)));
    await p.mock.waitForRequest(() => p.mock.requests.length >= CLIENTS);
    for (const client of clients) client.leave();
    for (const request of p.mock.requests) expect(await request.closed).toBe('client_closed');
    await Promise.all(clients.map((_, i) => p.recordOf(`hang-${i}`)));
    p.mock.reset();
    const after = await Promise.all(clients.map(() => rawRequest(p.gateway.port, callOf(p.gateway.key, {}))));
    expect(after.filter((answer) => answer.status !== 200)).toEqual([]);
  });
});
