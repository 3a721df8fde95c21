import { SocketClient } from '../../src/upstream/socket-client.ts';
import { upstreamContract } from './contract.ts';

export const SOCKET_OPTIONS = {
  connectTimeoutMs: 5_000,
  idleConnectionsMax: 256,
  idleLimitMs: 30_000,
  ageMaxMs: 600_000,
};

upstreamContract('the client on sockets', (baseUrl) => new SocketClient(baseUrl, SOCKET_OPTIONS));
