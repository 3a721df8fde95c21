/** What one of several workers may use of what the configuration gives to the host: an equal share, rounded up. */
import type { Loaded } from '../config/load.ts';

export function shareOf(loaded: Loaded, workers: number): Loaded {
  const share = (total: number) => Math.ceil(total / workers);
  const { config } = loaded;
  return {
    ...loaded,
    config: {
      ...config,
      maxConcurrentRequests: share(config.maxConcurrentRequests),
      // At least one body as large as is allowed.
      maxBodyBytesTotal: Math.max(
        share(config.maxBodyBytesTotal),
        Math.min(config.maxBodyBytes, config.maxBodyBytesTotal),
      ),
      leaveDrainsMax: share(config.leaveDrainsMax),
      upstreamIdleConnectionsMax: share(config.upstreamIdleConnectionsMax),
      usageSpillBytesMax: share(config.usageSpillBytesMax),
    },
    targets: loaded.targets.map((target) => ({
      ...target,
      maxConcurrent: target.maxConcurrent === null ? null : share(target.maxConcurrent),
    })),
  };
}
