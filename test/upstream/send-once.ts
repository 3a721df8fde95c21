/** Sends one request with the client under test in a process of its own, whose environment is the test's: `bun send-once.ts BASE_URL`. */
import { FetchClient } from '../../src/upstream/fetch-client.ts';
import { send } from './observed.ts';

const exchange = await send(new FetchClient(process.argv[2]!), {
  target: '/chat/completions',
  headers: [['authorization', 'Bearer fx-key']],
  body: new TextEncoder().encode('{}'),
}).over;
process.stdout.write(
  JSON.stringify({ status: exchange.status, body: exchange.body.toString(), ended: exchange.ended }),
);
