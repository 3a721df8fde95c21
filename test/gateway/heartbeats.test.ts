/** STREAM_HEARTBEAT_MS and X_ACCEL_BUFFERING: off by default, and where they may be nothing else changes. */
import { afterAll, describe, expect, test } from 'bun:test';
import OpenAI from 'openai';
import { eventually } from '../support/eventually.ts';
import { heldUpstream } from '../support/held-upstream.ts';
import { HAS_NGINX, startNginx } from '../support/nginx.ts';
import { callOf, PLAIN, pair, STREAM, startPair, textOf } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

const EVERY_MS = 50;
const PAUSE_MS = 400;
const COMMENT = ': ping\n';
const PING = 'event: ping\ndata: {"type": "ping"}\n\n';
const ON = { STREAM_HEARTBEAT_MS: String(EVERY_MS), X_ACCEL_BUFFERING: 'no' };

describe('with STREAM_HEARTBEAT_MS and X_ACCEL_BUFFERING=no', () => {
  const t = pair({ env: ON });
  /** Ids and times of the mock are new in each answer. */
  const normal = (text: string) =>
    text.replaceAll(/"(id|created|created_at|item_id|completed_at)":("[^"]*"|\d+)/g, '"$1":0');

  test.each([
    ['/v1/chat/completions', COMMENT],
    ['/v1/responses', COMMENT],
    ['/v1/messages', PING],
  ])('%s: a silence between two events is filled, the rest is what upstream sent', async (path, beat) => {
    t.mock.script({ text: 'three words here' });
    const whole = textOf(await t.call({ path, body: STREAM }));
    t.mock.script({ text: 'three words here', pace_ms: PAUSE_MS });
    const paced = await t.call({ path, body: STREAM });
    const parts = textOf(paced).split(beat);
    expect(parts.length).toBeGreaterThan(2);
    for (const before of parts.slice(0, -1)) expect(before === '' || before.endsWith('\n\n')).toBe(true);
    expect(normal(parts.join(''))).toBe(normal(whole));
    expect(paced.header('x-accel-buffering')).toBe('no');
  });

  test('what is not streamed has neither, and what is counted are the bytes of upstream', async () => {
    t.mock.script({ json: { ok: true }, pace_ms: PAUSE_MS, split: 4 });
    const plain = await t.call({ body: PLAIN });
    expect([textOf(plain), plain.header('x-accel-buffering')]).toEqual(['{"ok":true}', null]);
    t.mock.script({ events: 3, pace_ms: PAUSE_MS });
    const answer = await t.call({ body: STREAM, headers: { 'x-request-id': 'heartbeats-1' } });
    const { bytesOut } = await t.recordOf('heartbeats-1');
    expect(bytesOut).toBe(textOf(answer).replaceAll(COMMENT, '').length);
  });

  test("OpenAI's SDK sees the events, and nothing of the heartbeats", async () => {
    t.mock.script({ text: 'three words here', pace_ms: PAUSE_MS / 2 });
    const client = new OpenAI({ apiKey: t.gateway.key, baseURL: `${t.gateway.url}/v1`, maxRetries: 0 });
    let text = '';
    for await (const chunk of await client.chat.completions.create({ model: 'm', messages: [], stream: true })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe('three words here');
  });
});

describe('at the edges of events', () => {
  const held = heldUpstream();
  afterAll(() => held.stop());
  const t = pair({ upstreamUrl: held.url, env: { ...ON, UPSTREAM_IDLE_TIMEOUT_MS: '2000' } });
  const beats = (client: StreamReader) => client.text.split(COMMENT).length - 1;
  const more = (client: StreamReader, than: number) => eventually(() => beats(client) > than);
  const quiet = async (client: StreamReader) => {
    const before = beats(client);
    await Bun.sleep(EVERY_MS * 6);
    expect(beats(client)).toBe(before);
  };

  test('none inside an event, nor behind a CR, nor behind the last event', async () => {
    using client = await StreamReader.open(t.gateway.port, callOf(t.gateway.key, { body: STREAM }));
    const request = await held.next();
    request.begin('data: {"choices":[]}\n\n');
    await more(client, 0);
    request.event('data: {"cho');
    await client.until('"cho');
    await quiet(client);
    request.event('ices":[]}\n\n');
    await more(client, beats(client));
    request.event('data: {"choices":[]}\r\n\r');
    await client.until('\r\n\r');
    await quiet(client);
    request.event('\n');
    await more(client, beats(client));
    request.event('data: [DONE]\n\n');
    await client.until('[DONE]');
    await quiet(client);
    request.end();
  });

  test('they do not keep a silent upstream alive', async () => {
    using client = await StreamReader.open(t.gateway.port, callOf(t.gateway.key, { body: STREAM }));
    const request = await held.next();
    request.begin('data: {"choices":[]}\n\n');
    await client.until('upstream_stream_interrupted');
    expect(beats(client)).toBeGreaterThan(5);
  });
});

if (!HAS_NGINX) console.log('skipped: nginx is not installed');
describe.skipIf(!HAS_NGINX)('behind nginx that gives up after a second of silence', () => {
  const SCENARIO = { text: 'two words', pace_ms: 1_500 };

  test.each([
    ['without', {}, false],
    ['with', { STREAM_HEARTBEAT_MS: '300', X_ACCEL_BUFFERING: 'no' }, true],
  ] as const)('%s heartbeats a stream with longer silences is whole: %p', async (_, env, isWhole) => {
    await using p = await startPair({ env });
    const nginx = await startNginx(p.gateway.port, '127.0.0.1', { readTimeoutS: 1, buffering: true });
    try {
      p.mock.script(SCENARIO);
      const answer = await rawRequest(nginx.port, callOf(p.gateway.key, { body: STREAM }));
      expect([answer.status, answer.complete && textOf(answer).includes('[DONE]')]).toEqual([200, isWhole]);
    } finally {
      await nginx.stop();
    }
  });
});
