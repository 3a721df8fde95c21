/** The parts of the data plane that every event or every request passes through, each measured on its own. */

import { CHAT } from '../../src/formats/chat.ts';
import { SseScanner } from '../../src/formats/sse.ts';
import { clientFields, clientHeaders } from '../../src/gateway/headers.ts';
import { Meter } from '../../src/gateway/meter.ts';
import { createKey, hashKey, isKeyForm } from '../../src/keys/key.ts';
import { KeyCache } from '../../src/keys/key-cache.ts';
import { MemoryLimiter } from '../../src/limits/memory.ts';

import { LiveWindow } from '../../src/observe/live-window.ts';
import { GatewayMetrics } from '../../src/observe/metrics/gateway-metrics.ts';
import { ModelNames } from '../../src/observe/metrics/model-names.ts';
import type { ExchangeObserver, SettledExchange } from '../../src/observe/observer.ts';

export interface MicroCase {
  readonly name: string;
  /** What one operation is. */
  readonly per: string;
  /** Does one operation; the returned number keeps the work from being optimised away. */
  readonly run: () => number;
}

const EVENTS_PER_READ = 64;
const PEPPER = 'pepper-of-the-bench';

export async function microCases(): Promise<readonly MicroCase[]> {
  return [...scannerCases(), ...headerCases(), ...(await keyCases()), ...(await limitCases()), ...metricsCases()];
}

function scannerCases(): MicroCase[] {
  const event = Buffer.from(
    `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1716288000,"model":"gpt-4o","choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"usage":null}\n\n`,
  );
  const read = Buffer.concat(Array.from({ length: EVENTS_PER_READ }, () => event));
  let ended = 0;
  const scanner = new SseScanner({ data: () => {}, end: () => ended++ });
  const single = new Meter(CHAT, 'sse');
  const merged = new Meter(CHAT, 'sse');
  const big = Buffer.from(`data: {"delta":"${'x'.repeat(65_536)}"}\n\n`);
  const bigMeter = new Meter(CHAT, 'sse');
  return [
    { name: 'sse scanner, an event per read', per: 'event', run: () => scanner.push(event, 0, false) + ended },
    { name: `sse scanner, ${EVENTS_PER_READ} events per read`, per: 'read', run: () => scanner.push(read, 0, false) },
    { name: 'meter, an event per read', per: 'event', run: () => pushed(single, event) },
    { name: `meter, ${EVENTS_PER_READ} events per read`, per: 'read', run: () => pushed(merged, read) },
    { name: 'meter, an event of 64 kB', per: 'event', run: () => pushed(bigMeter, big) },
  ];
}

function headerCases(): MicroCase[] {
  const fromClient = new Headers({
    'content-type': 'application/json',
    accept: 'text/event-stream',
    authorization: 'Bearer sk-bve-x',
    'user-agent': 'OpenAI/JS',
    'x-stainless-lang': 'js',
    'x-request-id': 'bench-1',
    cookie: 'a=b',
  });
  const fromUpstream = new Headers({
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'x-request-id': 'req_1',
    'openai-organization': 'org',
    'set-cookie': 'a=b',
    server: 'upstream',
    via: '1.1 x',
  });
  return [
    {
      name: 'header filter, client to upstream',
      per: 'request',
      run: () => clientFields(fromClient, null).length,
    },
    {
      name: 'header filter, upstream to client',
      per: 'request',
      run: () => (clientHeaders(fromUpstream, 1, false).has('server') ? 1 : 0),
    },
  ];
}

async function keyCases(): Promise<MicroCase[]> {
  const { key, secret } = createKey({ name: 'bench' }, 0);
  const source = {
    findByHashes: async (hashes: readonly string[]) =>
      new Map(hashes.map((hash) => [hash, { key, secretExpiresAt: null }])),
    changesSince: async () => ({ seq: 0, keyIds: [] }),
  };
  const keys = new KeyCache(source, PEPPER);
  await keys.start();
  await keys.lookup(secret);
  return [
    { name: 'key form', per: 'request', run: () => (isKeyForm(secret) ? 1 : 0) },
    { name: 'key hash', per: 'request', run: () => hashKey(secret, PEPPER).length },
    {
      name: 'key cache, known key',
      per: 'request',
      run: () => (keys.lookup(secret) instanceof Promise ? 1 : 0),
    },
  ];
}

async function limitCases(): Promise<MicroCase[]> {
  const { key } = createKey(
    { name: 'bench', rpmLimit: null, rpdLimit: 1e12, monthlyLimit: 1e12, maxConcurrent: 10 },
    0,
  );
  const limited = createKey({ name: 'limited', rpmLimit: 1 }, 0).key;
  const limiter = new MemoryLimiter({ usedDays: async (_key, _first, _last, done) => done([]) });
  for (const each of [key, limited, limited]) {
    const admission = await limiter.admit(each, 0);
    if (admission.granted) admission.release(null);
  }
  const pass = () => {
    const admission = limiter.admit(key, Date.now());
    if (admission instanceof Promise || !admission.granted) throw new Error('not admitted at once');
    admission.release({ tokens: 30 });
    return 1;
  };
  return [
    { name: 'limits, admit and release', per: 'request', run: pass },
    { name: 'limits, refuse', per: 'request', run: () => (limiter.admit(limited, 0) instanceof Promise ? 1 : 0) },
  ];
}

function pushed(meter: Meter, bytes: Uint8Array): number {
  meter.push(bytes);
  return meter.bytes;
}

function metricsCases(): MicroCase[] {
  const { key } = createKey({ name: 'bench', allowedModels: ['gpt-4o'] }, 0);
  const metrics = new GatewayMetrics(new ModelNames(), {
    requestsInFlight: () => 0,
    streamsOpen: () => 0,
    targets: () => [],
    usage: () => ({ waiting: 0, dropped: 0 }),
    storeErrors: () => ({}),
    limitsUnavailable: () => 0,
    spansDropped: () => null,
    loopLagMs: () => 0,
    build: { version: '0', commit: '0' },
  });
  const liveWindow = new LiveWindow();
  const exchange: SettledExchange = {
    requestId: 'r',
    upstreamRequestId: null,
    key,
    method: 'POST',
    endpoint: '/v1/chat/completions',
    model: 'gpt-4o',
    status: 200,
    streamed: true,
    startedAt: 0,
    admittedAt: 0,
    sentMs: 0.4,
    headMs: 120,
    ttfbMs: 121,
    lastByteMs: 2200,
    durationMs: 2201,
    cancelMs: null,
    bytesOut: 20_000,
    chunks: 100,
    finish: 'complete',
    errorCode: null,
    error: null,
    target: 'fuelix',
    attempts: 1,
    usage: { promptTokens: 10, cachedTokens: 0, completionTokens: 100, reasoningTokens: 0, totalTokens: 110 },
    usageSource: 'upstream',
    trace: null,
  };
  const told = (observer: ExchangeObserver) => {
    observer.settled(exchange);
    return 1;
  };
  return [
    { name: 'metrics of a stream', per: 'request', run: () => told(metrics) },
    { name: 'live window of a stream', per: 'request', run: () => told(liveWindow) },
  ];
}
