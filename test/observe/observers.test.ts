/** Observers are told of each request once, whatever ended it, and of nothing that anybody wrote. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test';
import { forward } from '../../src/gateway/forward.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import type { Scenario } from '../../src/mock/scenario.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { ExchangeLog } from '../../src/observe/exchange-log.ts';
import type { Log } from '../../src/observe/log.ts';
import type { ExchangeObserver, SettledExchange } from '../../src/observe/observer.ts';
import { UsageObserver } from '../../src/usage/usage-observer.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { CHAT_ENDPOINT, chatRequest, dataPlane } from '../support/data-plane.ts';
import { settledExchange } from './settled-exchange.ts';

let mock: MockServer;
beforeAll(() => {
  mock = startMock();
});
beforeEach(() => mock.reset());
afterAll(() => mock.stop());

class Collecting implements ExchangeObserver {
  readonly seen: SettledExchange[] = [];
  settled(exchange: SettledExchange): void {
    this.seen.push(exchange);
  }
}

/** One request through the data plane; what two observers were told of it. */
async function observed(fields: object, scenario: Scenario, parts: Partial<Gateway> = {}, signal?: AbortSignal) {
  const observers = [new Collecting(), new Collecting()];
  const { gateway, keyPermits } = dataPlane(mock.url, { ...parts, observers });
  mock.script(scenario);
  const response = await forward(chatRequest(fields, signal), CHAT_ENDPOINT, gateway);
  await response.text().catch(() => '');
  gateway.client.close();
  expect(observers.map(({ seen }) => seen.length)).toEqual([1, 1]);
  expect(observers[0]!.seen[0]).toBe(observers[1]!.seen[0]!);
  expect([gateway.permits.inFlight, keyPermits.taken]).toEqual([0, 0]);
  return { status: response.status, told: observers[0]!.seen[0]! };
}

const STREAM = { stream: true };
const refused = { granted: false, limit: 'requestsPerMinute', message: 'no', retryAfterS: 5 } as const;

describe('each request is told of once', () => {
  test.each([
    [
      'a whole stream',
      STREAM,
      {},
      {},
      { status: 200, finish: 'complete', errorCode: null, streamed: true, attempts: 1 },
    ],
    ['a whole answer', {}, {}, {}, { status: 200, finish: 'complete', usageSource: 'upstream', target: 'fuelix' }],
    [
      'one that breaks',
      STREAM,
      { fault: { kind: 'reset', after_bytes: 200 } },
      {},
      { finish: 'upstream_interrupted', errorCode: 'upstream_stream_interrupted' },
    ],
    [
      'an error passed on',
      {},
      { status: 404, json: {}, headers: [['x-request-id', 'up-1']] },
      {},
      { status: 404, finish: 'error', errorCode: 'upstream_404', upstreamRequestId: 'up-1' },
    ],
    ['an error told', {}, { status: 500, json: {} }, {}, { status: 502, finish: 'error', errorCode: 'upstream_error' }],
    [
      'no answer',
      {},
      { fault: { kind: 'refuse' } },
      {},
      { status: 502, finish: 'error', headMs: null, errorCode: 'upstream_error' },
    ],
    [
      'a refusal by the limits',
      {},
      {},
      { limiter: { admit: () => refused, status: () => ({}) as never } },
      { status: 429, finish: 'error', errorCode: 'rate_limit_exceeded', admittedAt: null, sentMs: null, attempts: 0 },
    ],
    [
      'an unknown key',
      {},
      {},
      { keys: { lookup: () => ({ kind: 'unknown' }) } },
      { status: 401, finish: 'error', errorCode: 'invalid_api_key', key: null },
    ],
    ['a bad body', { model: 1 }, {}, {}, { status: 400, finish: 'error', errorCode: 'invalid_request' }],
  ] as [string, object, Scenario, Partial<Gateway>, Partial<SettledExchange>][])(
    '%s',
    async (_, fields, scenario, parts, expected) => {
      const { told } = await observed(fields, scenario, parts);
      expect(told).toMatchObject({ method: 'POST', endpoint: '/v1/chat/completions', ...expected });
      const order = [told.sentMs, told.headMs, told.ttfbMs, told.durationMs].filter((ms) => ms !== null);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    },
  );

  test('a client that leaves before it is answered, with the time until upstream was cancelled', async () => {
    const client = new AbortController();
    const leaves = mock.waitForRequest().then(() => client.abort());
    const { told } = await observed(STREAM, { fault: { kind: 'hang' } }, {}, client.signal);
    await leaves;
    expect(told).toMatchObject({ status: 499, finish: 'client_closed', errorCode: null, attempts: 1 });
    expect(told.cancelMs).toBeGreaterThanOrEqual(0);
  });
});

const SETTLED = settledExchange();

describe('the log', () => {
  function logged(exchange: Partial<SettledExchange>, enabled = true): [string, Record<string, unknown>] | undefined {
    let line: [string, Record<string, unknown>] | undefined;
    const write = (level: string) => (fields: Record<string, unknown>) => {
      line = [level, JSON.parse(JSON.stringify(fields))];
    };
    const log = { isLevelEnabled: () => enabled, info: write('info'), warn: write('warn') } as unknown as Log;
    new ExchangeLog(log).settled({ ...SETTLED, ...exchange });
    return line;
  }

  test('has a line for each, with whole milliseconds and nothing that is not known', () => {
    const fields = { request_id: 'r', method: 'POST', endpoint: '/v1/messages', status: 200, streamed: true };
    const sent = { target: 'fuelix', attempts: 1 };
    const counts = { finish: 'complete', duration_ms: 4, ttfb_ms: 2, bytes_out: 4 };
    expect(logged({})).toEqual(['info', { ...fields, ...sent, ...counts }]);
    expect(logged({ target: null, attempts: 0 })).toEqual(['info', { ...fields, ...counts }]);
    expect(logged({}, false)).toBeUndefined();
  });

  test.each([
    [{ status: 502, finish: 'error' }, 'warn'],
    [{ finish: 'upstream_interrupted' }, 'warn'],
    [{ finish: 'error' }, 'warn'],
    [{ status: 429, finish: 'error' }, 'info'],
    [{ status: 499, finish: 'client_closed' }, 'info'],
  ] as [Partial<SettledExchange>, string][])('tells %j as %s', (exchange, level) => {
    expect(logged(exchange)![0]).toBe(level);
  });

  test('has a line for an even share of requests, and for each that failed', () => {
    const lines: unknown[] = [];
    const write = (fields: unknown) => lines.push(fields);
    const log = { isLevelEnabled: () => true, info: write, warn: write } as unknown as Log;
    const sampled = (sample: number, exchange: Partial<SettledExchange>) => {
      const observer = new ExchangeLog(log, sample);
      lines.length = 0;
      for (let i = 0; i < 1000; i++) observer.settled(settledExchange(exchange));
      return lines.length;
    };
    expect([0, 0.1, 0.25, 1].map((sample) => sampled(sample, {}))).toEqual([0, 100, 250, 1000]);
    expect(sampled(0, { finish: 'client_closed', status: 499 })).toBe(0);
    expect(sampled(0, { finish: 'error', status: 429, errorCode: 'rate_limit_exceeded' })).toBe(1000);
    expect(sampled(0, { finish: 'upstream_interrupted', errorCode: 'upstream_stream_interrupted' })).toBe(1000);
  });

  test('names the code of a cause, never its text', () => {
    const cause = Object.assign(new Error('connect to secret.example'), { code: 'ECONNREFUSED' });
    const error = new Error('Upstream cannot be reached', { cause });
    const [, line] = logged({ status: 502, finish: 'error', errorCode: 'upstream_error', error })!;
    expect(line).toMatchObject({
      error_code: 'upstream_error',
      reason: 'Upstream cannot be reached',
      cause: 'ECONNREFUSED',
    });
    expect(JSON.stringify(line)).not.toContain('secret');
  });
});

describe('usage records', () => {
  test('are made of requests of valid keys only', () => {
    const records: UsageRecord[] = [];
    const observer = new UsageObserver({ record: (record) => records.push(record) });
    observer.settled(SETTLED);
    expect(records).toEqual([]);
    const usage = { promptTokens: 5, cachedTokens: 1, completionTokens: 7, reasoningTokens: 2, totalTokens: 12 };
    observer.settled({ ...SETTLED, key: { id: 'k' } as never, usage, usageSource: 'upstream' });
    expect(records).toMatchObject([
      { ...usage, keyId: 'k', requestId: 'r', sentMs: 2, durationMs: 4, usageSource: 'upstream' },
    ]);
  });
});
