/**
 * Every metric of contract, section 11. Names and buckets of `gen_ai_…` follow OpenTelemetry's GenAI conventions as of semantic
 * conventions 1.42 (repository semantic-conventions-genai), which name the histograms `gen_ai.client.operation.…` in seconds.
 */
import type { Registry } from './registry.ts';

const OPERATION_BOUNDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const DURATION_BOUNDS = [...OPERATION_BOUNDS, 120, 300, 600];
const SHORT_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

const OPERATION = ['gen_ai_operation_name', 'gen_ai_provider_name', 'gen_ai_request_model'] as const;
const MODEL = 'gen_ai_request_model';

export function makeFamilies(registry: Registry) {
  const counter = (name: string, help: string, ...labels: string[]) => registry.counter({ name, help, labels });
  const gauge = (name: string, help: string, ...labels: string[]) => registry.gauge({ name, help, labels });
  const largest = (name: string, help: string, ...labels: string[]) => registry.gauge({ name, help, labels }, 'max');
  const seconds = (bounds: readonly number[], name: string, help: string, ...labels: string[]) =>
    registry.histogram({ name, help, labels }, bounds);
  return {
    duration: seconds(
      DURATION_BOUNDS,
      'gen_ai_client_operation_duration_seconds',
      'Requests that make upstream generate, from their arrival to their end.',
      ...OPERATION,
      'error_type',
    ),
    firstChunk: seconds(
      OPERATION_BOUNDS,
      'gen_ai_client_operation_time_to_first_chunk_seconds',
      'Streams: from the arrival of the request to the first chunk of the answer.',
      ...OPERATION,
    ),
    perChunk: seconds(
      OPERATION_BOUNDS,
      'gen_ai_client_operation_time_per_output_chunk_seconds',
      'Streams: mean time between two chunks of the answer, a chunk being what one read from upstream gave.',
      ...OPERATION,
    ),
    tokens: counter('bve_tokens_total', 'Tokens that upstream reported.', 'type', MODEL),
    cachedTokens: counter('bve_cached_tokens_total', 'Input tokens that upstream read from its cache.', MODEL),
    reasoningTokens: counter('bve_reasoning_tokens_total', 'Output tokens that were reasoning.', MODEL),
    requests: counter('bve_requests_total', 'Finished requests.', 'endpoint', 'status', 'finish', 'streamed'),
    requestsInFlight: gauge('bve_requests_in_flight', 'Requests in flight.'),
    streamsOpen: gauge('bve_streams_open', 'Streamed requests in flight.'),
    overhead: seconds(SHORT_BOUNDS, 'bve_overhead_seconds', 'From the arrival of a request until it is sent upstream.'),
    cancelLatency: seconds(
      SHORT_BOUNDS,
      'bve_cancel_latency_seconds',
      'From the leaving of a client until its upstream request is cancelled.',
    ),
    authFailures: counter('bve_auth_failures_total', 'Requests without a valid key.', 'reason'),
    limitRefusals: counter('bve_limit_refusals_total', 'Requests refused by a limit of their key.', 'limit'),
    overloaded: counter('bve_overloaded_total', 'Requests refused because the gateway had no room.', 'reason'),
    attempts: counter('bve_upstream_attempts_total', 'Requests sent upstream.', 'target', 'outcome'),
    targetUp: largest('bve_target_up', 'Whether a target gets requests.', 'target'),
    targetInFlight: gauge('bve_target_in_flight', 'Requests in flight at a target.', 'target'),
    usageRecords: counter('bve_usage_records_total', 'Usage records by the source of their token counts.', 'source'),
    usageQueue: gauge('bve_usage_queue_rows', 'Usage records that are not in the store yet.'),
    usageDropped: counter('bve_usage_dropped_total', 'Usage records that were lost.'),
    storeErrors: counter('bve_store_errors_total', 'Failed operations of the store.', 'operation'),
    limitsUnavailable: counter('bve_limits_unavailable_total', 'Requests whose limits could not be counted.'),
    spansDropped: counter('bve_trace_spans_dropped_total', 'Spans of traces that no collector took.'),
    loopLag: largest('bve_event_loop_lag_seconds', 'The longest delay of a timer in the last ten to twenty seconds.'),
    buildInfo: largest('bve_build_info', 'Which build this is; always 1.', 'version', 'commit'),
  };
}
