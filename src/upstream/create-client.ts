/** The upstream client that a configuration asks for. */
import type { Config } from '../config/schema.ts';
import type { UpstreamClient } from './client.ts';
import { DIRECT, type ProxyVariables, proxyFor } from './proxy.ts';
import { SocketClient } from './socket-client.ts';

/** What stands between the gateway and upstream. */
export interface UpstreamNetwork {
  readonly proxies: ProxyVariables;
  /** Content of FUELIX_CA_FILE. */
  readonly ca: string | undefined;
}

export const DIRECT_NETWORK: UpstreamNetwork = { proxies: DIRECT, ca: undefined };

/** @throws Error that names the variable of a proxy that cannot be used */
export function createClient(baseUrl: string, config: Config, { proxies, ca }: UpstreamNetwork): UpstreamClient {
  return new SocketClient(baseUrl, {
    connectTimeoutMs: config.upstreamConnectTimeoutMs,
    idleConnectionsMax: config.upstreamIdleConnectionsMax,
    idleLimitMs: config.upstreamIdleConnectionLimitMs,
    ageMaxMs: config.upstreamConnectionAgeMaxMs,
    ca,
    proxy: proxyFor(new URL(baseUrl), proxies),
  });
}
