/** Invariant 6: no secret, prompt or answer is ever logged or stored, whatever goes wrong. */
import { describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMock } from '../../src/mock/server.ts';
import { FUELIX_KEY, type GatewayProcess, PEPPER, startGatewayProcess } from '../support/gateway.ts';
import { type Call, CHAT, callOf, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

const PROMPT = 'PROMPT-planted-7f3a';
const ANSWER = 'ANSWER-planted-9c1b';
const FOREIGN_KEY = 'sk-proj-FOREIGN-planted-55e2';
const UNKNOWN_KEY = `sk-bve-${'ab'.repeat(32)}`;
const COOKIE = 'COOKIE-planted-1d4e';
const ADMIN_KEY = 'ADMIN-planted-key-88c0';

const ask = { model: 'm', messages: [{ role: 'user', content: PROMPT }] };
const streamed = { ...ask, stream: true, stream_options: { include_usage: true } };
const answering = { text: `${ANSWER} and more` };

/** Every kind of request, the failing ones above all: that is where logs grow talkative. */
async function makeTraffic(gateway: GatewayProcess, mock: ReturnType<typeof startMock>): Promise<void> {
  const call = (of: Call) =>
    rawRequest(gateway.port, callOf(gateway.key, { ...of, headers: { cookie: `s=${COOKIE}`, ...of.headers } }));
  mock.script(answering);
  for (const path of [CHAT, '/v1/responses', '/v1/messages']) {
    await call({ path, body: streamed });
    await call({ path, body: ask });
  }
  await call({ path: `${CHAT}?api_key=${gateway.key}&q=${PROMPT}`, body: ask });
  await call({ path: `/v1/unknown/${PROMPT}?key=${gateway.key}`, body: ask });
  await call({ body: ask, headers: { authorization: `Bearer ${FOREIGN_KEY}` } });
  await call({ body: ask, headers: { authorization: `Bearer ${UNKNOWN_KEY}` } });
  await call({ path: '/v1/messages', body: ask, headers: { authorization: '', 'x-api-key': FOREIGN_KEY } });
  await call({ method: 'GET', path: '/admin/api-keys', headers: { authorization: `Bearer ${FOREIGN_KEY}` } });
  await call({ method: 'GET', path: '/admin/api-keys', headers: { authorization: `Bearer ${ADMIN_KEY}` } });
  await call({ body: `{"model":"m","x":"${PROMPT}"` });
  await call({ body: `[${JSON.stringify(PROMPT)}]` });
  await call({ body: { ...ask, stream: PROMPT } });
  await call({ body: ask, headers: { 'x-request-id': `no good ${PROMPT}` } });
  const escaped = gateway.key.replaceAll('-', '%2d');
  for (const key of [gateway.key, UNKNOWN_KEY]) {
    await call({ body: { ...ask, model: key } });
    await call({ body: { ...ask, model: `${'x'.repeat(200)}${key}`, stream: true } });
    await call({ body: ask, headers: { 'x-request-id': key } });
    await call({ body: ask, headers: { 'x-request-id': `my.${key}_1` } });
    await call({ body: ask, headers: { 'content-encoding': key } });
    for (const path of [`/v1/models/${key}`, `/v1/${key}`, `/${key}/v1/models`]) await call({ method: 'GET', path });
  }
  for (const path of [`/v1/models/${escaped}`, `/v1/${escaped.replaceAll('%', '%25')}`])
    await call({ method: 'GET', path });
  const errorText = { body: `{"error":{"message":"Incorrect API key provided: ${FUELIX_KEY}. ${PROMPT} ${ANSWER}"}}` };
  for (const status of [400, 401, 429, 500, 503]) {
    mock.script({ status, ...errorText });
    await call({ body: ask });
    await call({ body: streamed });
  }
  for (const kind of ['reset', 'end_early', 'refuse'] as const) {
    mock.script({ ...answering, fault: kind === 'refuse' ? { kind } : { kind, after_bytes: 300 } });
    await call({ body: ask });
    await call({ body: streamed });
  }
  for (const framing of ['garbage', 'bad_chunk_size', 'length_long'] as const) {
    mock.script({ body: ANSWER, framing, headers: [['x-secret', ANSWER]] });
    await call({ body: ask });
    await call({ body: streamed });
  }
  mock.script({ ...answering, fault: { kind: 'silence', after_bytes: 600 } });
  const reader = await StreamReader.open(gateway.port, callOf(gateway.key, { body: streamed }));
  await reader.until('data: ');
  reader.leave();
  await mock.requests.at(-1)!.closed;
}

describe('a gateway with LOG_LEVEL=debug after all kinds of requests', () => {
  test(
    'has no key, prompt, answer or cookie in its log or its database files',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'bve-secrets-'));
      const mock = startMock({ port: 0 });
      try {
        const env = { LOG_LEVEL: 'debug', ADMIN_API_KEY: ADMIN_KEY };
        const gateway = await startGatewayProcess({ upstreamUrl: mock.url, folder, env });
        try {
          await makeTraffic(gateway, mock);
          await gateway.waitForUsage(20);
        } finally {
          await gateway.stop();
        }
        const hidden: Record<string, string> = {
          'the client key': gateway.key,
          "the client key's digits": gateway.key.slice('sk-bve-'.length + 8),
          'the key of upstream': FUELIX_KEY,
          'the pepper': PEPPER,
          'the admin key': ADMIN_KEY,
          'a foreign key': FOREIGN_KEY,
          'an unknown key': UNKNOWN_KEY,
          'a prompt': PROMPT,
          'an answer': ANSWER,
          'a cookie': COOKIE,
        };
        const output = gateway.output();
        // Nor did any of it go upstream, but in the bytes of a body, which are the client's.
        const heads = mock.requests
          .map(({ path, headers }) => decodeURIComponent(path) + JSON.stringify(headers))
          .join();
        expect(heads).not.toContain('sk-bve-');
        // The test would see nothing if nothing were logged.
        expect(gateway.logLines().filter((line) => line.msg === 'request').length).toBeGreaterThan(20);
        const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
        expect(files.map((file) => file.name)).toContain('bve.db');
        const places = Object.fromEntries([
          ['log', output],
          ...files.map((file) => [file.name, readFileSync(join(file.parentPath, file.name), 'latin1')]),
        ]) as Record<string, string>;
        const found = Object.entries(places).flatMap(([place, text]) =>
          Object.entries(hidden).flatMap(([what, secret]) => (text.includes(secret) ? [`${what} in ${place}`] : [])),
        );
        expect(found).toEqual([]);
      } finally {
        await mock.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    TEST_TIMEOUT_MS,
  );
});
