/** The gateway behind an HTTP proxy: which upstream is reached through it, what a refusal looks like, and no credentials in the log. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, runBve, startGatewayProcess } from '../support/gateway.ts';
import { callOf, PLAIN, STREAM, TEST_TIMEOUT_MS, textOf } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { type ConnectProxyOptions, connectProxy } from '../upstream/connect-proxy.ts';
import { tlsFront } from '../upstream/tls-front.ts';

setDefaultTimeout(TEST_TIMEOUT_MS);
const CREDENTIALS = 'proxyuser:proxy-pass-planted';

const running: { stop(): unknown }[] = [];

afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

function started<T extends { stop(): unknown }>(one: T): T {
  running.push(one);
  return one;
}

/** @param env of the proxy's URL, with credentials in it */
async function behindProxy(
  options: ConnectProxyOptions,
  env: (proxyUrl: string) => Record<string, string>,
  secure = false,
) {
  const mock = started(startMock());
  const proxy = started(connectProxy(options));
  const folder = mkdtempSync(join(tmpdir(), 'bve-proxy-'));
  running.push({ stop: () => rmSync(folder, { recursive: true, force: true }) });
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, SELF_SIGNED.cert);
  const upstreamUrl = secure ? `https://localhost:${started(tlsFront(mock.port)).port}/v1` : mock.url;
  const gateway = started(
    await startGatewayProcess({
      upstreamUrl,
      env: { FUELIX_CA_FILE: ca, WARM_UP_REQUESTS: '50', ...env(proxy.url.replace('://', `://${CREDENTIALS}@`)) },
    }),
  );
  return { mock, proxy, gateway };
}

const call = (gateway: GatewayProcess, body: object = PLAIN) => rawRequest(gateway.port, callOf(gateway.key, { body }));

describe('an upstream behind a proxy', () => {
  test.each([
    ['http:// and HTTP_PROXY', false, false, 'HTTP_PROXY'],
    ['http:// and http_proxy over TLS', true, false, 'http_proxy'],
    ['https:// and HTTPS_PROXY', false, true, 'HTTPS_PROXY'],
    ['https:// and https_proxy over TLS', true, true, 'https_proxy'],
  ])(
    '%s: streamed byte for byte through the tunnel, and the log holds no credentials',
    async (_, tls, secure, variable) => {
      const { mock, proxy, gateway } = await behindProxy({ tls }, (url) => ({ [variable]: url }), secure);
      mock.script({ events: 20, pace_ms: 1 });
      const streamed = await call(gateway, STREAM);
      expect([streamed.status, textOf(streamed).endsWith('data: [DONE]\n\n')]).toEqual([200, true]);
      expect((await call(gateway)).status).toBe(200);
      // The warm-up does not go through it, and one tunnel serves both.
      expect(proxy.requests.length).toBe(1);
      expect(proxy.requests[0]).toContain(`proxy-authorization: Basic ${btoa(CREDENTIALS)}`);
      expect(mock.requests.map((request) => request.get('proxy-authorization'))).toEqual([undefined, undefined]);
      const line = await gateway.logLine(({ msg }) => msg === 'upstream');
      expect(line).toMatchObject({ proxy: `${new URL(proxy.url).hostname}:${proxy.port}` });
      expect(gateway.output()).not.toMatch(/proxy-pass-planted|proxyuser/);
      expect(gateway.output()).not.toContain(btoa(CREDENTIALS));
    },
  );

  test('is reached directly where NO_PROXY says so, or only ALL_PROXY is set, which is told', async () => {
    const exempt = await behindProxy({}, (url) => ({ HTTP_PROXY: url, NO_PROXY: '127.0.0.0/8' }));
    expect([(await call(exempt.gateway)).status, exempt.proxy.requests.length]).toEqual([200, 0]);
    const all = await behindProxy({}, (url) => ({ ALL_PROXY: url }));
    expect([(await call(all.gateway)).status, all.proxy.requests.length]).toEqual([200, 0]);
    const warned = await all.gateway.logLine(({ variable }) => variable === 'ALL_PROXY');
    expect(warned.msg).toBe('ALL_PROXY is not used: set HTTPS_PROXY or HTTP_PROXY');
  });

  test.each([407, 403, 502])('that refuses with %d: 502 with its status, and the cause in the log', async (status) => {
    const refusal = `HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`;
    const { mock, gateway } = await behindProxy({ refusal }, (url) => ({ HTTP_PROXY: url }));
    for (const body of [PLAIN, STREAM]) {
      const answer = await call(gateway, body);
      expect(answer.status).toBe(502);
      expect(JSON.parse(textOf(answer))).toEqual({
        error: {
          message: `Upstream cannot be reached: the proxy answered with status ${status}`,
          type: 'upstream_error',
          code: 'upstream_error',
        },
      });
    }
    await gateway.waitForUsage(2);
    const causes = () => gateway.logLines().flatMap(({ msg, cause }) => (msg === 'request' ? [cause] : []));
    await eventually(() => causes().length === 2);
    expect(causes()).toEqual([`PROXY_STATUS_${status}`, `PROXY_STATUS_${status}`]);
    expect(mock.requests.length).toBe(0);
    expect(gateway.output()).not.toMatch(/proxy-pass-planted|proxyuser/);
  });
});

test.each([
  ['socks5://user:hunter2@proxy:1080', 'HTTPS_PROXY must be an http:// or https:// URL'],
  ['http://user:hunter2@:0', 'HTTPS_PROXY must be a URL'],
])('a proxy that cannot be used (%s) stops serve and check, without its password', async (HTTPS_PROXY, complaint) => {
  const env = {
    HTTPS_PROXY,
    FUELIX_API_KEY: 'fx',
    API_KEY_PEPPER: 'sixteen-and-more-characters',
    DATABASE_URL: 'sqlite:///tmp/bve-none.db',
  };
  for (const command of ['serve', 'check']) {
    const { exitCode, stderr } = await runBve([command], env);
    expect([exitCode, stderr.includes(complaint), stderr.includes('hunter2')]).toEqual([2, true, false]);
  }
});
