import { expect, test } from 'bun:test';
import { loadConfig } from '../../src/config/load.ts';
import { chooseClient } from '../../src/upstream/choose-client.ts';
import { FetchClient } from '../../src/upstream/fetch-client.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';

const PROXY = 'an HTTP proxy is set in the environment';

test.each([
  [undefined, false, 'socket', 'default'],
  [undefined, true, 'fetch', PROXY],
  ['socket', false, 'socket', 'configured'],
  ['socket', true, 'socket', 'configured'],
  ['fetch', false, 'fetch', 'configured'],
  ['fetch', true, 'fetch', 'configured'],
] as const)('UPSTREAM_CLIENT=%s, behind a proxy: %j → %s (%s)', (configured, behindProxy, name, reason) => {
  const env = { FUELIX_API_KEY: 'fx', API_KEY_PEPPER: 'sixteen-and-more-characters', HOST: '127.0.0.1' };
  const { config } = loadConfig({ env: configured ? { ...env, UPSTREAM_CLIENT: configured } : env });
  const chosen = chooseClient(config, { behindProxy, ca: undefined });
  expect([chosen.name, chosen.reason]).toEqual([name, reason]);
  expect(chosen.client).toBeInstanceOf(name === 'socket' ? SocketClient : FetchClient);
  chosen.client.close();
});
