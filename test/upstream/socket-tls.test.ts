/** TLS under the client on sockets: verified before a byte of a request leaves us, and otherwise no different. */
import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, readCaFile } from '../../src/config/load.ts';
import { createClient } from '../../src/upstream/create-client.ts';
import { DIRECT } from '../../src/upstream/proxy.ts';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { upstreamContract } from './contract.ts';
import { send, takeViolations } from './observed.ts';
import { type RawConnection, type RawUpstream, rawUpstream } from './raw-upstream.ts';
import { tlsFront } from './tls-front.ts';

const OPTIONS = { connectTimeoutMs: 5_000, idleConnectionsMax: 256, idleLimitMs: 30_000, ageMaxMs: 600_000 };
const TRUSTING = { ...OPTIONS, ca: SELF_SIGNED.cert };
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const SECRET = { headers: [['authorization', 'Bearer fx-secret']] as const, body: Buffer.from('{}') };

const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.stop();
  expect(takeViolations()).toEqual([]);
});

upstreamContract('the client on sockets over TLS', (baseUrl) => {
  const { hostname, port, pathname } = new URL(baseUrl);
  if (hostname !== '127.0.0.1') return new SocketClient(baseUrl.replace('http:', 'https:'), TRUSTING);
  const front = tlsFront(Number(port));
  running.push(front);
  return new SocketClient(`https://localhost:${front.port}${pathname.replace(/\/$/, '')}`, TRUSTING);
});

function tlsUpstream(onOpen?: (connection: RawConnection) => void): RawUpstream {
  const options = { tls: SELF_SIGNED, ...(onOpen ? { onOpen } : {}) };
  const upstream = rawUpstream((connection) => connection.write(ANSWER), options);
  running.push(upstream);
  return upstream;
}

/** Takes connections and never answers a handshake. */
function mute(onOpen: (connection: RawConnection) => void): RawUpstream {
  const upstream = rawUpstream(() => {}, { onOpen });
  running.push(upstream);
  return upstream;
}

const secureUrl = (upstream: RawUpstream) => `https://localhost:${upstream.port}`;

describe('a certificate', () => {
  test('that nobody vouches for: unreachable, and upstream was told nothing', async () => {
    const upstream = tlsUpstream();
    const exchange = await send(new SocketClient(secureUrl(upstream), OPTIONS), SECRET).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
    await upstream.connections[0]!.closed;
    expect([upstream.connections.length, upstream.connections[0]!.received]).toEqual([1, 0]);
  });

  test('for another name: unreachable, and upstream was told nothing', async () => {
    const upstream = tlsUpstream();
    const exchange = await send(new SocketClient(`https://127.0.0.1:${upstream.port}`, TRUSTING), SECRET).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
    await upstream.connections[0]!.closed;
    expect([upstream.connections.length, upstream.connections[0]!.received]).toEqual([1, 0]);
  });

  test('is verified even where NODE_TLS_REJECT_UNAUTHORIZED=0 switches that off for fetch', async () => {
    const upstream = tlsUpstream();
    const child = Bun.spawn(
      [process.execPath, '--no-env-file', join(import.meta.dir, 'send-once.ts'), secureUrl(upstream)],
      {
        env: { PATH: process.env.PATH ?? '', NODE_TLS_REJECT_UNAUTHORIZED: '0' },
        stdout: 'pipe',
        stderr: 'ignore',
      },
    );
    expect(await child.stdout.json()).toEqual({ status: 0, body: '', ended: 'unreachable' });
    expect([await child.exited, upstream.connections[0]!.received]).toEqual([0, 0]);
  });

  test('of the CA in FUELIX_CA_FILE is taken', async () => {
    const upstream = tlsUpstream();
    const folder = mkdtempSync(join(tmpdir(), 'bve-ca-'));
    running.push({ stop: () => rmSync(folder, { recursive: true }) });
    const file = join(folder, 'ca.pem');
    writeFileSync(file, SELF_SIGNED.cert);
    const { config } = loadConfig({
      env: {
        FUELIX_API_KEY: 'fx',
        API_KEY_PEPPER: 'sixteen-and-more-characters',
        HOST: '127.0.0.1',
        FUELIX_BASE_URL: `${secureUrl(upstream)}/v1`,
        FUELIX_CA_FILE: file,
      },
    });
    const network = { proxies: DIRECT, ca: readCaFile('FUELIX_CA_FILE', config.fuelixCaFile) };
    const client = createClient(config.fuelixBaseUrl, config, network);
    const exchange = await send(client, SECRET).over;
    expect([exchange.status, exchange.body.toString(), exchange.ended]).toEqual([200, 'ok', 'end']);
    client.close();
    await upstream.connections[0]!.closed;
  });

  test('of a CA that cannot be read: unreachable, not a throw', async () => {
    const upstream = tlsUpstream();
    const exchange = await send(new SocketClient(secureUrl(upstream), { ...OPTIONS, ca: 'not a certificate' }), SECRET)
      .over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
  });
});

describe('a handshake', () => {
  test('that is never answered ends with the connect timeout, and so does its connection', async () => {
    const opened = Promise.withResolvers<RawConnection>();
    const upstream = mute(opened.resolve);
    const client = new SocketClient(secureUrl(upstream), { ...TRUSTING, connectTimeoutMs: 50 });
    const exchange = await send(client, SECRET).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
    expect(((exchange.outcome as Error).cause as Error).message).toBe('connect timeout');
    await (await opened.promise).closed;
  });

  test('can be aborted, and the peer sees the close', async () => {
    const opened = Promise.withResolvers<RawConnection>();
    const upstream = mute(opened.resolve);
    const exchange = send(new SocketClient(secureUrl(upstream), TRUSTING), SECRET);
    const connection = await opened.promise;
    exchange.abort();
    await connection.closed;
    expect(exchange.ended).toBe('aborted');
  });

  test('can be paused over: the request is sent all the same', async () => {
    const upstream = tlsUpstream();
    const exchange = send(new SocketClient(secureUrl(upstream), TRUSTING), SECRET, { head: (e) => e.resume() });
    exchange.pause();
    await Promise.race([exchange.over, upstreamRead(upstream)]);
    exchange.resume();
    expect((await exchange.over).body.toString()).toBe('ok');
  });

  test.each([
    ['a server without TLS', (connection: RawConnection) => connection.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['FIN', (connection: RawConnection) => connection.finish()],
    ['RST', (connection: RawConnection) => connection.reset()],
  ])('that meets %s: unreachable', async (_, answer) => {
    const upstream = rawUpstream(answer);
    running.push(upstream);
    const exchange = await send(new SocketClient(secureUrl(upstream), TRUSTING), SECRET).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
  });
});

/** Resolves when some byte of a request has arrived. */
function upstreamRead(upstream: RawUpstream): Promise<void> {
  return new Promise((resolve) => {
    const look = () => ((upstream.connections[0]?.received ?? 0) > 0 ? resolve() : void setImmediate(look));
    look();
  });
}
