/** What a request leaves in the metrics, and that no client can add series. */
import { describe, expect, test } from 'bun:test';
import { GatewayError } from '../../../src/errors.ts';
import { createKey } from '../../../src/keys/key.ts';
import { LIMIT_MESSAGES } from '../../../src/limits/limiter.ts';
import { GatewayMetrics } from '../../../src/observe/metrics/gateway-metrics.ts';
import { ModelNames } from '../../../src/observe/metrics/model-names.ts';
import { metricsText } from '../../../src/observe/metrics/text.ts';
import type { SettledExchange } from '../../../src/observe/observer.ts';
import { settledExchange } from '../settled-exchange.ts';

const { key } = createKey({ name: 'k', allowedModels: ['gpt-4o'] }, 0);

function metricsOf(models = new ModelNames()) {
  const metrics = new GatewayMetrics(models, {
    requestsInFlight: () => 3,
    streamsOpen: () => 2,
    targets: () => [
      {
        name: 'fuelix',
        health: { state: 'up' },
        inFlight: 1,
        outcomes: { ok: 9, client_error: 0, server_error: 2, no_answer: 0 },
      },
    ],
    usage: () => ({ waiting: 4, dropped: 5 }),
    storeErrors: () => ({ read_keys: 6, write_usage: 0 }),
    limitsUnavailable: () => 7,
    spansDropped: () => 10,
    loopLagMs: () => 8,
    build: { version: '1', commit: 'c' },
  });
  const lines = () =>
    metricsText(metrics.snapshot())
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
  return { metrics, lines, has: (line: string) => expect(lines()).toContain(line) };
}

const stream = (parts: Partial<SettledExchange> = {}) =>
  settledExchange({ key, endpoint: '/v1/chat/completions', model: 'gpt-4o', ...parts });

describe('a stream', () => {
  test('is counted in each metric that concerns it', () => {
    const { metrics, has } = metricsOf();
    const usage = { promptTokens: 5, cachedTokens: 1, completionTokens: 7, reasoningTokens: 2, totalTokens: 12 };
    metrics.settled(
      stream({
        sentMs: 2,
        ttfbMs: 100,
        lastByteMs: 1100,
        chunks: 11,
        durationMs: 1200,
        usage,
        usageSource: 'upstream',
      }),
    );
    const operation = 'gen_ai_operation_name="chat",gen_ai_provider_name="fuelix",gen_ai_request_model="gpt-4o"';
    has('bve_requests_total{endpoint="/v1/chat/completions",status="200",finish="complete",streamed="true"} 1');
    has(`gen_ai_client_operation_duration_seconds_sum{${operation}} 1.2`);
    has(`gen_ai_client_operation_duration_seconds_bucket{${operation},le="600"} 1`);
    has(`gen_ai_client_operation_time_to_first_chunk_seconds_sum{${operation}} 0.1`);
    has(`gen_ai_client_operation_time_per_output_chunk_seconds_sum{${operation}} 0.1`);
    has('bve_overhead_seconds_sum 0.002');
    has('bve_tokens_total{type="input",gen_ai_request_model="gpt-4o"} 5');
    has('bve_tokens_total{type="output",gen_ai_request_model="gpt-4o"} 7');
    has('bve_cached_tokens_total{gen_ai_request_model="gpt-4o"} 1');
    has('bve_reasoning_tokens_total{gen_ai_request_model="gpt-4o"} 2');
    has('bve_usage_records_total{source="upstream"} 1');
  });

  test('has an error type only when it failed, of a closed set', () => {
    const { metrics, lines } = metricsOf();
    for (const errorCode of ['upstream_503', 'a code that upstream made up', 'internal_error', 'upstream_999'])
      metrics.settled(stream({ errorCode, status: 502, finish: 'error' }));
    const types = lines()
      .filter((line) => line.startsWith('gen_ai_client_operation_duration_seconds_count'))
      .map((line) => /error_type="([^"]*)"/.exec(line)?.[1]);
    expect(types.filter((type) => type !== undefined).sort()).toEqual(['_OTHER', 'internal_error', 'upstream_503']);
    expect(lines().join('\n')).not.toContain('made up');
  });
});

describe('refusals', () => {
  test('are counted by their reason', () => {
    const { metrics, has } = metricsOf();
    const refused = { sentMs: null, attempts: 0, target: null, finish: 'error' } as const;
    metrics.settled(stream({ ...refused, key: null, status: 401, errorCode: 'missing_api_key' }));
    for (const [name, message] of Object.entries(LIMIT_MESSAGES)) {
      const error = new GatewayError('rate_limit_exceeded', message);
      if (name === 'concurrent') metrics.settled(stream({ ...refused, status: 429, errorCode: error.code, error }));
    }
    const error = new GatewayError('overloaded', 'full', { reason: 'bodies' });
    metrics.settled(stream({ ...refused, status: 503, errorCode: error.code, error }));
    has('bve_auth_failures_total{reason="missing_api_key"} 1');
    has('bve_limit_refusals_total{limit="concurrent_requests"} 1');
    has('bve_overloaded_total{reason="bodies"} 1');
  });

  test('a client that left is counted with the time until upstream was cancelled', () => {
    const { metrics, has } = metricsOf();
    metrics.settled(stream({ finish: 'client_closed', cancelMs: 4 }));
    has('bve_cancel_latency_seconds_sum 0.004');
    has('bve_upstream_attempts_total{target="fuelix",outcome="cancelled"} 1');
  });
});

test('what the gateway is like now is read when it is asked for', () => {
  const { has } = metricsOf();
  has('bve_requests_in_flight 3');
  has('bve_streams_open 2');
  has('bve_target_up{target="fuelix"} 1');
  has('bve_target_in_flight{target="fuelix"} 1');
  has('bve_upstream_attempts_total{target="fuelix",outcome="ok"} 9');
  has('bve_upstream_attempts_total{target="fuelix",outcome="server_error"} 2');
  has('bve_usage_queue_rows 4');
  has('bve_usage_dropped_total 5');
  has('bve_store_errors_total{operation="read_keys"} 6');
  has('bve_limits_unavailable_total 7');
  has('bve_event_loop_lag_seconds 0.008');
  has('bve_trace_spans_dropped_total 10');
  has('bve_build_info{version="1",commit="c"} 1');
});

test('10,000 random models, keys and codes leave fewer than 1,500 lines', () => {
  const { metrics, lines } = metricsOf();
  for (let i = 0; i < 10_000; i++) {
    const { key: other } = createKey({ name: `k${i}`, allowedModels: i % 100 === 0 ? null : ['gpt-4o'] }, 0);
    metrics.settled(stream({ key: other, model: `model-${i}`, errorCode: i % 3 === 0 ? `code-${i}` : null }));
  }
  expect(lines().length).toBeLessThan(1_500);
});

describe('models', () => {
  const list = (...names: string[]) => Buffer.from(JSON.stringify({ data: names.map((id) => ({ id })) }));

  test('are named when a key allows them or the last list had them', () => {
    const models = new ModelNames();
    expect(models.labelOf('gpt-4o')).toBe('other');
    models.learnFromKey(key);
    models.learnFromList(list('a', 'b'));
    expect(['gpt-4o', 'a', 'c', null].map((name) => models.labelOf(name))).toEqual(['gpt-4o', 'a', 'other', 'other']);
    models.learnFromList(list('c'));
    models.learnFromList(Buffer.from('no list'));
    models.learnFromList(Buffer.from('{"data":[null]}'));
    expect(['gpt-4o', 'a', 'c'].map((name) => models.labelOf(name))).toEqual(['gpt-4o', 'other', 'c']);
  });

  test('are 50 at the most, those of keys first', () => {
    const models = new ModelNames();
    const names = (prefix: string) => Array.from({ length: 60 }, (_, i) => `${prefix}${i}`);
    const known = (prefix: string) => names(prefix).filter((name) => models.labelOf(name) === name).length;
    models.learnFromList(list(...names('list')));
    expect(known('list')).toBe(50);
    const { key: wide } = createKey({ name: 'k', allowedModels: names('key').slice(0, 30) }, 0);
    models.learnFromKey(wide);
    expect([known('key'), known('list')]).toEqual([30, 20]);
  });
});
