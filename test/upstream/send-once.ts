/** Sends one request in a process of its own, whose environment is the test's: `bun send-once.ts BASE_URL`. */
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { send } from './observed.ts';

const baseUrl = process.argv[2]!;
const options = { connectTimeoutMs: 5_000, idleConnectionsMax: 0, idleLimitMs: 1_000, ageMaxMs: 1_000 };
const exchange = await send(new SocketClient(baseUrl, options), {
  target: '/chat/completions',
  headers: [['authorization', 'Bearer fx-key']],
  body: new TextEncoder().encode('{}'),
}).over;
process.stdout.write(
  JSON.stringify({ status: exchange.status, body: exchange.body.toString(), ended: exchange.ended }),
);
