/** `bve demo`: a mock upstream, a gateway and one streamed answer, on free ports and in a temporary folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { createKey, hashKey } from '../keys/key.ts';
import { startMock } from '../mock/server.ts';
import { createLog } from '../observe/log.ts';
import { type RunningGateway, startGateway } from '../server.ts';
import { chooseClient } from '../upstream/choose-client.ts';
import type { UsageRecord } from '../usage/usage-record.ts';
import type { Command } from './command.ts';
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
  summary: 'mock upstream, gateway and one streamed answer, in one go',
  options: { once: { type: 'boolean', help: 'end after the answer instead of waiting for Ctrl-C' } },
  details: 'Needs no account, no key and no network. Everything it writes is in a temporary folder that it deletes.',
  async run(args) {
    // From the start on: whoever ends the demo in the middle of its answer must not be left with a folder.
    const stopped = stopSignal();
    const folder = mkdtempSync(join(tmpdir(), 'bve-demo-'));
    const mock = startMock({ port: 0 });
    try {
      const gateway = await startDemoGateway(mock.url, folder);
      try {
        const complete = await Promise.race([show(gateway, mock.url), stopped]);
        if (complete === true && !args.flags.once) {
          print('\nThe gateway stays up: try the lines above. Ctrl-C ends the demo.');
          await stopped;
        }
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

function startDemoGateway(upstreamUrl: string, folder: string): Promise<RunningGateway> {
  const { config } = loadConfig({
    // Not the user's environment: the demo must neither use a real key nor write to a real database.
    env: {
      HOST: '127.0.0.1',
      PORT: '0',
      FUELIX_BASE_URL: upstreamUrl,
      FUELIX_API_KEY: 'the-real-key-that-clients-never-see',
      API_KEY_PEPPER: PEPPER,
      DATABASE_URL: `sqlite://${join(folder, 'bve.db')}`,
      LOG_LEVEL: 'warn',
    },
  });
  const upstream = chooseClient(config, { behindProxy: false, ca: undefined });
  return startGateway(config, upstream, createLog(config.logLevel));
}

/** Streams one answer and reports on it. Returns whether all of it came through as it should. */
async function show(gateway: RunningGateway, upstreamUrl: string): Promise<boolean> {
  const { key, secret } = createKey({ name: 'demo' }, Date.now());
  await gateway.store.insertKey(key, hashKey(secret, PEPPER));
  print(introduction(gateway.url, upstreamUrl, secret));
  const url = `${gateway.url}/v1/chat/completions`;
  // The first request of a process opens the database and a connection: not what the time to first byte below is about.
  await stream(url, secret, () => {}, { ...REQUEST, mock: { text: 'Ready.' } });
  const streamed = await stream(url, secret, showToken);
  const direct = await stream(`${upstreamUrl}/chat/completions`, secret, () => {});
  await gateway.flushUsage();
  const [record] = await gateway.store.recentUsage({ keyId: key.id, limit: 1 });
  const equal = streamed.sha256 === direct.sha256;
  print(report(streamed, direct, equal, record));
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
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  const hash = new Bun.CryptoHasher('sha256');
  const decoder = new TextDecoder();
  let ttfbMs = 0;
  let events = 0;
  let bytes = 0;
  let text = '';
  for await (const part of response.body ?? []) {
    if (bytes === 0) ttfbMs = performance.now() - sentAtMs;
    bytes += part.length;
    hash.update(part);
    const lines = (text + decoder.decode(part, { stream: true })).split('\n\n');
    text = lines.pop()!;
    events += lines.length;
    for (const line of lines) onEvent(line.replace(/^data: /, ''));
  }
  return {
    ttfbMs,
    events,
    bytes,
    sha256: hash.digest('hex'),
    latency: `${response.headers.get('x-bve-latency') ?? '?'} ms`,
  };
}

function showToken(data: string): void {
  if (data === '[DONE]') return;
  const chunk = JSON.parse(data) as { choices?: { delta?: { content?: string } }[] };
  process.stdout.write(chunk.choices?.[0]?.delta?.content ?? '');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
