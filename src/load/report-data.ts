/**
 * The result of a run as JSON: field names are stable, and a change of meaning raises `schema`. Never holds a key, a prompt
 * or an answer. What the figures mean: tally.ts.
 */
import { cpus } from 'node:os';
import { VERSION } from '../version.ts';
import type { Load } from './load.ts';
import { bottlenecks } from './own-load.ts';
import type { Distribution } from './statistics.ts';
import type { SecondTally } from './tally.ts';

const SCHEMA = 1;

export interface Report {
  readonly schema: typeof SCHEMA;
  readonly version: string;
  readonly started_at: string;
  /** From the first arrival to the end of the last stream, warm-up included. */
  readonly elapsed_s: number;
  readonly interrupted: boolean;
  readonly target: string;
  readonly load: {
    readonly mode: 'open' | 'closed';
    readonly rate_per_s: number | null;
    readonly streams: number | null;
    readonly ramp_s: number;
    readonly warmup_s: number;
    readonly duration_s: number;
    readonly slow_readers: number;
    readonly abandon: number;
    readonly model: string;
    readonly seed: number;
    readonly insecure: boolean;
  };
  readonly machine: { readonly cpus: number; readonly cpu: string; readonly platform: string; readonly bun: string };
  readonly streams: {
    /** Arrivals that were started: complete + failed + abandoned + interrupted. */
    readonly started: number;
    readonly complete: number;
    readonly failed: number;
    readonly abandoned: number;
    readonly interrupted: number;
    /** Arrivals beyond the limit of open streams or connections. */
    readonly dropped: number;
    /** Of the failed ones: event streams that started and ended without a terminal event. */
    readonly truncated: number;
    readonly slow: number;
    /** Requests sent again because their reused connection was closed before the first byte of an answer. */
    readonly retried: number;
  };
  readonly ttfb_us: Distribution;
  readonly first_event_us: Distribution;
  readonly gap_us: Distribution;
  readonly jitter_us: Distribution;
  readonly total_us: Distribution;
  readonly rates: {
    readonly streams_per_s: number;
    readonly events_per_s: number;
    readonly tokens_per_s: number;
    readonly bytes_per_s: number;
    /** Source of the token counts: reported usage, or the number of content events. */
    readonly tokens_from: 'usage' | 'events' | 'both' | 'none';
  };
  readonly errors: {
    readonly total: number;
    readonly by_kind: Readonly<Record<string, { readonly count: number; readonly example: string }>>;
  };
  readonly order: {
    /** Streams with numbered events, or all when the number of events was given. */
    readonly checked_streams: number;
    /** Of these: checked for events missing at the end, too. */
    readonly ends_checked: number;
    readonly bad_streams: number;
    readonly violations: number;
    readonly reordered: number;
    readonly dropped: number;
    readonly duplicated: number;
  };
  /** Null unless all bodies were expected to be equal. */
  readonly bodies: { readonly compared: number; readonly distinct: number; readonly different: number } | null;
  readonly harness: {
    readonly loop_lag_us: Distribution;
    readonly arrival_lag_us: Distribution;
    /** Of one core, without the busy wait. */
    readonly cpu_share: number;
    /** Why the figures may describe the harness and not the target. */
    readonly bottlenecks: readonly string[];
  };
  readonly seconds: readonly SecondTally[];
}

/** @param cpuShare at the end of the load */
export function reportOf(load: Load, cpuShare: number): Report {
  const { plan, tally, ownLoad } = load;
  const { arrivals } = plan;
  const loopLag = ownLoad.lagUs.distribution();
  return {
    schema: SCHEMA,
    version: VERSION,
    started_at: load.startedAt.toISOString(),
    elapsed_s: rounded(Math.max(0, load.finishedUs - load.startUs) / 1e6),
    interrupted: load.interrupted,
    target: plan.target.label,
    load: {
      mode: arrivals.kind,
      rate_per_s: arrivals.kind === 'open' ? arrivals.ratePerS : null,
      streams: arrivals.kind === 'closed' ? arrivals.streams : null,
      ramp_s: arrivals.rampS,
      warmup_s: plan.warmupS,
      duration_s: plan.durationS,
      slow_readers: plan.slowReaders,
      abandon: plan.abandon,
      model: plan.model,
      seed: plan.seed,
      insecure: plan.insecure,
    },
    machine: {
      cpus: cpus().length,
      cpu: cpus()[0]?.model ?? 'unknown',
      platform: `${process.platform} ${process.arch}`,
      bun: Bun.version,
    },
    streams: {
      started: tally.started,
      complete: tally.completed,
      failed: tally.failed,
      abandoned: tally.abandoned,
      interrupted: tally.interrupted,
      dropped: tally.dropped,
      truncated: tally.truncated,
      slow: tally.slow,
      retried: tally.retries,
    },
    ttfb_us: figures(tally.ttfbUs.distribution()),
    first_event_us: figures(tally.firstEventUs.distribution()),
    gap_us: figures(tally.gapUs.distribution()),
    jitter_us: figures(tally.jitterUs.distribution()),
    total_us: figures(tally.totalUs.distribution()),
    rates: ratesOf(load),
    errors: { total: tally.failed, by_kind: Object.fromEntries([...tally.errors].sort()) },
    order: orderOf(load),
    bodies: plan.expectSame ? bodiesOf(load) : null,
    harness: {
      loop_lag_us: figures(loopLag),
      arrival_lag_us: figures(tally.arrivalLagUs.distribution()),
      cpu_share: rounded(cpuShare),
      bottlenecks: bottlenecks(cpuShare, loopLag.count === 0 ? 0 : loopLag.p99),
    },
    seconds: tally.seconds,
  };
}

function ratesOf({ plan, tally, startUs, endUs, finishedUs, interrupted }: Load): Report['rates'] {
  // An interrupted run is shorter than planned.
  const lastUs = interrupted ? Math.min(endUs, finishedUs) : endUs;
  const seconds = Math.max(1e-6, (lastUs - startUs) / 1e6 - plan.warmupS);
  const { streams, events, tokens, bytes } = tally.counted;
  const { usageStreams, eventStreams } = tally;
  return {
    streams_per_s: rounded(streams / seconds),
    events_per_s: rounded(events / seconds),
    tokens_per_s: rounded(tokens / seconds),
    bytes_per_s: rounded(bytes / seconds),
    tokens_from: usageStreams > 0 ? (eventStreams > 0 ? 'both' : 'usage') : eventStreams > 0 ? 'events' : 'none',
  };
}

function orderOf({ tally: { order } }: Load): Report['order'] {
  return {
    checked_streams: order.checkedStreams,
    ends_checked: order.endsChecked,
    bad_streams: order.badStreams,
    violations: order.reordered + order.dropped + order.duplicated,
    reordered: order.reordered,
    dropped: order.dropped,
    duplicated: order.duplicated,
  };
}

/** The most frequent body counts as the right one. */
function bodiesOf({ tally: { hashes } }: Load): NonNullable<Report['bodies']> {
  const counts = [...hashes.values()];
  const compared = counts.reduce((sum, count) => sum + count, 0);
  return { compared, distinct: counts.length, different: compared - Math.max(0, ...counts) };
}

/** To thousandths: more digits mean nothing in a measurement. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}

function figures({ count, min, p50, p90, p99, p999, max, mean }: Distribution): Distribution {
  return {
    count,
    min: rounded(min),
    p50: rounded(p50),
    p90: rounded(p90),
    p99: rounded(p99),
    p999: rounded(p999),
    max: rounded(max),
    mean: rounded(mean),
  };
}
