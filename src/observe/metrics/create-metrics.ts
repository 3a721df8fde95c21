/** Puts the parts of the metrics together, when METRICS_TOKEN or METRICS_PORT asks for them. */
import type { Config } from '../../config/schema.ts';
import { MetricsEndpoint } from '../../http/metrics-endpoint.ts';
import { commit, VERSION } from '../../version.ts';
import type { ExchangeObserver } from '../observer.ts';
import { GatewayMetrics, type MetricsSources } from './gateway-metrics.ts';
import { LoopLag } from './loop-lag.ts';
import { ModelNames } from './model-names.ts';
import { METRICS_CONTENT_TYPE, metricsText } from './text.ts';

interface Metrics {
  readonly observer: ExchangeObserver;
  readonly endpoint: MetricsEndpoint;
  /** Told of each whole list of models that upstream sent. */
  readonly onModelList: (body: Uint8Array) => void;
  stop(): void;
}

export function createMetrics(
  { metricsToken, metricsPort }: Pick<Config, 'metricsToken' | 'metricsPort'>,
  sources: Omit<MetricsSources, 'loopLagMs' | 'build'>,
): Metrics | null {
  if (metricsToken === undefined && metricsPort === undefined) return null;
  const models = new ModelNames();
  const loopLag = new LoopLag();
  const build = { version: VERSION, commit: commit() };
  const metrics = new GatewayMetrics(models, { ...sources, loopLagMs: () => loopLag.maxMs, build });
  const endpoint = new MetricsEndpoint({
    token: metricsToken,
    contentType: METRICS_CONTENT_TYPE,
    text: () => metricsText(metrics.snapshot()),
  });
  return {
    observer: metrics,
    endpoint,
    onModelList: (body) => models.learnFromList(body),
    stop: () => loopLag.stop(),
  };
}
