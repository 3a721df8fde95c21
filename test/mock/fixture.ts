/** A mock per test, with everything that was opened closed again afterwards. */
import { afterEach } from 'bun:test';
import { type MockOptions, type MockServer, startMock } from '../../src/mock/server.ts';
import { RawClient } from './raw-client.ts';

const servers: MockServer[] = [];
const clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.leave();
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

export function mockServer(options: MockOptions = {}): MockServer {
  const server = startMock(options);
  servers.push(server);
  return server;
}

export async function clientOf(server: MockServer): Promise<RawClient> {
  const client = await RawClient.connect(server.port);
  clients.push(client);
  return client;
}
