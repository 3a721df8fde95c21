/**
 * Sends requests through the gateway's own code before the first client does, so that a fresh process does not answer
 * its first burst at a third of its speed: what runs cold is interpreted, and a restart under load is the moment when
 * that hurts most. Everything is real (server, routes, relay, meter, upstream client) except what has effects: the
 * upstream is a canned one on loopback, the key is made up, records and log lines go nowhere.
 */

import { within } from './http/drain.ts';
import { type ApiKey, createKey } from './keys/key.ts';
import type { Log } from './observe/log.ts';
import type { UpstreamClient } from './upstream/client.ts';
import { singleTarget } from './upstream/create-targets.ts';

interface WarmUpOptions {
  /** How many requests; measured: the gain levels off at 2,000, which take a third of a second. */
  readonly requests: number;
  /** How many at a time, at most; 0: there are no descriptors for it. */
  readonly concurrencyMax: number;
  /** A client of the gateway's kind, for another base URL. */
  connect(baseUrl: string): UpstreamClient;
  /** A gateway like the one that is to be warm, but without effects, which has this upstream and lets this key in. */
  serve(upstream: UpstreamClient, key: ApiKey, hostname: string): Promise<Served>;
  readonly log: Log;
}

interface Served {
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Not 127.0.0.1, where one of these ports could be the one the gateway is about to listen on, and who waits for it to be
 * there would be let in too early. Linux takes all of 127.0.0.0/8 for loopback.
 */
const LOOPBACK = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1';
/** As many as a busy gateway has at once, so that what depends on concurrency (pool, timers) is warm too. */
export const WARM_UP_CONCURRENCY = 50;
/** Many times what it takes: whatever goes wrong, the gateway starts. */
const WARM_UP_WITHIN_MS = 10_000;
/** Few, so that most of the time goes into what is long: the beginning and the end of a request. */
const EVENTS = 2;
const EVENT = `data: ${JSON.stringify({ id: 'warm-up', choices: [{ index: 0, delta: { content: 'token' }, finish_reason: null }], usage: null })}\n\n`;
const LAST_EVENTS = `data: ${JSON.stringify({ id: 'warm-up', choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } })}\n\ndata: [DONE]\n\n`;
const HEAD =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\nx-request-id: warm-up\r\ntransfer-encoding: chunked\r\n\r\n';
/** Every other answer ends its connection: the first clients of a new process come at once and each needs a new one. */
const LAST_HEAD = HEAD.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n');
const REQUEST = Buffer.from('{"stream":true,"messages":[{"role":"user","content":"warm-up"}],"model":"warm-up"}');
const REQUEST_END = REQUEST.subarray(-10);

/** Never rejects: a gateway that could not warm up is a gateway all the same. */
export async function warmUp(options: WarmUpOptions): Promise<void> {
  if (options.requests === 0 || options.concurrencyMax < 1) return;
  const startedAtMs = performance.now();
  try {
    await exercise(options);
    options.log.debug({ requests: options.requests, ms: Math.round(performance.now() - startedAtMs) }, 'warmed up');
  } catch (error) {
    options.log.warn({ err: error }, 'warm-up failed');
  }
}

async function exercise({ requests, concurrencyMax, connect, serve }: WarmUpOptions): Promise<void> {
  const upstream = cannedUpstream();
  const { key, secret } = createKey({ name: 'warm-up', rpmLimit: null, rpdLimit: null }, Date.now());
  const client = singleTarget('warm-up', connect(`http://${LOOPBACK}:${upstream.port}/v1`), 'warm-up');
  const served = await serve(client, key, LOOPBACK);
  const caller = connect(`http://${LOOPBACK}:${served.port}/v1`);
  try {
    await within(WARM_UP_WITHIN_MS, load(caller, secret, requests, Math.min(WARM_UP_CONCURRENCY, concurrencyMax)));
  } finally {
    caller.close();
    await served.stop();
    client.close();
    upstream.stop(true);
  }
}

async function load(caller: UpstreamClient, secret: string, requests: number, concurrency: number): Promise<void> {
  const request = {
    method: 'POST',
    target: '/chat/completions',
    headers: [['authorization', `Bearer ${secret}`]] as const,
    body: REQUEST,
  };
  let left = requests;
  const worker = async () => {
    while (left-- > 0) {
      await new Promise<void>((end, fail) => {
        const body = { data: () => {}, end, fail };
        caller.send(request, { head: () => body, fail });
      });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

function cannedUpstream() {
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
  let answers = 0;
  return Bun.listen({
    hostname: LOOPBACK,
    port: 0,
    socket: {
      data(socket, bytes) {
        if (bytes.indexOf(REQUEST_END) === -1) return;
        let sent = 0;
        socket.write(++answers % 2 === 0 ? LAST_HEAD : HEAD);
        const next = () => {
          const last = ++sent === EVENTS;
          socket.write(last ? `${chunk(LAST_EVENTS)}0\r\n\r\n` : chunk(EVENT));
          // Each event is a read of its own at the other end.
          if (!last) setImmediate(next);
        };
        next();
      },
    },
  });
}
