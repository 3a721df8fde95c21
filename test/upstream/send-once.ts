/** Sends one request with the client under test in a process of its own, whose environment is the test's: `bun send-once.ts BASE_URL [socket]`. */
import { FetchClient } from '../../src/upstream/fetch-client.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { send } from './observed.ts';

const [, , baseUrl, kind] = process.argv;
const options = { connectTimeoutMs: 5_000, idleConnectionsMax: 0, idleLimitMs: 1_000, ageMaxMs: 1_000 };
const client = kind === 'socket' ? new SocketClient(baseUrl!, options) : new FetchClient(baseUrl!);
const exchange = await send(client, {
  target: '/chat/completions',
  headers: [['authorization', 'Bearer fx-key']],
  body: new TextEncoder().encode('{}'),
}).over;
process.stdout.write(
  JSON.stringify({ status: exchange.status, body: exchange.body.toString(), ended: exchange.ended }),
);
