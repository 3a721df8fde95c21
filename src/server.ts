/** Puts the parts together into a running gateway, and takes it down again without losing a request or a record. */
import { createAdmin } from './admin/admin.ts';
import { localUrl } from './config/address.ts';
import { effectiveOptions, effectiveToJson } from './config/effective.ts';
import type { Loaded } from './config/load.ts';
import type { Config } from './config/schema.ts';
import { BurstSmoother } from './gateway/burst-smoother.ts';
import type { Gateway } from './gateway/gateway.ts';
import { gatewayFields } from './gateway/headers.ts';
import { KeyMask } from './gateway/key-mask.ts';
import { LeaveDrains } from './gateway/leave-drains.ts';
import { createApp } from './http/app.ts';
import { Deadlines } from './http/deadlines.ts';
import { Drain, within } from './http/drain.ts';
import { tuneListeningSocket } from './http/listening-socket.ts';
import { Permits } from './http/permits.ts';
import { KeyCache } from './keys/key-cache.ts';
import { MemoryLimiter } from './limits/memory.ts';
import { ExchangeLog } from './observe/exchange-log.ts';
import { FailureReport } from './observe/failure-report.ts';
import type { Log } from './observe/log.ts';
import { openStore } from './store/open-store.ts';
import type { Store } from './store/store.ts';
import type { ChosenClient } from './upstream/choose-client.ts';
import { HeaderBlock } from './upstream/header-block.ts';
import { UsageObserver } from './usage/usage-observer.ts';
import { UsageRetention } from './usage/usage-retention.ts';
import { UsageWriter } from './usage/usage-writer.ts';
import { VERSION } from './version.ts';
import { warmUp } from './warm-up.ts';

export interface RunningGateway {
  /** http://HOST:PORT, as it can be called from this machine. */
  readonly url: string;
  readonly port: number;
  readonly store: Store;
  /** Resolves when all usage recorded so far is in the store. */
  flushUsage(): Promise<void>;
  /**
   * Takes it out of service (http/drain.ts), at once when `cut` resolves; then the last usage records are written and
   * everything is closed. Calling it twice waits for the same stop.
   */
  stop(cut?: Promise<unknown>): Promise<void>;
}

/** An answer that is decided has this long to reach a client that reads slowly. */
const ANSWERS_REACH_CLIENTS_WITHIN_MS = 1000;

/** HOST and PORT cannot be listened on; `cause` is Bun's error. */
export class ListenError extends Error {
  /** EADDRINUSE …; a message where Bun has no code. */
  readonly reason: string;

  constructor(cause: unknown) {
    const { code, message } = cause as { code?: unknown; message?: unknown };
    const reason = /^E[A-Z_]+$/.test(String(code)) ? String(code) : String(message).split('\n')[0]!;
    super(`cannot listen: ${reason}`, { cause });
    this.reason = reason;
  }
}

/** @throws StoreError when the database cannot be opened, ListenError */
export async function startGateway(loaded: Loaded, upstream: ChosenClient, log: Log): Promise<RunningGateway> {
  const { config } = loaded;
  const { client } = upstream;
  const store = await openStore(config.databaseUrl);
  const writer = new UsageWriter(store, {
    onTrouble: (trouble) => log.warn(trouble, 'usage records wait or are lost'),
  });
  const keyFailures = new FailureReport(({ count, error }) =>
    log.warn({ failures: count, reason: messageOf(error) }, 'keys cannot be read from the store'),
  );
  const keys = new KeyCache(store, config.apiKeyPepper, {
    staleMs: config.keyCacheStaleMs,
    onFailure: (error) => keyFailures.count(error),
  });
  await keys.start();
  const gateway: Gateway = {
    client,
    keys,
    limiter: new MemoryLimiter({
      source: store,
      isSourceCurrent: () => writer.waiting === 0,
      onFailure: config.limitsOnFailure,
      failures: new FailureReport(({ count, error }) =>
        log.warn(
          { requests: count, limits_on_failure: config.limitsOnFailure, reason: messageOf(error) },
          'limits cannot be counted',
        ),
      ),
    }),
    observers: [new UsageObserver(writer), new ExchangeLog(log)],
    keyMask: new KeyMask(config.fuelixApiKey),
    upstream5xx: config.upstream5xx,
    usage: store,
    permits: new Permits(config.maxConcurrentRequests),
    bursts: new BurstSmoother(),
    leaveDrains: new LeaveDrains(config.leaveDrainsMax),
    clock: performance,
    connections: {
      liftIdleTimeout: (request) => app.server?.timeout(request, 0),
      restoreIdleTimeout: (request) => app.server?.timeout(request, config.clientIdleTimeoutS),
    },
    deadlines: new Deadlines(
      Math.min(
        config.requestBodyTimeoutMs,
        config.upstreamHeadTimeoutMs,
        config.upstreamIdleTimeoutMs,
        config.upstreamTotalTimeoutMs,
        config.clientStallTimeoutMs,
      ),
    ),
    limits: config,
    injectStreamUsage: config.streamUsage === 'inject',
    commonFields: new HeaderBlock(gatewayFields(config.fuelixApiKey, `bve-gateway/${VERSION}`)),
    log,
  };
  const changes = new Permits(Number.POSITIVE_INFINITY);
  const drain = new Drain({
    requests: gateway.permits,
    changes,
    deadlines: gateway.deadlines,
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
    effectiveConfig: () => effectiveToJson(effectiveOptions(loaded)),
    addressOf: (request) => app.server?.requestIP(request)?.address ?? null,
    flushUsage: (deadlineMs) => writer.flush(deadlineMs),
    deadlines: gateway.deadlines,
    changes,
    drain: () => {
      void drain.begin();
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
    ping: config.readyRequiresStore ? () => store.ping() : undefined,
  });
  // Fetch would send it through the proxy that it is there for.
  if (upstream.name === 'socket')
    await warmUp({ requests: config.warmUpRequests, gateway, connect: upstream.connect, log });
  try {
    app.listen({ hostname: config.host, port: config.port });
  } catch (error) {
    await keys.stop();
    await store.close();
    throw new ListenError(error);
  }
  const server = app.server!;
  tuneListeningSocket(server.port!);
  const retention = retentionOf(config, store, log);
  let stopping: Promise<void> | undefined;

  return {
    url: localUrl(config.host, server.port!),
    port: server.port!,
    store,
    flushUsage: async () => {
      await writer.flush();
    },
    stop: (cut) => {
      stopping ??= stop(cut);
      return stopping;
    },
  };

  async function stop(cut?: Promise<unknown>): Promise<void> {
    void cut?.then(() => drain.cut());
    // It goes on listening meanwhile: a load balancer must be able to see /ready turn 503, on a new connection too.
    await drain.begin();
    // Nothing is in flight, but the last answers are not at their clients yet, nor even all with Bun.
    await within(ANSWERS_REACH_CLIENTS_WITHIN_MS, server.stop(false));
    await server.stop(true);
    client.close();
    await writer.close();
    await retention?.stop();
    await keys.stop();
    await store.close();
  }
}

function retentionOf(config: Config, store: Store, log: Log): UsageRetention | null {
  if (config.usageRetentionDays === 0) return null;
  return new UsageRetention(store, {
    keepDays: config.usageRetentionDays,
    onRound: (deleted, error) => {
      if (error === undefined) log.info({ deleted }, 'old usage records deleted');
      else log.warn({ deleted, err: error }, 'old usage records could not be deleted');
    },
  });
}

/** One line for the log: what reports of failures that may come by the thousand have room for. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
