import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, zstdCompressSync } from 'node:zlib';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { FetchClient } from '../../src/upstream/fetch-client.ts';
import { BARE_ENV } from '../support/gateway.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { upstreamContract } from './contract.ts';
import { send, takeViolations } from './observed.ts';
import { rawUpstream } from './raw-upstream.ts';

upstreamContract('FetchClient', (baseUrl) => new FetchClient(baseUrl), ['reset of an unframed body']);

const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  expect(takeViolations()).toEqual([]);
});

function mockServer(): MockServer {
  const mock = startMock();
  running.push(mock);
  return mock;
}

async function sendInChild(baseUrl: string, env: Record<string, string>) {
  const script = join(import.meta.dir, 'send-once.ts');
  const child = Bun.spawn([process.execPath, '--no-env-file', script, baseUrl], {
    env: { ...BARE_ENV, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as { status: number; body: string; ended: string };
}

test.each([
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['deflate', deflateSync],
] as const)('an answer in %s arrives decoded', async (encoding, compress) => {
  const mock = mockServer();
  const text = 'data: {"content":"caf\u00e9"}\n\n'.repeat(50);
  mock.script({
    body_base64: compress(Buffer.from(text)).toString('base64'),
    headers: [['content-encoding', encoding]],
  });
  const exchange = await send(new FetchClient(mock.url)).over;
  expect([exchange.body.toString(), exchange.ended]).toEqual([text, 'end']);
});

test('a header that cannot be sent ends in fail, not in a throw', async () => {
  const mock = mockServer();
  for (const headers of [[['x-id', 'line\nbreak']], [['bad name', 'x']]] as [string, string][][]) {
    expect((await send(new FetchClient(mock.url), { headers }).over).ended).toBe('protocol');
  }
  expect(mock.requests.length).toBe(0);
});

test('a reset on a new connection is tried again once, too: fetch does not tell it from a pooled one', async () => {
  const mock = mockServer();
  mock.script((request) => (request.sequence === 1 ? { fault: { kind: 'refuse' } } : { body: 'second' }));
  const exchange = await send(new FetchClient(mock.url)).over;
  expect([exchange.body.toString(), mock.requests.length]).toEqual(['second', 2]);
});

describe('an HTTP proxy from the environment', () => {
  for (const variable of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']) {
    test(`${variable} is used, and is given the whole request`, async () => {
      const [upstream, proxy] = [mockServer(), mockServer()];
      proxy.script({ body: 'by proxy' });
      const answer = await sendInChild(upstream.url, { [variable]: new URL(proxy.url).origin });
      expect(answer).toEqual({ status: 200, body: 'by proxy', ended: 'end' });
      expect(upstream.requests.length).toBe(0);
      expect(proxy.requests.map(({ method, path, text }) => [method, path, text])).toEqual([
        ['POST', `${upstream.url}/chat/completions`, '{}'],
      ]);
    });
  }

  test.each(['127.0.0.1', '*', 'example.org, 127.0.0.1'])('NO_PROXY=%s goes around it', async (hosts) => {
    const [upstream, proxy] = [mockServer(), mockServer()];
    upstream.script({ body: 'straight' });
    const env = { HTTP_PROXY: new URL(proxy.url).origin, NO_PROXY: hosts };
    expect((await sendInChild(upstream.url, env)).body).toBe('straight');
    expect(proxy.requests.length).toBe(0);
  });

  test('a proxy that is down is an unreachable upstream', async () => {
    const [upstream, proxy] = [mockServer(), mockServer()];
    proxy.refuseConnections();
    const answer = await sendInChild(upstream.url, { HTTP_PROXY: new URL(proxy.url).origin });
    expect([answer.status, answer.ended, upstream.requests.length]).toEqual([0, 'unreachable', 0]);
  });
});

describe('TLS', () => {
  function tlsServer() {
    const served: string[] = [];
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      tls: SELF_SIGNED,
      fetch: (request) => {
        served.push(request.url);
        return new Response('over TLS');
      },
    });
    running.push({ stop: () => server.stop(true) });
    return { server, served };
  }

  test('a certificate that nobody vouches for is refused before the request is sent: unreachable', async () => {
    const { server, served } = tlsServer();
    const exchange = await send(new FetchClient(`https://localhost:${server.port}/v1`)).over;
    expect([exchange.status, exchange.ended, served]).toEqual([0, 'unreachable', []]);
  });

  test('the same certificate is taken when it is trusted, for its own name only', async () => {
    const { server, served } = tlsServer();
    const folder = mkdtempSync(join(tmpdir(), 'bve-tls-'));
    running.push({ stop: () => rmSync(folder, { recursive: true }) });
    const file = join(folder, 'ca.pem');
    writeFileSync(file, SELF_SIGNED.cert);
    const env = { NODE_EXTRA_CA_CERTS: file };
    const [right, wrong] = await Promise.all([
      sendInChild(`https://localhost:${server.port}/v1`, env),
      sendInChild(`https://127.0.0.1:${server.port}/v1`, env),
    ]);
    expect(right).toEqual({ status: 200, body: 'over TLS', ended: 'end' });
    expect(wrong).toEqual({ status: 0, body: '', ended: 'unreachable' });
    expect(served.length).toBe(1);
  });

  test('a server that speaks no TLS on that port: unreachable', async () => {
    const upstream = rawUpstream((connection) => connection.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    running.push(upstream);
    const exchange = await send(new FetchClient(upstream.url.replace('http:', 'https:'))).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
  });
});
