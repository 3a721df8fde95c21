/**
 * `bve demo`: a mock upstream, a gateway and one streamed answer, on free ports and in a temporary folder; then a gentle load
 * until it is ended.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { SseScanner } from '../formats/sse.ts';
import { createKey, hashKey } from '../keys/key.ts';
import { startMock } from '../mock/server.ts';
import { createLog } from '../observe/log.ts';
import { print } from '../output.ts';
import { type RunningGateway, startGateway } from '../server.ts';
import { DIRECT_NETWORK } from '../upstream/create-client.ts';
import type { UsageRecord } from '../usage/usage-record.ts';
import type { Command } from './command.ts';
import { post } from './demo-request.ts';
import { DemoTraffic } from './demo-traffic.ts';
import { stopSignal } from './stop-signal.ts';

const ANSWER =
  'A gateway should be like a good window: you look at the garden, not at the glass. Every byte you are reading left ' +
  'the upstream a moment ago and came through unchanged, one event per token.';

const REQUEST = {
  model: 'demo-model',
  stream: true,
  stream_options: { include_usage: true },
  messages: [{ role: 'user', content: 'What is a gateway?' }],
  // The mock upstream reads this field; to the gateway it is one of many that it does not know and passes on.
  mock: { text: ANSWER, pace_ms: 40 },
};

export const demo: Command = {
  name: 'demo',
  summary: 'mock upstream, gateway, one streamed answer, and a gentle load to look at',
  options: { once: { type: 'boolean', help: 'end after the answer instead of waiting for Ctrl-C' } },
  details: `
Shows one answer as it streams through the gateway, compares its bytes with the upstream's own, and reads its usage record.
Then the gateway stays up under three requests a second, until Ctrl-C. Needs no account, no key and no network. Everything
it writes is in a temporary folder that it deletes.
`,
  async run(args) {
    // From the start on: whoever ends the demo in the middle of its answer must not be left with a folder.
    const stopped = stopSignal();
    const folder = mkdtempSync(join(tmpdir(), 'bve-demo-'));
    const mock = startMock({ port: 0 });
    try {
      const gateway = await startDemoGateway(mock.url, folder);
      try {
        const secret = await newKey(gateway, 'demo');
        const complete = await Promise.race([show(gateway, mock.url, secret), stopped]);
        if (complete === true && !args.flags.once) await serve(gateway, secret, stopped);
        return complete === true ? 0 : 1;
      } finally {
        await gateway.stop(Promise.resolve());
      }
    } finally {
      await mock.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

const PEPPER = crypto.randomUUID();
const ADMIN_KEY = `demo-admin-${crypto.randomUUID()}`;

function startDemoGateway(upstreamUrl: string, folder: string): Promise<RunningGateway> {
  const loaded = loadConfig({
    // Not the user's environment: the demo must neither use a real key nor write to a real database.
    env: {
      HOST: '127.0.0.1',
      PORT: '0',
      FUELIX_BASE_URL: upstreamUrl,
      FUELIX_API_KEY: 'the-real-key-that-clients-never-see',
      API_KEY_PEPPER: PEPPER,
      ADMIN_API_KEY: ADMIN_KEY,
      DATABASE_URL: `sqlite://${join(folder, 'bve.db')}`,
      LOG_LEVEL: 'warn',
    },
  });
  return startGateway(loaded, DIRECT_NETWORK, createLog(loaded.config.logLevel));
}

async function newKey(gateway: RunningGateway, name: string): Promise<string> {
  const { key, secret } = createKey({ name, rpmLimit: null, rpdLimit: null }, Date.now());
  await gateway.store.insertKey(key, hashKey(secret, PEPPER));
  return secret;
}

/** Keeps the gateway up, with something to look at, until the demo is ended. */
async function serve(gateway: RunningGateway, secret: string, stopped: Promise<unknown>): Promise<void> {
  const keys = [secret, await newKey(gateway, 'search team'), await newKey(gateway, 'nightly batch')];
  const traffic = new DemoTraffic(`${gateway.url}/v1`, keys);
  print(`
The gateway stays up, under a gentle load of three requests a second. Ctrl-C ends the demo.

  base URL    ${gateway.url}/v1
  client key  ${secret}
  admin key   ${ADMIN_KEY}
  dashboard   ${gateway.url}/dashboard
`);
  await stopped;
  await traffic.stop();
}

/** Streams one answer and reports on it. Returns whether all of it came through as it should. */
async function show(gateway: RunningGateway, upstreamUrl: string, secret: string): Promise<boolean> {
  print(`${introduction(gateway.url, upstreamUrl, secret)}\n`);
  const url = `${gateway.url}/v1/chat/completions`;
  // The first request of a process opens the database and a connection: not what the time to first byte below is about.
  await stream(url, secret, () => {}, { ...REQUEST, mock: { text: 'Ready.' } });
  const streamed = await stream(url, secret, showToken);
  const unpaced = { ...REQUEST, mock: { text: ANSWER } };
  const direct = await stream(`${upstreamUrl}/chat/completions`, secret, () => {}, unpaced);
  await gateway.flushUsage();
  const [record] = await gateway.store.recentUsage({ limit: 1 });
  const equal = streamed.sha256 === direct.sha256;
  print(`${report(streamed, direct, equal, record)}\n`);
  return equal && record?.usageSource === 'upstream';
}

function introduction(url: string, upstreamUrl: string, secret: string): string {
  return `
BVE Gateway demo
  mock upstream  ${upstreamUrl}
  gateway        ${url}/v1
  client key     ${secret}

Try it, in another terminal:

  curl -N ${url}/v1/chat/completions -H 'Authorization: Bearer ${secret}' -H 'Content-Type: application/json' \\
    -d '{"model":"demo-model","stream":true,"messages":[{"role":"user","content":"Hello"}]}'

  import OpenAI from 'openai';
  const client = new OpenAI({ baseURL: '${url}/v1', apiKey: '${secret}' });
  const stream = await client.chat.completions.create({ model: 'demo-model', stream: true, messages: [{ role: 'user', content: 'Hello' }] });
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta?.content ?? '');

One answer, streamed through the gateway as it is written:
`;
}

function report(streamed: Streamed, direct: Streamed, equal: boolean, record: UsageRecord | undefined): string {
  const usage = record
    ? `prompt ${record.promptTokens}, completion ${record.completionTokens}, total ${record.totalTokens}`
    : 'none';
  return `

  time to first byte  ${streamed.ttfbMs.toFixed(1)} ms (straight from the mock: ${direct.ttfbMs.toFixed(1)} ms)
  events              ${streamed.events}
  bytes               ${streamed.bytes}, X-BVE-Latency ${streamed.latency}
  bytes equal         ${equal ? 'yes' : 'NO'} (sha256 ${streamed.sha256.slice(0, 16)}…, the same answer without the gateway ${direct.sha256.slice(0, 16)}…)
  usage recorded      ${usage} tokens (source: ${record?.usageSource ?? 'no record'}, finish: ${record?.finish ?? '?'})`;
}

interface Streamed {
  readonly ttfbMs: number;
  readonly events: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly latency: string;
}

async function stream(
  url: string,
  key: string,
  onEvent: (data: string) => void,
  request: object = REQUEST,
): Promise<Streamed> {
  const sentAtMs = performance.now();
  const hash = new Bun.CryptoHasher('sha256');
  let ttfbMs = 0;
  let events = 0;
  let bytes = 0;
  let data = '';
  const scanner = new SseScanner({
    // The answer is ASCII, so no piece ends inside a character.
    data: (piece, from, to) => {
      data += Buffer.from(piece.subarray(from, to)).toString('utf8');
    },
    end: () => {
      events++;
      onEvent(data);
      data = '';
    },
  });
  const { latency } = await post(url, key, request, (piece) => {
    if (bytes === 0) ttfbMs = performance.now() - sentAtMs;
    bytes += piece.length;
    hash.update(piece);
    scanner.push(piece, 0, false);
  });
  return { ttfbMs, events, bytes, sha256: hash.digest('hex'), latency: `${latency ?? '?'} ms` };
}

function showToken(data: string): void {
  if (data === '[DONE]') return;
  const chunk = JSON.parse(data) as { choices?: { delta?: { content?: string } }[] };
  print(chunk.choices?.[0]?.delta?.content ?? '');
}
