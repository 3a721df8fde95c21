/** The client through an HTTP proxy: the same contract in each combination of TLS, and what a proxy may answer. */
import { afterEach, describe, expect, test } from 'bun:test';
import type { UpstreamError } from '../../src/upstream/client.ts';
import { proxyFor } from '../../src/upstream/proxy.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { randomBytes } from '../support/random.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { sha256 } from '../support/streams.ts';
import { type ConnectProxy, type ConnectProxyOptions, connectProxy } from './connect-proxy.ts';
import { upstreamContract } from './contract.ts';
import { send, takeViolations } from './observed.ts';
import { type RawUpstream, rawUpstream } from './raw-upstream.ts';
import { tlsFront } from './tls-front.ts';

/** Two handshakes for each of 300 at once take their time on a busy machine. */
const OPTIONS = { connectTimeoutMs: 25_000, idleConnectionsMax: 256, idleLimitMs: 30_000, ageMaxMs: 600_000 };
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const SECRET = { headers: [['authorization', 'Bearer fx-secret']] as const, body: Buffer.from('{}') };

const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  expect(takeViolations()).toEqual([]);
});

function started<T extends { stop(): unknown }>(one: T): T {
  running.push(one);
  return one;
}

function through(proxyUrl: string, baseUrl: string, options: object = {}): SocketClient {
  const proxy = proxyFor(new URL(baseUrl), { httpProxy: proxyUrl, httpsProxy: proxyUrl, noProxy: undefined });
  const client = new SocketClient(baseUrl, { ...OPTIONS, ca: SELF_SIGNED.cert, proxy, ...options });
  running.push({ stop: () => client.close() });
  return client;
}

// Without TLS to upstream the tunnel's socket is used as it is, which the contract of the direct client covers.
for (const [name, proxyTls] of [
  ['a proxy', false],
  ['an https proxy', true],
] as const) {
  upstreamContract(`the client over TLS through ${name}`, (baseUrl) => {
    const proxy = started(connectProxy({ tls: proxyTls }));
    const { hostname, port, pathname } = new URL(baseUrl);
    const secure = hostname === '127.0.0.1' ? started(tlsFront(Number(port))).port : port;
    return through(proxy.url, `https://localhost:${secure}${pathname.replace(/\/$/, '')}`);
  });
}

function plainUpstream(): RawUpstream {
  return started(rawUpstream((connection) => connection.write(ANSWER)));
}

function refusing(options: ConnectProxyOptions): { proxy: ConnectProxy; client: SocketClient; upstream: RawUpstream } {
  const proxy = started(connectProxy(options));
  const upstream = plainUpstream();
  return { proxy, upstream, client: through(proxy.url, upstream.url) };
}

const causeOf = (error: unknown) => (error as Error).cause as { code?: string; message: string };

describe('a tunnel', () => {
  test('is asked for with the name of upstream, which the proxy resolves, and its port', async () => {
    const proxy = started(connectProxy());
    const upstream = plainUpstream();
    const client = through(proxy.url, `http://nosuch.invalid:${upstream.port}/v1`);
    expect((await send(client, SECRET).over).body.toString()).toBe('ok');
    const authority = `nosuch.invalid:${upstream.port}`;
    expect(proxy.requests).toEqual([`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`]);
    expect(upstream.connections[0]!.takeText()).toStartWith(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: ${authority}\r\n`,
    );
  });

  test('leads through an https proxy to an http:// upstream, too', async () => {
    const proxy = started(connectProxy({ tls: true }));
    const upstream = plainUpstream();
    const client = through(proxy.url, upstream.url);
    for (let i = 0; i < 2; i++) expect((await send(client, SECRET).over).body.toString()).toBe('ok');
    expect([proxy.requests.length, upstream.connections.length]).toEqual([1, 1]);
  });

  test('has the default port of upstream, and an IPv6 address in brackets', async () => {
    const proxy = started(connectProxy({ refusal: 'HTTP/1.1 403 Forbidden\r\n\r\n' }));
    await send(through(proxy.url, 'https://api.example')).over;
    await send(through(proxy.url, 'http://[2001:db8::1]')).over;
    expect(proxy.requests.map((head) => head.split('\r\n')[0])).toEqual([
      'CONNECT api.example:443 HTTP/1.1',
      'CONNECT [2001:db8::1]:80 HTTP/1.1',
    ]);
  });

  test('carries the credentials of the proxy, which upstream does not see', async () => {
    const proxy = started(connectProxy());
    const upstream = plainUpstream();
    const client = through(proxy.url.replace('http://', 'http://us%40er:pass%3Aword@'), upstream.url);
    expect((await send(client, SECRET).over).ended).toBe('end');
    const credentials = Buffer.from('us@er:pass:word').toString('base64');
    expect(proxy.requests[0]).toContain(`\r\nproxy-authorization: Basic ${credentials}\r\n`);
    expect(proxy.requests[0]).not.toContain('fx-secret');
    expect(upstream.connections[0]!.takeText()).not.toContain('proxy-authorization');
  });

  test('is used for one request after another', async () => {
    const proxy = started(connectProxy());
    const upstream = plainUpstream();
    const client = through(proxy.url, upstream.url);
    for (let i = 0; i < 3; i++) expect((await send(client).over).ended).toBe('end');
    expect([proxy.requests.length, upstream.connections.length]).toEqual([1, 1]);
  });

  test.each([
    ['HTTP/1.0', 'HTTP/1.0 200 Connection established\r\nproxy-agent: x\r\n\r\n'],
    ['an interim answer before', 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'],
    ['a length, which means nothing there', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n'],
  ])('is open after %s', async (_, answer) => {
    const { client } = refusing({ answer });
    expect((await send(client).over).body.toString()).toBe('ok');
  });
});

describe('a proxy that', () => {
  test.each([
    [407, 'HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm="x"\r\n\r\n'],
    [403, 'HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<h1>no</h'],
    [502, 'HTTP/1.1 502 Bad Gateway\r\n\r\n'],
    [302, 'HTTP/1.1 302 Found\r\nlocation: http://portal/\r\n\r\n'],
  ])('answers %d: unreachable, with that status, and upstream has not been asked', async (status, refusal) => {
    const { proxy, client, upstream } = refusing({ refusal });
    const exchange = await send(client, SECRET).over;
    const error = exchange.outcome as UpstreamError;
    expect([exchange.status, error.kind, error.safeToResend]).toEqual([0, 'unreachable', true]);
    expect(error.message).toBe(`Upstream cannot be reached: the proxy answered with status ${status}`);
    expect(causeOf(error).code).toBe(`PROXY_STATUS_${status}`);
    expect([proxy.requests.length, upstream.connections.length]).toEqual([1, 0]);
  });

  test.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['bytes behind its answer', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled'],
    ['a head without end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`],
  ])('answers with %s: unreachable', async (_, refusal) => {
    const { client, upstream } = refusing({ refusal });
    const { outcome } = await send(client, SECRET).over;
    expect((outcome as UpstreamError).kind).toBe('unreachable');
    expect(causeOf(outcome).code).toBe('PROXY_INVALID_ANSWER');
    expect(upstream.connections.length).toBe(0);
  });

  test('never answers: unreachable after the connect timeout', async () => {
    const proxy = started(connectProxy({ mute: true }));
    const client = through(proxy.url, plainUpstream().url, { connectTimeoutMs: 50 });
    expect(causeOf((await send(client).over).outcome).code).toBe('CONNECT_TIMEOUT');
  });

  test('is not there: unreachable', async () => {
    const proxy = connectProxy();
    proxy.stop();
    const client = through(proxy.url, plainUpstream().url);
    expect(causeOf((await send(client, { refusedForMs: 0 }).over).outcome).code).toBe('ECONNREFUSED');
  });

  test('has a certificate that nobody vouches for: unreachable, and it was told nothing', async () => {
    const proxy = started(connectProxy({ tls: true }));
    const client = through(proxy.url.replace('//', '//user:pass@'), plainUpstream().url, { ca: undefined });
    expect((await send(client, SECRET).over).ended).toBe('unreachable');
    expect(proxy.requests).toEqual([]);
  });

  test.each([
    ['a proxy', false],
    ['an https proxy', true],
  ])(
    'leads to an upstream whose certificate is for another name, %s: unreachable, and neither saw the request',
    async (_, tls) => {
      const proxy = started(connectProxy({ tls }));
      const upstream = started(rawUpstream((connection) => connection.write(ANSWER), { tls: SELF_SIGNED }));
      const client = through(proxy.url, `https://127.0.0.1:${upstream.port}`);
      expect((await send(client, SECRET).over).ended).toBe('unreachable');
      expect([proxy.requests.length, upstream.connections[0]!.received]).toEqual([1, 0]);
    },
  );

  test('is given up while the tunnel is being made: the connection to it is closed', async () => {
    const closed = Promise.withResolvers<void>();
    let exchange: ReturnType<typeof send> | undefined;
    const listener = Bun.listen({
      hostname: '127.0.0.1',
      port: 0,
      socket: { data: () => exchange!.abort(), close: () => closed.resolve() },
    });
    running.push({ stop: () => listener.stop(true) });
    exchange = send(through(`http://127.0.0.1:${listener.port}`, 'http://upstream.test'));
    expect((await exchange.over).ended).toBe('aborted');
    await closed.promise;
  });
});

test.each([
  ['a proxy', false],
  ['an https proxy', true],
])('TLS through %s: 20 MB up and 20 MB down arrive whole, with a reader that pauses', async (_, tls) => {
  const large = randomBytes(20_000_000);
  const proxy = started(connectProxy({ tls }));
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    tls: SELF_SIGNED,
    fetch: async (request) => {
      const body = new Uint8Array(await request.arrayBuffer());
      return new Response(large, { headers: { 'x-sha256': sha256(body) } });
    },
  });
  running.push({ stop: () => server.stop(true) });
  const client = through(proxy.url, `https://localhost:${server.port}`);
  let reads = 0;
  const exchange = await send(
    client,
    { body: large },
    {
      data: (_bytes, e) => {
        if (++reads % 8 !== 0) return;
        e.pause();
        setImmediate(() => e.resume());
      },
    },
  ).over;
  expect([exchange.ended, exchange.headers.get('x-sha256'), sha256(exchange.body)]).toEqual([
    'end',
    sha256(large),
    sha256(large),
  ]);
});
