/** Traces as they arrive at a collector, and what a collector that is away costs. */
import { describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { MockServer } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { FUELIX_KEY } from '../support/gateway.ts';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { CHAT, PLAIN, STREAM, startPair } from '../support/pair.ts';
import { startTwoTargets } from '../support/two-targets.ts';

const DOCS = join(import.meta.dir, '../../docs/traces.md');
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER_SPAN = 'b7ad6b7169203331';
const CALLER = `00-${TRACE}-${CALLER_SPAN}-01`;
const SERVER_KIND = 2;
const CLIENT_KIND = 3;
const ERROR = 2;
const USAGE = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 };

/** Sent at once. */
const sendingTo = ({ url }: { url: string }): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_BSP_SCHEDULE_DELAY: '1',
});

/** The spans of a trace, once there are so many. */
const spansOf = (receiver: OtlpReceiver, traceId: string, count: number) =>
  eventually(
    () => {
      const spans = receiver.spans.filter((span) => span.traceId === traceId);
      return spans.length >= count ? spans : undefined;
    },
    () => `fewer than ${count} spans: ${receiver.spans.map(({ name }) => name).join(', ')}`,
  );

const traceparents = ({ requests }: MockServer) =>
  requests.map(({ headers }) => headers.filter(([name]) => name.toLowerCase() === 'traceparent').map(([, v]) => v));

describe('a stream that is tried again on another target', () => {
  test('is one trace: the request, the model call under it, and each attempt, as docs/traces.md shows it', async () => {
    await using receiver = startOtlpReceiver();
    await using two = await startTwoTargets(
      { ...sendingTo(receiver), OTEL_SERVICE_NAME: 'gateway-of-a-test' },
      { bad: 'weight = 100' },
    );
    two.bad.script(() => ({ status: 503, json: { error: { message: 'no', type: 'x', code: 'y' } } }));
    two.good.script(() => ({ text: 'Hello there', usage: USAGE }));
    const fields = { model: 'gpt-4o', stream: true, stream_options: { include_usage: true } };
    const answer = await two.chat(fields, {
      traceparent: CALLER,
      tracestate: 'vendor=value',
      'x-request-id': 'request-1',
    });
    expect([answer.status, (await answer.text()).includes('[DONE]')]).toEqual([200, true]);

    const spans = await spansOf(receiver, TRACE, 4);
    const named = (name: string) => spans.find((span) => span.name === name)!;
    const request = named('POST /v1/chat/completions');
    const call = named('chat gpt-4o');
    const [failed, served] = [named('attempt bad'), named('attempt good')];
    expect(spans.length).toBe(4);
    expect(spans.map(({ traceState }) => traceState)).toEqual(Array(4).fill('vendor=value'));
    expect([request.parentSpanId, request.kind, request.statusCode]).toEqual([CALLER_SPAN, SERVER_KIND, 0]);
    expect([call.parentSpanId, call.kind, call.statusCode]).toEqual([request.spanId, CLIENT_KIND, 0]);
    expect([failed.parentSpanId, failed.kind, failed.statusCode]).toEqual([call.spanId, CLIENT_KIND, ERROR]);
    expect([served.parentSpanId, served.kind, served.statusCode]).toEqual([call.spanId, CLIENT_KIND, 0]);
    // Each attempt was sent upstream as the parent of whatever upstream does.
    expect(traceparents(two.bad)).toEqual([[`00-${TRACE}-${failed.spanId}-01`]]);
    expect(traceparents(two.good)).toEqual([[`00-${TRACE}-${served.spanId}-01`]]);
    // One within the other, and one after the other.
    expect(request.start <= call.start && call.start === failed.start && failed.end <= served.start).toBe(true);
    expect(served.end <= request.end && call.end <= request.end).toBe(true);
    expect(Math.abs(Number(request.start / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    const line = await two.gateway.logLine(({ request_id }) => request_id === 'request-1');
    expect([line.trace_id, line.span_id]).toEqual([TRACE, request.spanId]);
    expect(request.resource).toMatchObject({ 'service.name': 'gateway-of-a-test', 'service.version': '0.1.0' });

    const shown = `\`\`\`text\n${shownTrace(spans, request)}\n\`\`\``;
    const docs = await Bun.file(DOCS).text();
    if (process.env.UPDATE_DOCS === '1') await Bun.write(DOCS, docs.replace(/```text\n[\s\S]*?\n```/, shown));
    else expect(docs).toContain(shown);
  });
});

/** A tree, without what differs from run to run: ids and times. */
function shownTrace(spans: readonly ReceivedSpan[], root: ReceivedSpan, indent = ''): string {
  const kind = root.kind === SERVER_KIND ? 'SERVER' : 'CLIENT';
  const head = `${indent}${root.name}  (${kind}${root.statusCode === ERROR ? ', ERROR' : ''})`;
  const varying = new Set(['bve.key_id', 'gen_ai.response.time_to_first_chunk', 'bve.upstream_request_id']);
  const attributes = Object.entries(root.attributes).map(
    ([name, value]) => `${indent}  ${name} = ${varying.has(name) ? '…' : value}`,
  );
  const children = spans
    .filter(({ parentSpanId }) => parentSpanId === root.spanId)
    .sort((a, b) => Number(a.start - b.start))
    .map((span) => shownTrace(spans, span, `${indent}    `));
  return [head, ...attributes, ...children].join('\n');
}

describe('the context of a client', () => {
  test('that is not sampled is passed on as such, and its trace is on the log line all the same', async () => {
    await using receiver = startOtlpReceiver();
    await using bench = await startPair({ env: { ...sendingTo(receiver), LOG_LEVEL: 'info' } });
    const unsampled = `00-${TRACE}-${CALLER_SPAN}-00`;
    await bench.call({ body: PLAIN, headers: { traceparent: unsampled, 'x-request-id': 'quiet' } });
    await bench.call({ body: PLAIN, headers: { 'x-request-id': 'loud' } });
    const quiet = await bench.gateway.logLine(({ request_id }) => request_id === 'quiet');
    const loud = await bench.gateway.logLine(({ request_id }) => request_id === 'loud');
    expect(quiet.trace_id).toBe(TRACE);
    const [first, second] = traceparents(bench.mock);
    expect(first).toEqual([`00-${TRACE}-${quiet.span_id}-00`]);
    const spans = await spansOf(receiver, String(loud.trace_id), 3);
    const attempt = spans.find(({ name }) => name === 'attempt fuelix')!;
    // The ids of a trace that begins here are random, and it says so.
    expect(second).toEqual([`00-${loud.trace_id}-${attempt.spanId}-03`]);
    expect(receiver.spans.filter(({ traceId }) => traceId === TRACE)).toEqual([]);
  });

  test('that is malformed is ignored, with its tracestate', async () => {
    await using receiver = startOtlpReceiver();
    await using bench = await startPair({ env: { ...sendingTo(receiver), LOG_LEVEL: 'info' } });
    const headers = { traceparent: `00-${'0'.repeat(32)}-${CALLER_SPAN}-01`, tracestate: 'a=b', 'x-request-id': 'r' };
    await bench.call({ body: PLAIN, headers });
    const line = await bench.gateway.logLine(({ request_id }) => request_id === 'r');
    const spans = await spansOf(receiver, String(line.trace_id), 3);
    expect(spans.find(({ kind }) => kind === SERVER_KIND)!.parentSpanId).toBeNull();
    expect(bench.mock.requests[0]!.headers.some(([name]) => name.toLowerCase() === 'tracestate')).toBe(false);
  });
});

test('no prompt, answer or key is in a trace', async () => {
  await using receiver = startOtlpReceiver();
  await using bench = await startPair({ env: { ...sendingTo(receiver), LOG_LEVEL: 'info' } });
  bench.mock.script(() => ({ text: 'the-answer-itself' }));
  const messages = [{ role: 'user', content: 'the-prompt-itself' }];
  await bench.call({ body: { ...STREAM, messages }, headers: { 'x-request-id': 'a' } });
  bench.mock.script(() => ({
    status: 400,
    json: { error: { message: `the-error-itself ${FUELIX_KEY}`, code: 'the-code' } },
  }));
  await bench.call({
    path: `${CHAT}?q=the-query-itself`,
    body: { ...PLAIN, messages },
    headers: { 'x-request-id': 'b' },
  });
  await bench.call({ body: PLAIN, headers: { authorization: 'Bearer sk-bve-not-a-key', 'x-request-id': 'c' } });
  const ids = await Promise.all(
    ['a', 'b', 'c'].map(async (id) => (await bench.gateway.logLine(({ request_id }) => request_id === id)).trace_id),
  );
  const [, failed, refused] = await Promise.all([3, 3, 1].map((count, i) => spansOf(receiver, String(ids[i]), count)));
  expect(failed!.find(({ name }) => name === 'chat m')!.attributes).toMatchObject({ 'error.type': 'upstream_400' });
  expect(failed!.find(({ kind }) => kind === SERVER_KIND)!.statusCode).toBe(0);
  expect(refused!.map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
    ['POST /v1/chat/completions', 'invalid_api_key'],
  ]);
  const all = Buffer.concat([...receiver.bodies]).toString('latin1');
  for (const secret of ['-itself', 'the-code', FUELIX_KEY, bench.gateway.key, 'sk-bve-'])
    expect(all.includes(secret)).toBe(false);
});

test('a stream that breaks, a client that leaves and an upstream that is not there are told apart', async () => {
  await using receiver = startOtlpReceiver();
  await using bench = await startPair({ env: { ...sendingTo(receiver), LOG_LEVEL: 'info' } });
  const outcomeOf = async (requestId: string) => {
    const line = await bench.gateway.logLine(({ request_id }) => request_id === requestId);
    const spans = await spansOf(receiver, String(line.trace_id), 3);
    const { attributes, statusCode } = spans.find(({ name }) => name === 'attempt fuelix')!;
    const { 'bve.finish': finish } = spans.find(({ kind }) => kind === SERVER_KIND)!.attributes;
    return [finish, attributes['bve.outcome'], attributes['error.type'] ?? null, statusCode];
  };
  bench.mock.script(() => ({ text: 'Hello there', fault: { kind: 'end_early', after_bytes: 20 } }));
  await bench.call({ body: STREAM, headers: { 'x-request-id': 'broken' } }).catch(() => {});
  expect(await outcomeOf('broken')).toEqual(['upstream_interrupted', 'ok', 'upstream_stream_interrupted', ERROR]);

  bench.mock.script(() => ({ fault: { kind: 'hang' } }));
  const leaving = new AbortController();
  const left = fetch(bench.gateway.url + CHAT, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bench.gateway.key}`,
      'content-type': 'application/json',
      'x-request-id': 'left',
    },
    body: JSON.stringify(PLAIN),
    signal: leaving.signal,
  }).catch(() => {});
  await eventually(() => bench.mock.requests.length === 2);
  leaving.abort();
  await left;
  expect(await outcomeOf('left')).toEqual(['client_closed', 'cancelled', null, 0]);

  bench.mock.script(() => ({ fault: { kind: 'refuse' } }));
  await bench.call({ body: PLAIN, headers: { 'x-request-id': 'reset' } });
  expect(await outcomeOf('reset')).toEqual(['error', 'no_answer', 'upstream_error', ERROR]);
});

test("a collector gets what OpenTelemetry's variables say, and the last spans at the stop", async () => {
  await using receiver = startOtlpReceiver();
  {
    await using bench = await startPair({
      env: {
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/own/path`,
        OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=a%20b',
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.name=not-this',
        OTEL_SERVICE_NAME: 'this',
        OTEL_BSP_SCHEDULE_DELAY: '3600000',
      },
    });
    await bench.call({ body: PLAIN });
    await bench.gateway.waitForUsage(1);
    expect(receiver.requests).toEqual([]);
    // One signal: a second would cut what is still to be sent.
    bench.gateway.signal('SIGTERM');
    expect(await bench.gateway.exited).toBe(0);
  }
  expect(receiver.requests.map(({ path }) => path)).toEqual(['/own/path']);
  const { headers } = receiver.requests[0]!;
  expect(['x-tenant', 'content-encoding', 'content-type'].map((name) => headers.get(name))).toEqual([
    'a b',
    'gzip',
    'application/x-protobuf',
  ]);
  expect(receiver.spans.length).toBe(3);
  expect(receiver.spans[0]!.resource).toMatchObject({ 'service.name': 'this', 'deployment.environment.name': 'test' });
});

test('a collector that is away costs no request anything: spans are dropped and counted, with one line in the log', async () => {
  await using bench = await startPair({
    env: {
      // Nothing listens there.
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_TIMEOUT: '100',
      OTEL_BSP_SCHEDULE_DELAY: '1',
      OTEL_BSP_MAX_QUEUE_SIZE: '6',
      METRICS_PORT: '0',
    },
  });
  const metricsUrl = (await bench.gateway.logLine(({ msg }) => String(msg).startsWith('metrics on '))).url as string;
  for (let i = 0; i < 20; i++) expect((await bench.call({ body: PLAIN })).status).toBe(200);
  await eventually(async () => (await (await fetch(metricsUrl)).text()).includes('bve_trace_spans_dropped_total 60\n'));
  const line = await bench.gateway.logLine(({ msg }) => msg === 'spans of traces are dropped');
  expect([line.level, Number(line.spans) > 0, typeof line.reason]).toEqual(['warn', true, 'string']);
  const lines = bench.gateway.logLines().filter(({ msg }) => msg === 'spans of traces are dropped');
  expect(lines.length).toBe(1);
});

test.each([
  ['without a collector', {}],
  ['with OTEL_SDK_DISABLED', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' }],
  [
    'with OTEL_TRACES_EXPORTER=none',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_TRACES_EXPORTER: 'none' },
  ],
] as [string, Record<string, string>][])("%s a client's context passes as it is", async (_, env) => {
  await using bench = await startPair({ env: { ...env, LOG_LEVEL: 'info' } });
  await bench.call({ body: PLAIN, headers: { traceparent: CALLER, 'x-request-id': 'r' } });
  expect(traceparents(bench.mock)).toEqual([[CALLER]]);
  expect((await bench.gateway.logLine(({ request_id }) => request_id === 'r')).trace_id).toBeUndefined();
});

test('nothing of OpenTelemetry is loaded without a collector', () => {
  const script = `await import('./src/server.ts');
    console.log(Object.keys(require.cache).filter((path) => path.includes('/@opentelemetry/')).length)`;
  const run = Bun.spawnSync([process.execPath, '--no-env-file', '-e', script], { cwd: join(import.meta.dir, '../..') });
  expect(run.stdout.toString()).toBe('0\n');
});
