/** Traces: OpenTelemetry's own variables, by their names and with their defaults (its specification 1.50). */
import { type Option, option, optional } from './option.ts';
import { integer, oneOf, parseNonEmpty, type Reader, text } from './option-text.ts';

const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;
export type TraceSampler = (typeof SAMPLERS)[number];

const COMPRESSIONS = ['none', 'gzip'] as const;
const PROTOCOLS = ['http/protobuf'] as const;
const EXPORTERS = ['otlp', 'none'] as const;
const HOUR_MS = 3_600_000;
const INT_MAX = 2 ** 31 - 1;
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** As OpenTelemetry reads them: true in any case, and anything else is false. */
const LENIENT_BOOLEAN: Reader<boolean> = {
  toml: 'true/false',
  parse: (given) => given.trim().toLowerCase() === 'true',
};

const RATIO: Reader<number> = {
  toml: 'number',
  parse(given) {
    const value = /^\s*\d*\.?\d+(e-?\d+)?\s*$/i.test(given) ? Number(given) : Number.NaN;
    if (value >= 0 && value <= 1) return value;
    throw new Error('must be a number from 0 to 1');
  },
};

export const OTEL_OPTIONS = {
  otelEndpoint: optional(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'traces: base URL of an OpenTelemetry collector, to which /v1/traces is appended; without it there are none',
    text(parseEndpoint),
  ),
  otelTracesEndpoint: optional(
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    'traces: the whole URL, used as it is',
    text(parseEndpoint),
  ),
  otelHeaders: secretPairs('OTEL_EXPORTER_OTLP_HEADERS', 'headers to the collector: name=value,name=value'),
  otelTracesHeaders: secretPairs('OTEL_EXPORTER_OTLP_TRACES_HEADERS', 'the same, in its place'),
  otelTimeoutMs: option(
    'OTEL_EXPORTER_OTLP_TIMEOUT',
    '10000',
    'the collector has this long to take a batch, retries included, ms',
    integer(1, HOUR_MS),
  ),
  otelCompression: option('OTEL_EXPORTER_OTLP_COMPRESSION', 'none', 'gzip or none', oneOf(COMPRESSIONS)),
  otelProtocol: option(
    'OTEL_EXPORTER_OTLP_PROTOCOL',
    'http/protobuf',
    'the one that is spoken; a collector takes it on port 4318',
    oneOf(PROTOCOLS),
  ),
  otelServiceName: optional('OTEL_SERVICE_NAME', 'traces: service.name, by default bve-gateway', text(parseNonEmpty)),
  otelResourceAttributes: optional(
    'OTEL_RESOURCE_ATTRIBUTES',
    'traces: further attributes of the service, name=value,name=value',
    text(checkedPairs),
  ),
  otelTracesExporter: option('OTEL_TRACES_EXPORTER', 'otlp', 'none turns traces off', oneOf(EXPORTERS)),
  /** The default takes the decision of whoever calls, and every request of those who have made none. */
  otelTracesSampler: option(
    'OTEL_TRACES_SAMPLER',
    'parentbased_always_on',
    `which requests are traced: ${SAMPLERS.join(', ')}`,
    oneOf(SAMPLERS),
  ),
  otelTracesSamplerArg: option(
    'OTEL_TRACES_SAMPLER_ARG',
    '1',
    'the share of requests for the traceidratio samplers, from 0 to 1',
    RATIO,
  ),
  otelBspScheduleDelayMs: option(
    'OTEL_BSP_SCHEDULE_DELAY',
    '5000',
    'spans are sent so often, or when a batch is full, ms',
    integer(1, HOUR_MS),
  ),
  otelBspExportTimeoutMs: option(
    'OTEL_BSP_EXPORT_TIMEOUT',
    '30000',
    'then a batch is given up, ms',
    integer(1, HOUR_MS),
  ),
  otelBspQueueMax: option(
    'OTEL_BSP_MAX_QUEUE_SIZE',
    '2048',
    'spans that wait at the most; what is beyond is dropped and counted',
    integer(1, INT_MAX),
  ),
  otelBspBatchMax: option(
    'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
    '512',
    'spans sent at once at the most',
    integer(1, INT_MAX),
  ),
  otelSdkDisabled: option('OTEL_SDK_DISABLED', 'false', 'true turns traces off', LENIENT_BOOLEAN),
} as const;

function parseEndpoint(given: string): string {
  const url = URL.parse(given);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new Error('must be an http:// or https:// URL');
  if (url.username || url.password) throw new Error('must not contain credentials, use OTEL_EXPORTER_OTLP_HEADERS');
  return given.trim();
}

function secretPairs(env: string, help: string): Option<ReadonlyMap<string, string> | undefined> {
  const parse = (given: string) => {
    const pairs = parsePairs(given);
    for (const [name, value] of pairs)
      if (!NAME.test(name) || !/^[\x20-\x7e]*$/.test(value)) throw new Error('must have names and values of headers');
    return pairs;
  };
  return { env, help, secret: true, required: false, toml: 'text', defaultText: undefined, parse };
}

/** The text, if `parsePairs` can read it. */
function checkedPairs(given: string): string {
  parsePairs(given);
  return given;
}

/** `name=value,name=value`, with what cannot be written so percent-encoded (W3C Baggage). */
export function parsePairs(given: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const entry of given.split(',')) {
    if (entry.trim() === '') continue;
    const at = entry.indexOf('=');
    const name = entry.slice(0, Math.max(0, at)).trim();
    // The value itself is not repeated: it may be a secret.
    if (name === '') throw new Error('must be name=value, with a comma between two');
    pairs.set(name, decoded(entry.slice(at + 1).trim()));
  }
  return pairs;
}

function decoded(given: string): string {
  try {
    return decodeURIComponent(given);
  } catch {
    return given;
  }
}
