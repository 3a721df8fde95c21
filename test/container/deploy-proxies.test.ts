/** The files of deploy/proxies, each run as it is (but for its ports), with streams and a leaver through it. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { type HeldRequest, heldUpstream } from '../support/held-upstream.ts';
import { callOf, PLAIN, STREAM, TEST_TIMEOUT_MS, textOf } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { StreamReader } from '../support/reader.ts';

setDefaultTimeout(TEST_TIMEOUT_MS);
const FILES = resolve(import.meta.dir, '../../deploy/proxies');

interface Proxy {
  readonly name: string;
  readonly program: string;
  readonly file: string;
  /** What of the file is to be run. */
  wrap(text: string, folder: string): string;
  command(program: string, file: string, folder: string): string[];
}

const PROXIES: readonly Proxy[] = [
  {
    name: 'nginx',
    program: 'nginx',
    file: 'nginx.conf',
    wrap: (text, folder) => `daemon off; pid ${folder}/pid; error_log /dev/null; worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  ${text}
}`,
    command: (program, file, folder) => [program, '-p', folder, '-c', file],
  },
  {
    name: 'HAProxy',
    program: 'haproxy',
    file: 'haproxy.cfg',
    wrap: (text) => text,
    command: (program, file) => [program, '-db', '-f', file],
  },
  {
    name: 'Caddy',
    program: 'caddy',
    file: 'Caddyfile',
    wrap: (text) => `{\n\tadmin off\n\tauto_https off\n}\n${text}`,
    command: (program, file) => [program, 'run', '--config', file, '--adapter', 'caddyfile'],
  },
];

for (const proxy of PROXIES) {
  const program = Bun.which(proxy.program, { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` });
  if (program === null) console.log(`skipped: ${proxy.program} is not installed`);

  describe.skipIf(program === null)(`${proxy.name} in front, by deploy/proxies/${proxy.file}`, () => {
    const held = heldUpstream();
    let gateway: GatewayProcess;
    let folder: string;
    let child: Bun.Subprocess;
    let port: number;
    const open: StreamReader[] = [];

    beforeAll(async () => {
      gateway = await startGatewayProcess({ upstreamUrl: held.url, env: { LOG_LEVEL: 'warn' } });
      folder = mkdtempSync(join(tmpdir(), 'bve-proxy-'));
      port = freePort();
      const text = readFileSync(join(FILES, proxy.file), 'utf8')
        .replaceAll('127.0.0.1:8080', `127.0.0.1:${gateway.port}`)
        .replace(/(127\.0\.0\.1:)?8443/, proxy.name === 'Caddy' ? `${port}` : `127.0.0.1:${port}`)
        .replace(/^:(\d+) \{/m, 'http://127.0.0.1:$1 {');
      const file = join(folder, proxy.file);
      writeFileSync(file, proxy.wrap(text, folder));
      child = Bun.spawn(proxy.command(program!, file, folder), {
        cwd: folder,
        env: { PATH: process.env.PATH ?? '', HOME: folder },
        stdout: 'ignore',
        stderr: 'ignore',
      });
      await eventually(
        async () => (await rawRequest(port, { method: 'GET', path: '/ready' }).catch(() => null))?.status === 200,
      );
    });
    afterEach(() => {
      for (const reader of open.splice(0)) reader.socket.destroy();
    });
    afterAll(async () => {
      child?.kill('SIGTERM');
      await child?.exited;
      await gateway?.stop();
      held.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    async function stream(): Promise<{ client: StreamReader; request: HeldRequest }> {
      const client = await StreamReader.open(port, callOf(gateway.key, { body: STREAM }));
      open.push(client);
      return { client, request: await held.next() };
    }

    test('each event of a stream arrives before the next is sent, and the end is an end', async () => {
      const { client, request } = await stream();
      request.begin('data: {"i":0}\n\n');
      await client.until('"i":0');
      for (let i = 1; i < 5; i++) {
        request.event(`data: {"i":${i}}\n\n`);
        await client.until(`"i":${i}`);
      }
      request.event('data: [DONE]\n\n');
      request.end();
      await client.until('[DONE]');
      const [record] = await gateway.waitForUsage(1);
      expect(record!.finish).toBe('complete');
    });

    test('a client that leaves ends the request upstream', async () => {
      const { client, request } = await stream();
      request.begin('data: {"i":0}\n\n');
      await client.until('"i":0');
      client.socket.destroy();
      await request.connection.closed;
    });

    test('four megabytes at once arrive whole, in order', async () => {
      const { client, request } = await stream();
      request.begin('data: {"i":0}\n\n');
      await client.until('"i":0');
      const pad = 'x'.repeat(8_000);
      for (let i = 1; i <= 500; i++) request.event(`data: {"i":${i},"pad":"${pad}"}\n\n`);
      request.event('data: [DONE]\n\n');
      request.end();
      await client.until('[DONE]');
      const seen = [...textOf(client.answer).matchAll(/"i":(\d+)/g)].map(([, i]) => Number(i));
      expect(seen).toEqual(Array.from({ length: 501 }, (_, i) => i));
    });

    test('the admin API and the dashboard are not to be had through it', async () => {
      for (const path of ['/admin/config', '/dashboard']) {
        expect((await rawRequest(port, { method: 'GET', path })).status).toBe(404);
      }
      const answer = rawRequest(port, callOf(gateway.key, { body: PLAIN }));
      (await held.next()).json(200, { ok: true });
      expect((await answer).status).toBe(200);
    });
  });
}
