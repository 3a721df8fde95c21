/** Contract, section 5, max_concurrent: a request has its place exactly as long as it is in flight, however it ends. */
import { describe, expect, test } from 'bun:test';
import type { Scenario } from '../../src/mock/scenario.ts';
import { eventually } from '../support/eventually.ts';
import { expectLimit, keyWith, LIMIT_REFUSALS } from '../support/limited-key.ts';
import { callOf, PLAIN, pair, STREAM } from '../support/pair.ts';
import { connectTo, requestBytes } from '../support/raw-client.ts';

const p = pair();

describe('the place of a request among the concurrent ones', () => {
  /** Long enough for another request to be refused meanwhile. */
  const HOLD_MS = 300;
  const STREAMED = { ...STREAM, mock: {} };

  const ENDINGS: Record<string, { readonly body: object; readonly scenario: Scenario; readonly status: number }> = {
    'a stream that completes': { body: STREAMED, scenario: { events: 2, pace_ms: HOLD_MS }, status: 200 },
    'an answer': { body: PLAIN, scenario: { head_delay_ms: HOLD_MS }, status: 200 },
    'a stream that upstream resets': {
      body: STREAMED,
      scenario: { events: 5, first_delay_ms: HOLD_MS, fault: { kind: 'reset', after_bytes: 30 } },
      status: 200,
    },
    'a stream that upstream ends too early': {
      body: STREAMED,
      scenario: { events: 5, first_delay_ms: HOLD_MS, fault: { kind: 'end_early', after_bytes: 30 } },
      status: 200,
    },
    'a streamed error of upstream': {
      body: STREAMED,
      scenario: { status: 503, head_delay_ms: HOLD_MS, json: {} },
      status: 503,
    },
    'an error of upstream': { body: PLAIN, scenario: { status: 500, head_delay_ms: HOLD_MS, json: {} }, status: 502 },
  };
  for (const [name, { body, scenario, status }] of Object.entries(ENDINGS)) {
    test(`is free again after ${name}`, async () => {
      const key = await keyWith(p, '--max-concurrent', '1');
      p.mock.script((request) => (request.path.includes('chat') ? scenario : undefined));
      const first = key.call({ body });
      await p.mock.waitForRequest();
      expect(expectLimit(await key.call(), LIMIT_REFUSALS.concurrent)).toBe(1);
      expect((await key.status()).limits.concurrent_requests).toEqual({
        limit: 1,
        used: 1,
        remaining: 0,
        resets_at: null,
      });
      expect((await first).status).toBe(status);
      // Without waiting: it is given back before the client sees the end.
      expect((await key.call({ method: 'GET', path: '/v1/models' })).status).toBe(200);
      await p.gateway.waitForUsage(1);
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
