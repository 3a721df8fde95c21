/** Which of the two upstream clients serves this process, and why. */
import type { Config } from '../config/schema.ts';
import type { UpstreamClient } from './client.ts';
import { FetchClient } from './fetch-client.ts';
import { SocketClient } from './socket-client.ts';

export interface ChosenClient {
  readonly client: UpstreamClient;
  /** One more of the kind, for another base URL. */
  readonly connect: (baseUrl: string) => UpstreamClient;
  readonly name: 'socket' | 'fetch';
  readonly reason: 'configured' | 'an HTTP proxy is set in the environment' | 'default';
}

export interface Circumstances {
  readonly behindProxy: boolean;
  /** Content of FUELIX_CA_FILE. */
  readonly ca: string | undefined;
}

export function chooseClient(config: Config, { behindProxy, ca }: Circumstances): ChosenClient {
  const name = config.upstreamClient ?? (behindProxy ? 'fetch' : 'socket');
  const reason = config.upstreamClient
    ? 'configured'
    : behindProxy
      ? 'an HTTP proxy is set in the environment'
      : 'default';
  const socketOptions = {
    connectTimeoutMs: config.upstreamConnectTimeoutMs,
    idleConnectionsMax: config.upstreamIdleConnectionsMax,
    idleLimitMs: config.upstreamIdleConnectionLimitMs,
    ageMaxMs: config.upstreamConnectionAgeMaxMs,
    ca,
  };
  const connect = (baseUrl: string) =>
    name === 'fetch' ? new FetchClient(baseUrl, ca) : new SocketClient(baseUrl, socketOptions);
  return { client: connect(config.fuelixBaseUrl), connect, name, reason };
}
