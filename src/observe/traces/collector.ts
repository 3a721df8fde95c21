/** An OpenTelemetry collector, which takes spans as protobuf over HTTP. It is tried again while it is away, within its timeout. */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

interface CollectorOptions {
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
  readonly compression: 'none' | 'gzip';
  /** Of the service whose spans they are. */
  readonly attributes: Readonly<Record<string, string>>;
}

interface Collector {
  readonly resource: Resource;
  send(batch: ReadableSpan[]): Promise<void>;
}

export function createCollector(options: CollectorOptions): Collector {
  type Compression = NonNullable<NonNullable<ConstructorParameters<typeof OTLPTraceExporter>[0]>['compression']>;
  const exporter = new OTLPTraceExporter({
    url: options.url,
    headers: Object.fromEntries(options.headers),
    timeoutMillis: options.timeoutMs,
    compression: options.compression as Compression,
  });
  return {
    resource: defaultResource().merge(resourceFromAttributes(options.attributes)),
    send: (batch) =>
      new Promise((resolve, reject) => {
        exporter.export(batch, ({ code, error }) => {
          if (code === 0) resolve();
          else reject(error ?? new Error('the collector refused them'));
        });
      }),
  };
}
