/** An answer that breaks before the client has any of it is a 502, whatever else of it has come in the same read. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { heldUpstream } from '../support/held-upstream.ts';
import { callOf, PLAIN, STREAM, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { connectTo, type RawAnswer, rawRequest, requestBytes } from '../support/raw-client.ts';
import { expectOpenAi, UPSTREAM_BROKE } from '../support/refusals.ts';

setDefaultTimeout(TEST_TIMEOUT_MS);

let upstream: ReturnType<typeof heldUpstream>;
let gateway: GatewayProcess;

beforeAll(async () => {
  upstream = heldUpstream();
  gateway = await startGatewayProcess({ upstreamUrl: upstream.url, env: { LOG_LEVEL: 'warn', DRAIN_TIMEOUT_MS: '0' } });
});

afterAll(async () => {
  await gateway.stop();
  upstream.stop();
});

async function answerTo(text: string, body: object): Promise<RawAnswer> {
  const answer = rawRequest(gateway.port, callOf(gateway.key, { body }));
  (await upstream.next()).connection.write(text);
  return answer;
}

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
const EVENT = 'data: {"choices":[]}\n\n';
const CHUNK = `${EVENT.length.toString(16)}\r\n${EVENT}\r\n`;

test.each([
  ['right behind the head', `${HEAD}ZZ\r\n`],
  ['behind a whole event', `${HEAD}${CHUNK}ZZ\r\n`],
  ['behind the last event', `${HEAD}${CHUNK}e\r\ndata: [DONE]\n\n\r\nZZ\r\n`],
  ['in a chunk that is longer than it says', `${HEAD}3\r\n${EVENT}`],
  ['of JSON', `${HEAD.replace('text/event-stream', 'application/json')}2\r\n{}\r\n-\r\n`],
])('a framing error in the read of the head, %s, is 502', async (_, text) => {
  for (const body of [STREAM, PLAIN]) {
    const answer = await answerTo(text, body);
    expectOpenAi(answer, { status: 502, message: 'Upstream sent an invalid answer', ...UPSTREAM_BROKE });
    expect(answer.ended).toBe('keep-alive');
  }
});

test.each([
  ['is none', 'gzip', '{"a":1}'],
  ['ends in its header', 'gzip', '\x1f\x8b\x08'],
  ['is none, in brotli', 'br', '{"a":1,"b":[1,2,3]}'],
])('a compressed answer that %s is 502', async (_, coding, text) => {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: ${coding}\r\n`;
  for (const body of [STREAM, PLAIN]) {
    const answer = await answerTo(`${head}content-length: ${Buffer.byteLength(text, 'latin1')}\r\n\r\n${text}`, body);
    expectOpenAi(answer, { status: 502, message: 'Upstream sent an invalid answer', ...UPSTREAM_BROKE });
    expect(answer.ended).toBe('keep-alive');
  }
});

test('nothing of it is a bug: a line of the log for each, and no stack', () => {
  const lines = gateway.output().trimEnd().split('\n');
  for (const line of lines) expect(JSON.parse(line)).not.toHaveProperty('err');
});

test('a client of HTTP/1.0, whose body ends with its connection, sees no whole answer when the gateway cuts it', async () => {
  const ended: Promise<{ how: string; text: string }>[] = [];
  for (const event of [EVENT, EVENT.slice(0, -1)]) {
    const request = requestBytes(callOf(gateway.key, { body: STREAM })).toString('latin1');
    const socket = await connectTo(gateway.port);
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
    });
    ended.push(
      new Promise((resolve) => {
        socket.once('error', () => resolve({ how: 'reset', text }));
        socket.once('end', () => resolve({ how: 'closed', text }));
      }),
    );
    socket.write(request.replace(' HTTP/1.1\r\n', ' HTTP/1.0\r\n'));
    (await upstream.next()).begin(event);
    while (!text.endsWith(event)) await new Promise((resolve) => socket.once('data', resolve));
  }
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toBe(0);
  const [whole, half] = await Promise.all(ended);
  expect(whole!.text).toContain('"code":"upstream_stream_interrupted"');
  expect(half!.how).toBe('reset');
  expect(half!.text).toEndWith(EVENT.slice(0, -1));
});
