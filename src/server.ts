/** Puts the parts together into a running gateway, and takes it down again without losing a request or a record. */
import { createAdmin } from './admin/admin.ts';
import { LiveFeed } from './admin/live-feed.ts';
import { mergeTargets, type TargetJson, targetsToJson } from './admin/targets-json.ts';
import type { Host } from './cluster/host.ts';
import { localUrl } from './config/address.ts';
import { effectiveOptions, effectiveToJson } from './config/effective.ts';
import type { Loaded } from './config/load.ts';
import { reloadOf } from './config/reload.ts';
import { BurstSmoother } from './gateway/burst-smoother.ts';
import { ExtraHeaders } from './gateway/extra-headers.ts';
import type { Gateway } from './gateway/gateway.ts';
import { gatewayFields } from './gateway/headers.ts';
import { KeyMask } from './gateway/key-mask.ts';
import { LeaveDrains } from './gateway/leave-drains.ts';
import { AcceptGuard } from './http/accept-guard.ts';
import { createApp } from './http/app.ts';
import { BodyReader } from './http/body-reader.ts';
import { Deadlines } from './http/deadlines.ts';
import { Drain, within } from './http/drain.ts';
import { ListeningSocket } from './http/listening-socket.ts';
import { Permits } from './http/permits.ts';
import { KeyCache } from './keys/key-cache.ts';
import { openLimits } from './limits/open-limits.ts';
import { ListenError } from './listen-error.ts';
import { ExchangeLog } from './observe/exchange-log.ts';
import { FailureReport, messageOf } from './observe/failure-report.ts';
import { LiveWindow } from './observe/live-window.ts';
import type { Log } from './observe/log.ts';
import { createMetrics } from './observe/metrics/create-metrics.ts';
import { TargetLog } from './observe/target-log.ts';
import { openTraces } from './observe/traces/open-traces.ts';
import { serveWithoutEffects } from './serve-without-effects.ts';
import { descriptorLimit, descriptorsFor, spareDescriptors } from './spare-descriptors.ts';
import { openStore, storeOptionsOf } from './store/open-store.ts';
import type { Store } from './store/store.ts';
import { TargetClient } from './upstream/attempts.ts';
import { createClient, DIRECT_NETWORK, type UpstreamNetwork } from './upstream/create-client.ts';
import { TargetFactory } from './upstream/create-targets.ts';
import { RetryBudget } from './upstream/retry-budget.ts';
import { TargetPool } from './upstream/target-pool.ts';
import { openUsage, retentionOf } from './usage/open-usage.ts';
import { RecordedUse } from './usage/recorded-use.ts';
import { UsageObserver } from './usage/usage-observer.ts';
import type { UsageRecord } from './usage/usage-record.ts';
import type { UsageClosing } from './usage/usage-writer.ts';
import { VERSION } from './version.ts';
import { warmUp } from './warm-up.ts';

export interface RunningGateway {
  /** http://HOST:PORT, as it can be called from this machine. */
  readonly url: string;
  readonly port: number;
  /** Of METRICS_PORT. */
  readonly metricsUrl: string | null;
  readonly store: Store;
  /** Resolves when all usage recorded so far is in the store. */
  flushUsage(): Promise<void>;
  /**
   * Takes over what can change while it runs: LOG_LEVEL, and the targets with their keys. No open request notices.
   * @returns the names of changed options that need a restart
   * @throws Error when a target cannot be used; then nothing has changed
   */
  reload(loaded: Loaded): string[];
  /**
   * Takes it out of service (http/drain.ts), at once when `cut` resolves; then the last usage records are written and
   * everything is closed. Calling it twice waits for the same stop.
   */
  stop(cut?: Promise<unknown>): Promise<UsageClosing>;
  /** Resolves when the supervisor has started another in its place. */
  readonly retired: Promise<void>;
  /**
   * Stops accepting connections, serves the requests that come on those it has, then ends as `stop` does.
   * @param onClosed called when the listening socket is closed
   */
  retire(onClosed: () => void, cut: Promise<unknown>): Promise<UsageClosing>;
}

/** So that with the rest between two probes a target is found again within 5 s. */
const PROBE_TIMEOUT_MS = 2000;
/** An answer that is decided has this long to reach a client that reads slowly. */
const ANSWERS_REACH_CLIENTS_WITHIN_MS = 1000;
/** A kept connection that was not used for that long is idle. */
const CONNECTIONS_IN_USE_END_WITHIN_MS = 1000;
/** At a stop the store has what is left of the drain time to take the last records, and at least this. */
const STORE_WAIT_MIN_MS = 1000;
/** Then it is tried once more, and what it does not take goes into a file. */
const LAST_FLUSH_MS = 50;

/** Of MAX_CONCURRENT_REQUESTS: with room for fewer than this the start log says so. */
const ROOM_EXPECTED = 0.9;

/** @throws StoreError when the database cannot be opened, ListenError */
export async function startGateway(
  loaded: Loaded,
  network: UpstreamNetwork,
  log: Log,
  /** The other processes on this port; undefined: there are none. */
  shared?: { readonly host: Host; readonly isFirst: boolean },
): Promise<RunningGateway> {
  const host = shared?.host;
  const { config } = loaded;
  let current = loaded;
  const factory = new TargetFactory(
    (baseUrl) => createClient(baseUrl, config, network),
    (apiKey) => gatewayFields(apiKey, `bve-gateway/${VERSION}`),
  );
  const budget = new RetryBudget(config.retryBudgetPercent);
  const targets = new TargetPool(factory.create(loaded.targets), {
    budget,
    events: new TargetLog(log),
    probeTimeoutMs: Math.min(PROBE_TIMEOUT_MS, config.upstreamHeadTimeoutMs),
  });
  const client = new TargetClient(targets, budget, config);
  const keyMask = new KeyMask(...loaded.targets.map(({ apiKey }) => apiKey));
  const store = await openStore(config.databaseUrl, storeOptionsOf(config));
  const writer = await openUsage(config, store, log);
  const keyFailures = new FailureReport(({ count, error }) =>
    log.warn({ failures: count, reason: messageOf(error) }, 'keys cannot be read from the store'),
  );
  const keys = new KeyCache(store, config.apiKeyPepper, {
    staleMs: config.keyCacheStaleMs,
    onFailure: (error) => keyFailures.count(error),
  });
  await keys.start();
  const limits = await openLimits(config, new RecordedUse(store, writer), log).catch(async (error: unknown) => {
    await writer.close();
    await keys.stop();
    await store.close();
    throw error;
  });
  const deadlines = new Deadlines(
    Math.min(
      config.requestBodyTimeoutMs,
      config.upstreamHeadTimeoutMs,
      config.upstreamIdleTimeoutMs,
      config.upstreamTotalTimeoutMs,
      config.clientStallTimeoutMs,
      config.leaveDrainMs || Number.POSITIVE_INFINITY,
      config.streamHeartbeatMs || Number.POSITIVE_INFINITY,
    ),
  );
  const bodies = new BodyReader({
    bytesMax: config.maxBodyBytes,
    bytesMaxOption: 'MAX_BODY_BYTES',
    bytesTotalMax: config.maxBodyBytesTotal,
    timeoutMs: config.requestBodyTimeoutMs,
    deadlines,
  });
  // Each may need two: for its client, and for upstream.
  const requestsMax = Math.max(1, Math.min(config.maxConcurrentRequests, descriptorsFor(2)));
  if (requestsMax < config.maxConcurrentRequests * ROOM_EXPECTED)
    log.warn(
      { descriptors: descriptorLimit(), requests: requestsMax },
      'ulimit -n allows fewer requests at once than MAX_CONCURRENT_REQUESTS',
    );
  const traces = await openTraces(config, log);
  const liveWindow = new LiveWindow();
  const live = new LiveFeed({
    window: liveWindow,
    inFlight: () => gateway.permits.inFlight,
    streams: () => gateway.streams.inFlight,
    targets: () => targetsToJson(targets.all).targets,
    host,
  });
  const metrics = createMetrics(
    config,
    {
      requestsInFlight: () => gateway.permits.inFlight,
      streamsOpen: () => gateway.streams.inFlight,
      targets: () => targets.all,
      usage: () => writer,
      storeErrors: () => ({ read_keys: keyFailures.total, write_usage: writer.failedWrites }),
      limitsUnavailable: limits.unavailable,
      spansDropped: () => traces?.dropped() ?? null,
    },
    host,
  );
  const recorder = {
    record: (record: UsageRecord) => {
      writer.record(record);
      live.record(record);
    },
  };
  const gateway: Gateway = {
    client,
    keys,
    limiter: limits.limiter,
    observers: [
      liveWindow,
      ...(metrics ? [metrics.observer] : []),
      new UsageObserver(recorder),
      new ExchangeLog(log, config.logSample),
      ...(traces ? [traces.tracer] : []),
    ],
    tracer: traces?.tracer,
    ...(metrics ? { onModelList: metrics.onModelList } : {}),
    keyMask,
    upstream5xx: config.upstream5xx,
    accelBuffering: config.xAccelBuffering,
    extraHeaders: new ExtraHeaders(config.responseHeadersExtra),
    usage: store,
    permits: new Permits(requestsMax),
    streams: new Permits(Number.POSITIVE_INFINITY),
    bursts: new BurstSmoother(),
    leaveDrains: new LeaveDrains(config.leaveDrainsMax),
    clock: performance,
    connections: {
      liftIdleTimeout: (request) => app.server?.timeout(request, 0),
      restoreIdleTimeout: (request) => app.server?.timeout(request, config.clientIdleTimeoutS),
    },
    deadlines,
    bodies,
    uploads: {
      bytesMax: config.maxUploadBytes,
      bytesMaxOption: 'MAX_UPLOAD_BYTES',
      idleTimeoutMs: config.requestBodyTimeoutMs,
      deadlines,
      bodies,
    },
    limits: config,
    injectStreamUsage: config.streamUsage === 'inject',
    log,
  };
  const changes = new Permits(Number.POSITIVE_INFINITY);
  const drain = new Drain({
    requests: gateway.permits,
    changes,
    deadlines,
    readyGraceMs: config.readyGraceMs,
    drainTimeoutMs: config.drainTimeoutMs,
    onCut: (inFlight) => log.warn({ in_flight: inFlight }, 'open requests are cut'),
  });
  const admin = createAdmin({
    adminApiKey: config.adminApiKey,
    apiKeyPepper: config.apiKeyPepper,
    store,
    keys,
    limiter: gateway.limiter,
    effectiveConfig: () => effectiveToJson(effectiveOptions(current)),
    targets: async () => {
      const own = targetsToJson(targets.all);
      return host ? { targets: mergeTargets((await host.collect('targets')) as TargetJson[][]) } : own;
    },
    live,
    addressOf: (request) => app.server?.requestIP(request)?.address ?? null,
    flushUsage: (deadlineMs) => writer.flush(deadlineMs),
    deadlines,
    changes,
    drain: () => {
      if (host) host.drain();
      else void drain.begin();
      return { status: 'draining' };
    },
    bodyTimeoutMs: config.requestBodyTimeoutMs,
    log,
  });
  const app = createApp({
    gateway,
    admin,
    drain,
    idleTimeoutS: config.clientIdleTimeoutS,
    metrics: metrics?.endpoint.needsToken ? (request) => metrics.endpoint.handle(request) : undefined,
    ping: config.readyRequiresStore ? () => store.ping() : undefined,
    isShared: host !== undefined,
  });
  await warmUp({
    requests: config.warmUpRequests,
    // Each has both ends of both connections in this process.
    concurrencyMax: descriptorsFor(4),
    connect: (baseUrl) => createClient(baseUrl, config, DIRECT_NETWORK),
    serve: (upstream, key, hostname) => serveWithoutEffects(gateway, upstream, key, hostname),
    log,
  });
  let metricsServer: Bun.Server<undefined> | undefined;
  let listensFor: ListenError['option'] = 'METRICS_PORT';
  try {
    // Of several processes the supervisor has that port.
    if (config.metricsPort !== undefined && !host)
      metricsServer = metrics!.endpoint.listen(config.host, config.metricsPort);
    listensFor = 'PORT';
    app.listen({ hostname: config.host, port: config.port });
  } catch (error) {
    await metricsServer?.stop(true);
    await keys.stop();
    await store.close();
    throw new ListenError(error, listensFor);
  }
  const server = app.server!;
  const guard = guardOf(server, gateway.permits, requestsMax, log);
  const retention = shared?.isFirst === false ? null : retentionOf(config, store, log);
  let stopping: Promise<UsageClosing> | undefined;
  const retirement = Promise.withResolvers<void>();
  host?.join({
    answer: (question) =>
      ({
        targets: () => targetsToJson(targets.all).targets,
        metrics: () => metrics?.snapshot() ?? [],
        live: () => live.share(),
      })[question](),
    drain: () => void drain.begin(),
    retire: retirement.resolve,
    watched: (isWatched) => live.watchedElsewhere(isWatched),
    records: (text, count) => live.receive(text, count),
  });

  return {
    retired: retirement.promise,
    retire: async (onClosed, cut) => {
      void cut.then(() => drain.cut());
      // Bun closes idle connections with the listening socket. Those in use are ended by an answer before that, so that no
      // request meets the end of its connection.
      drain.beginToRetire();
      await Promise.race([Bun.sleep(CONNECTIONS_IN_USE_END_WITHIN_MS), cut]);
      // Its descriptor may soon be another socket's.
      guard?.stop();
      void server.stop(false);
      onClosed();
      live.close();
      await drain.retire();
      stopping ??= stop(cut);
      return stopping;
    },
    url: localUrl(config.host, server.port!),
    port: server.port!,
    metricsUrl: metricsServer ? `${localUrl(config.host, metricsServer.port!)}/metrics` : null,
    store,
    flushUsage: async () => {
      await writer.flush();
    },
    reload,
    stop: (cut) => {
      stopping ??= stop(cut);
      return stopping;
    },
  };

  function reload(next: Loaded): string[] {
    targets.replace(factory.create(next.targets));
    // A request under way may still be answered with an old key in the message.
    keyMask.replace([...new Set([...current.targets, ...next.targets].map(({ apiKey }) => apiKey))]);
    log.level = next.config.logLevel;
    const { current: now, needRestart } = reloadOf(loaded, next);
    current = now;
    return needRestart;
  }

  async function stop(cut?: Promise<unknown>): Promise<UsageClosing> {
    const deadlineMs = performance.now() + config.readyGraceMs + config.drainTimeoutMs;
    void cut?.then(() => drain.cut());
    // It goes on listening meanwhile: a load balancer must be able to see /ready turn 503, on a new connection too.
    await drain.begin();
    live.close();
    // Before the listening socket is closed: its descriptor may then be another socket's.
    guard?.stop();
    // Nothing is in flight, but the last answers are not at their clients yet, nor even all with Bun.
    await within(ANSWERS_REACH_CLIENTS_WITHIN_MS, server.stop(false));
    await server.stop(true);
    await metricsServer?.stop(true);
    metrics?.stop();
    client.close();
    await limits.close();
    const spansAreSent = traces?.close();
    const leftMs = Math.max(STORE_WAIT_MIN_MS, deadlineMs - performance.now());
    await Promise.race([writer.flush(leftMs), cut ?? new Promise(() => {})]);
    const closing = await writer.close(LAST_FLUSH_MS);
    await retention?.stop();
    await keys.stop();
    await store.close();
    await Promise.race([spansAreSent, ...(cut ? [cut] : [])]);
    return closing;
  }
}

function guardOf(server: Bun.Server<unknown>, permits: Permits, requestsMax: number, log: Log): AcceptGuard | null {
  const listening = ListeningSocket.find(server.port!);
  if (listening === null) return null;
  listening.tune();
  return new AcceptGuard({
    listening,
    spare: spareDescriptors,
    requestsMax,
    closeIdle: () => server.closeIdleConnections(),
    requestsInFlight: () => permits.inFlight,
    onExhausted: () =>
      log.warn(
        { descriptors: descriptorLimit(), in_flight: permits.inFlight },
        'clients take all file descriptors: idle connections are closed, new ones wait (ulimit -n)',
      ),
  });
}
