/** Traces as the configuration wants them. Without a collector nothing of OpenTelemetry is loaded. */
import { randomUUID } from 'node:crypto';
import { parsePairs } from '../../config/otel-options.ts';
import type { Config } from '../../config/schema.ts';
import { VERSION } from '../../version.ts';
import { FailureReport, messageOf } from '../failure-report.ts';
import type { Log } from '../log.ts';
import { createSampler } from './sampler.ts';
import { SpanQueue } from './span-queue.ts';
import { Tracer } from './tracer.ts';

interface Traces {
  readonly tracer: Tracer;
  /** Spans that no collector took, since the start. */
  dropped(): number;
  /** What waits is sent, within a bound. */
  close(): Promise<void>;
}

const SERVICE_NAME = 'bve-gateway';
/** Of an outage that lasts, the log has a line a minute. */
const REPORT_EVERY_MS = 60_000;
/** At a stop the collector has this long to take the last spans. */
const LAST_SPANS_WITHIN_MS = 2000;

/** Null when there is none to send them to. */
export async function openTraces(config: Config, log: Log): Promise<Traces | null> {
  const url = collectorUrl(config);
  if (url === null) return null;
  const [{ createCollector }, { spansOf }] = await Promise.all([import('./collector.ts'), import('./spans.ts')]);
  const collector = createCollector({
    url,
    headers: config.otelTracesHeaders ?? config.otelHeaders ?? new Map(),
    timeoutMs: config.otelTimeoutMs,
    compression: config.otelCompression,
    attributes: {
      'service.name': SERVICE_NAME,
      'service.version': VERSION,
      'service.instance.id': randomUUID(),
      ...Object.fromEntries(parsePairs(config.otelResourceAttributes ?? '')),
      ...(config.otelServiceName === undefined ? {} : { 'service.name': config.otelServiceName }),
    },
  });
  let told = 0;
  const drops = new FailureReport(({ error }) => {
    const { dropped } = queue;
    log.warn({ spans: dropped - told, reason: messageOf(error) }, 'spans of traces are dropped');
    told = dropped;
  }, REPORT_EVERY_MS);
  const queue = new SpanQueue({
    queueMax: config.otelBspQueueMax,
    batchMax: config.otelBspBatchMax,
    delayMs: config.otelBspScheduleDelayMs,
    exportTimeoutMs: config.otelBspExportTimeoutMs,
    send: (batch: Parameters<typeof collector.send>[0]) => collector.send(batch),
    onDropped: (_spans, error) => drops.count(error),
  });
  const origin = { resource: collector.resource, instrumentationScope: { name: SERVICE_NAME, version: VERSION } };
  const sampler = createSampler(config.otelTracesSampler, config.otelTracesSamplerArg);
  return {
    tracer: new Tracer(sampler, (exchange, trace) => queue.push(spansOf(exchange, trace, origin))),
    dropped: () => queue.dropped,
    close: () => queue.close(LAST_SPANS_WITHIN_MS),
  };
}

function collectorUrl(config: Config): string | null {
  if (config.otelSdkDisabled || config.otelTracesExporter === 'none') return null;
  if (config.otelTracesEndpoint !== undefined) return config.otelTracesEndpoint;
  if (config.otelEndpoint === undefined) return null;
  const url = new URL(config.otelEndpoint);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/traces`;
  return url.href;
}
