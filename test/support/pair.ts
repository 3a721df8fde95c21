/**
 * What most gateway tests need: one gateway process in front of one scripted upstream, for a `describe` or a file. Call it
 * where hooks can be registered. The mock is reset before each test; the gateway must not have logged a bug.
 */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout } from 'bun:test';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { eventually } from './eventually.ts';
import { type GatewayProcess, startGatewayProcess } from './gateway.ts';
import { type RawAnswer, rawRequest } from './raw-client.ts';

interface PairOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly requestsMax?: number;
  /** Instead of the mock. */
  readonly upstreamUrl?: string;
}

export interface Call {
  readonly method?: string;
  readonly path?: string;
  /** Added to, or replacing, the test key's Authorization and a JSON content type. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Text or bytes are sent unchanged, anything else as JSON. */
  readonly body?: unknown;
}

export interface Pair {
  readonly mock: MockServer;
  readonly gateway: GatewayProcess;
  /** By default POST /v1/chat/completions with the test key; always on a connection of its own. */
  call(call?: Call): Promise<RawAnswer>;
  /** Waits for the one record of the request with this X-Request-Id. */
  recordOf(requestId: string): Promise<UsageRecord>;
}

export const CHAT = '/v1/chat/completions';
export const STREAM = { model: 'm', stream: true, messages: [] } as const;
export const PLAIN = { model: 'm', messages: [] } as const;
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Bun's default of five seconds is too short on a busy machine. */
export const TEST_TIMEOUT_MS = 30_000;

export function pair(options: PairOptions = {}): Pair {
  setDefaultTimeout(TEST_TIMEOUT_MS);
  let started: Pair & AsyncDisposable;
  beforeAll(async () => {
    started = await startPair(options);
  });
  beforeEach(() => started.mock.reset());
  afterAll(async () => {
    // Line by line: `.*` on both sides takes half a minute for the lines of a long run.
    const lines = started.gateway.output().split('\n');
    const bugs = lines.filter((line) => /internal error|unhandled|panic/i.test(line));
    await started[Symbol.asyncDispose]();
    expect(bugs.slice(0, 3)).toEqual([]);
  });
  return {
    get mock() {
      return started.mock;
    },
    get gateway() {
      return started.gateway;
    },
    call: (call) => started.call(call),
    recordOf: (requestId) => started.recordOf(requestId),
  };
}

/** For a single test: `await using p = await startPair(…)`. */
export async function startPair(options: PairOptions = {}): Promise<Pair & AsyncDisposable> {
  const mock = startMock({ port: 0, requestsMax: options.requestsMax ?? 1000 });
  const gateway = await startGatewayProcess({
    upstreamUrl: options.upstreamUrl ?? mock.url,
    env: { LOG_LEVEL: 'warn', ...options.env },
  });
  return {
    mock,
    gateway,
    call: (call = {}) => rawRequest(gateway.port, callOf(gateway.key, call)),
    recordOf: (requestId) => recordOf(gateway, requestId),
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      await mock.stop();
    },
  };
}

/** A call in the form of the raw client. */
export function callOf(key: string, { method, path = CHAT, headers, body }: Call) {
  const hasBody = body !== undefined || (method ?? 'POST') === 'POST';
  return {
    method: method ?? 'POST',
    path,
    headers: {
      authorization: `Bearer ${key}`,
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      ...headers,
    },
    ...(hasBody ? { body: bytesOf(body ?? STREAM) } : {}),
  };
}

function recordOf(gateway: GatewayProcess, requestId: string): Promise<UsageRecord> {
  return eventually(
    async () => {
      const records = (await gateway.usage()).filter((record) => record.requestId === requestId);
      expect(records.length).toBeLessThan(2);
      return records[0];
    },
    () => `no usage record of ${requestId}; output: ${gateway.output().slice(-2000)}`,
  );
}

export function textOf(answer: { readonly body: Uint8Array }): string {
  return Buffer.from(answer.body).toString('utf8');
}

export function jsonOf(answer: { readonly body: Uint8Array }): unknown {
  return JSON.parse(textOf(answer));
}

function bytesOf(body: unknown): string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
}
