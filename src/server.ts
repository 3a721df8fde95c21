/** Puts the parts together into a running gateway, and takes it down again without losing a request or a record. */
import { createAdmin } from './admin/admin.ts';
import type { Config } from './config/schema.ts';
import { Slots } from './gateway/exchange.ts';
import type { Gateway } from './gateway/gateway.ts';
import { gatewayFields } from './gateway/headers.ts';
import { Pace } from './gateway/pace.ts';
import { createApp } from './http/app.ts';
import { Deadlines } from './http/deadlines.ts';
import { raiseListenBacklog } from './http/listen-backlog.ts';
import { CachedKeyDirectory } from './keys/key-cache.ts';
import { FailureReport } from './limits/failure-report.ts';
import { MemoryLimiter } from './limits/memory.ts';
import type { Log } from './observe/log.ts';
import { openStore } from './store/open-store.ts';
import type { Store } from './store/store.ts';
import type { ChosenClient } from './upstream/choose-client.ts';
import { HeaderBlock } from './upstream/header-block.ts';
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
   * Refuses new requests, lets those in flight finish for at most `drainTimeoutMs` or until `cut` resolves, then cuts
   * them, writes the last usage records and closes everything. Calling it twice waits for the same stop.
   */
  stop(drainTimeoutMs: number, cut?: Promise<unknown>): Promise<void>;
}

/** Far more than it takes; a bound, so that a bug in settling cannot keep the process alive. */
const CUT_SETTLES_WITHIN_MS = 1000;
/** Of the event loop: one takes an answer to Bun, a body that is asked for one later follows in the next. */
const TURNS_TO_ANSWER = 3;

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
export async function startGateway(config: Config, upstream: ChosenClient, log: Log): Promise<RunningGateway> {
  const { client } = upstream;
  const store = await openStore(config.databaseUrl);
  const writer = new UsageWriter(store, {
    onTrouble: (trouble) => log.warn(trouble, 'usage records wait or are lost'),
  });
  const gateway: Gateway = {
    client,
    keys: new CachedKeyDirectory(store, config.apiKeyPepper),
    limiter: new MemoryLimiter({
      source: store,
      isSourceCurrent: () => writer.waiting === 0,
      onFailure: config.limitsOnFailure,
      failures: new FailureReport(({ count, error }) =>
        log.warn(
          { requests: count, limits_on_failure: config.limitsOnFailure, err: error },
          'limits cannot be counted',
        ),
      ),
    }),
    recorder: writer,
    usage: store,
    slots: new Slots(config.maxConcurrentRequests),
    pace: new Pace(),
    connections: {
      allowQuiet: (request) => app.server?.timeout(request, 0),
      boundQuiet: (request) => app.server?.timeout(request, config.clientIdleTimeoutS),
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
  const admin = createAdmin({
    adminApiKey: config.adminApiKey,
    apiKeyPepper: config.apiKeyPepper,
    store,
    keys: gateway.keys,
    flushUsage: (deadlineMs) => writer.flush(deadlineMs),
    deadlines: gateway.deadlines,
    bodyTimeoutMs: config.requestBodyTimeoutMs,
    log,
  });
  const app = createApp({ gateway, admin, idleTimeoutS: config.clientIdleTimeoutS, ping: () => store.ping() });
  // Fetch would send it through the proxy that it is there for.
  if (upstream.name === 'socket')
    await warmUp({ requests: config.warmUpRequests, gateway, connect: upstream.connect, log });
  try {
    app.listen({ hostname: config.host, port: config.port });
  } catch (error) {
    await store.close();
    throw new ListenError(error);
  }
  const server = app.server!;
  raiseListenBacklog(server.port!);
  const retention = retentionOf(config, store, log);
  let stopping: Promise<void> | undefined;

  return {
    url: `http://${isWildcard(config.host) ? '127.0.0.1' : bracketed(config.host)}:${server.port}`,
    port: server.port!,
    store,
    flushUsage: async () => {
      await writer.flush();
    },
    stop: (drainTimeoutMs, cut) => {
      stopping ??= stop(drainTimeoutMs, cut);
      return stopping;
    },
  };

  async function stop(drainTimeoutMs: number, cut?: Promise<unknown>): Promise<void> {
    const { slots } = gateway;
    slots.draining = true;
    // It goes on listening meanwhile: a load balancer must be able to see /ready turn 503, on a new connection too.
    await within(drainTimeoutMs, cut ? Promise.race([slots.idle(), cut]) : slots.idle());
    // A slot is free once an answer is decided; the last ones are not at their clients yet, nor even with Bun.
    for (let turn = 0; turn < TURNS_TO_ANSWER; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (slots.inFlight > 0) log.warn({ in_flight: slots.inFlight }, 'open requests are cut');
    await server.stop(true);
    // Each request that was cut is told of it by its signal, and settles with a record of its own.
    await within(CUT_SETTLES_WITHIN_MS, slots.idle());
    client.close();
    await writer.close();
    await retention?.stop();
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

/** Waits for a promise, but not for longer than a time. */
async function within(timeoutMs: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([promise, timeout]);
  clearTimeout(timer);
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::' || host === '[::]';
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
