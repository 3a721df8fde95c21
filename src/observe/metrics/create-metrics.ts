/** Puts the parts of the metrics together, when METRICS_TOKEN or METRICS_PORT asks for them. */
import type { Host } from '../../cluster/host.ts';
import type { Config } from '../../config/schema.ts';
import { MetricsEndpoint } from '../../http/metrics-endpoint.ts';
import { commit, VERSION } from '../../version.ts';
import type { ExchangeObserver } from '../observer.ts';
import { GatewayMetrics, type MetricsSources } from './gateway-metrics.ts';
import { LoopLag } from './loop-lag.ts';
import { ModelNames } from './model-names.ts';
import type { FamilySnapshot } from './registry.ts';
import { METRICS_CONTENT_TYPE, mergeSnapshots, metricsText } from './text.ts';

interface Metrics {
  readonly observer: ExchangeObserver;
  readonly endpoint: MetricsEndpoint;
  snapshot(): readonly FamilySnapshot[];
  /** Told of each whole list of models that upstream sent. */
  readonly onModelList: (body: Uint8Array) => void;
  stop(): void;
}

/** Of all processes of a host, as one. */
export async function snapshotOf(host: Pick<Host, 'collect'>): Promise<FamilySnapshot[]> {
  return mergeSnapshots((await host.collect('metrics')) as FamilySnapshot[][]);
}

export function createMetrics(
  { metricsToken, metricsPort }: Pick<Config, 'metricsToken' | 'metricsPort'>,
  sources: Omit<MetricsSources, 'loopLagMs' | 'build'>,
  host?: Pick<Host, 'collect'>,
): Metrics | null {
  if (metricsToken === undefined && metricsPort === undefined) return null;
  const models = new ModelNames();
  const loopLag = new LoopLag();
  const build = { version: VERSION, commit: commit() };
  const metrics = new GatewayMetrics(models, { ...sources, loopLagMs: () => loopLag.maxMs, build });
  const endpoint = new MetricsEndpoint({
    token: metricsToken,
    contentType: METRICS_CONTENT_TYPE,
    text: async () => metricsText(host ? await snapshotOf(host) : metrics.snapshot()),
  });
  return {
    observer: metrics,
    snapshot: () => metrics.snapshot(),
    endpoint,
    onModelList: (body) => models.learnFromList(body),
    stop: () => loopLag.stop(),
  };
}
