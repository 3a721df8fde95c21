/** Contract, section 5, max_concurrent: a request holds its permit exactly as long as it is in flight, however it ends. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test';
import type { Scenario } from '../../src/mock/scenario.ts';
import { eventually } from '../support/eventually.ts';
import { type HeldRequest, heldUpstream } from '../support/held-upstream.ts';
import { clearOfMidnight, expectLimit, keyWith, LIMIT_REFUSALS } from '../support/limited-key.ts';
import { callOf, PLAIN, pair, STREAM } from '../support/pair.ts';
import { connectTo, requestBytes } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

const p = pair();
beforeEach(clearOfMidnight);

describe('the permit of a request', () => {
  const held = heldUpstream();
  afterAll(() => held.stop());
  const q = pair({ upstreamUrl: held.url });

  const EVENT = 'data: {"choices":[]}\n\n';
  type End = (request: HeldRequest, client: StreamReader) => unknown;
  const begun = async (request: HeldRequest, client: StreamReader) => {
    request.begin(EVENT);
    // What the client has, the gateway has read: a break behind it cannot overtake it.
    await client.until(EVENT);
  };

  const ENDINGS: Record<string, { readonly body: object; readonly end: End; readonly status: number }> = {
    'a stream that completes': {
      body: STREAM,
      end: async (request, client) => {
        await begun(request, client);
        request.event('data: [DONE]\n\n');
        request.end();
      },
      status: 200,
    },
    'an answer': { body: PLAIN, end: (request) => request.json(200, {}), status: 200 },
    'a stream that upstream resets': {
      body: STREAM,
      end: async (request, client) => {
        await begun(request, client);
        request.connection.reset();
      },
      status: 200,
    },
    'a stream that upstream ends too early': {
      body: STREAM,
      end: async (request, client) => {
        await begun(request, client);
        request.connection.finish();
      },
      status: 200,
    },
    'a streamed error of upstream': { body: STREAM, end: (request) => request.json(503, {}), status: 503 },
    'an error of upstream': { body: PLAIN, end: (request) => request.json(500, {}), status: 502 },
  };
  for (const [name, { body, end, status }] of Object.entries(ENDINGS)) {
    test(`is free again after ${name}`, async () => {
      const key = await keyWith(q, '--max-concurrent', '1');
      using client = await StreamReader.open(q.gateway.port, callOf(key.key, { body }));
      const request = await held.next();
      expect(expectLimit(await key.call(), LIMIT_REFUSALS.concurrent)).toBe(1);
      expect((await key.status()).limits.concurrent_requests).toEqual({
        limit: 1,
        used: 1,
        remaining: 0,
        resets_at: null,
      });
      await end(request, client);
      expect((await client.whole()).status).toBe(status);
      // Without waiting: it is given back before the client sees the end.
      const next = key.call({ method: 'GET', path: '/v1/models' });
      (await held.next()).json(200, { object: 'list', data: [] });
      expect((await next).status).toBe(200);
      expect((await key.status()).limits.concurrent_requests.used).toBe(0);
    });
  }

  test('is free again when upstream cannot be reached', async () => {
    const key = await keyWith(p, '--max-concurrent', '1');
    p.mock.script((request) => (request.path.includes('chat') ? { fault: { kind: 'refuse' } } : undefined));
    for (let i = 0; i < 3; i++) expect((await key.call()).status).toBe(502);
  });

  for (const [name, scenario] of [
    ['before the head', { fault: { kind: 'hang' } }],
    ['within the stream', { events: 5, fault: { kind: 'silence', after_bytes: 100 } }],
  ] as [string, Scenario][]) {
    test(`is free again after a client that leaves ${name}`, async () => {
      const key = await keyWith(p, '--max-concurrent', '1');
      p.mock.script((request) => (request.path.includes('chat') ? scenario : undefined));
      const socket = await connectTo(p.gateway.port);
      socket.write(requestBytes(callOf(key.key, { body: STREAM })));
      await p.mock.waitForRequest();
      expectLimit(await key.call(), LIMIT_REFUSALS.concurrent);
      socket.destroy();
      await eventually(async () => (await key.status()).limits.concurrent_requests.used === 0);
      expect((await key.call({ method: 'GET', path: '/v1/models' })).status).toBe(200);
    });
  }

  test('is one of as many as the limit says, and none is lost over many streams', async () => {
    const key = await keyWith(p, '--max-concurrent', '4');
    const answers = await Promise.all(
      Array.from({ length: 40 }, () => key.call({ body: { ...STREAM, mock: { events: 2, pace_ms: 100 } } })),
    );
    const passed = answers.filter(({ status }) => status === 200).length;
    expect(passed).toBeGreaterThanOrEqual(4);
    for (const answer of answers) if (answer.status !== 200) expectLimit(answer, LIMIT_REFUSALS.concurrent);
    const { limits } = await key.status();
    expect(limits.concurrent_requests.used).toBe(0);
    expect(limits.requests_per_day.used).toBe(passed);
  });
});
