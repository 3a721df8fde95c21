/** The gateway that the warm-up calls. */
import type { Gateway } from './gateway/gateway.ts';
import { createApp } from './http/app.ts';
import { Permits } from './http/permits.ts';
import type { ApiKey } from './keys/key.ts';
import { KeyCache } from './keys/key-cache.ts';
import { MemoryLimiter } from './limits/memory.ts';
import { ExchangeLog } from './observe/exchange-log.ts';
import type { UpstreamClient } from './upstream/client.ts';
import { UsageObserver } from './usage/usage-observer.ts';
import { WARM_UP_CONCURRENCY } from './warm-up.ts';

/** Everything is as in the gateway but what it would leave behind: no records, no log lines, no counts. */
export async function serveWithoutEffects(gateway: Gateway, client: UpstreamClient, key: ApiKey, hostname: string) {
  const log = gateway.log.child({}, { level: 'silent' });
  const found = { key, secretExpiresAt: null };
  const keys = new KeyCache(
    {
      findByHashes: async (hashes) => new Map(hashes.map((hash) => [hash, found])),
      changesSince: async () => ({ seq: 0, keyIds: [] }),
    },
    'without-effects',
  );
  await keys.start();
  const app = createApp({
    gateway: {
      ...gateway,
      client,
      keys,
      tracer: undefined,
      observers: [new UsageObserver({ record: () => {} }), new ExchangeLog(log)],
      limiter: new MemoryLimiter({ usedDays: async (_key, _first, _last, done) => done([]) }),
      permits: new Permits(WARM_UP_CONCURRENCY),
      log,
    },
    drain: { hasBegun: false, endsConnections: false },
    idleTimeoutS: 10,
    ping: undefined,
  }).listen({ hostname, port: 0 });
  const stop = async () => {
    await app.stop(true);
    await keys.stop();
  };
  return { port: app.server!.port!, stop };
}
