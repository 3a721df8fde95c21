import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { rawRequest } from '../support/raw-client.ts';

describe('the files of the dashboard', () => {
  let gateway: GatewayProcess;
  beforeAll(async () => {
    gateway = await startGatewayProcess({ upstreamUrl: 'http://127.0.0.1:9' });
  });
  afterAll(() => gateway.stop());

  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${gateway.url}${path}`, { method, headers, redirect: 'manual' });
  const assetPaths = async () =>
    [...(await (await get('/dashboard')).text()).matchAll(/"(\/dashboard\/assets\/[^"]+)"/g)].map((match) => match[1]!);

  test('the page is there for every view, without a key', async () => {
    for (const path of ['/dashboard', '/dashboard/keys', '/dashboard/keys/a-b-c?x=1', '/docs']) {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/html;charset=utf-8');
      expect(await response.text()).toContain('<div id="app"></div>');
    }
  });

  test('a trailing slash is redirected for good', async () => {
    const response = await get('/dashboard/');
    expect(response.status).toBe(308);
    expect(response.headers.get('location')).toBe('/dashboard');
  });

  test('nothing inline, no other origin and no frame is allowed', async () => {
    for (const path of ['/dashboard', '/docs', ...(await assetPaths())]) {
      const { headers } = await get(path);
      const policy = headers.get('content-security-policy')!;
      expect(policy).not.toContain('unsafe');
      expect(policy).not.toContain('http');
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
    const page = await (await get('/dashboard')).text();
    expect(page).not.toMatch(/<script(?![^>]* src=)/);
    expect(page).not.toMatch(/<style| style=| on[a-z]+=/);
  });

  test('the page is revalidated, files with a hash in their name are kept for ever', async () => {
    expect((await get('/dashboard')).headers.get('cache-control')).toBe('no-cache');
    const paths = await assetPaths();
    expect(paths.length).toBeGreaterThanOrEqual(3);
    for (const path of paths) {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    }
  });

  test('what a browser has already is not sent again', async () => {
    for (const path of ['/dashboard', ...(await assetPaths())]) {
      const etag = (await get(path)).headers.get('etag')!;
      expect(etag).toMatch(/^"[^"]+"$/);
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const again = await get(path, { 'if-none-match': known });
        expect(again.status).toBe(304);
        expect(again.headers.get('etag')).toBe(etag);
        expect(await again.text()).toBe('');
      }
      expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200);
    }
  });

  test('text is compressed for those who take gzip, and only for them', async () => {
    for (const path of ['/dashboard', ...(await assetPaths()).filter((name) => /\.(js|css)$/.test(name))]) {
      const plain = await get(path, { 'accept-encoding': 'identity' });
      const refused = await get(path, { 'accept-encoding': 'gzip;q=0, br' });
      const gzipped = await get(path, { 'accept-encoding': 'gzip, deflate, br' });
      expect(plain.headers.get('content-encoding')).toBeNull();
      expect(refused.headers.get('content-encoding')).toBeNull();
      expect(gzipped.headers.get('content-encoding')).toBe('gzip');
      expect(gzipped.headers.get('vary')).toBe('accept-encoding');
      expect(gzipped.headers.get('etag')).not.toBe(plain.headers.get('etag'));
      expect(await gzipped.text()).toBe(await plain.text());
    }
  });

  test('the first load is below 200 kB', async () => {
    const paths = ['/dashboard', ...(await assetPaths())];
    const script = await (await get(paths.find((path) => path.endsWith('.js'))!)).text();
    const fonts = [...script.matchAll(/"(\/dashboard\/assets\/[^"]+\.woff2)"/g)].map((match) => match[1]!);
    expect(fonts.length).toBeGreaterThan(0);
    let bytes = 0;
    for (const path of [...paths, ...fonts]) {
      const answer = await rawRequest(gateway.port, { method: 'GET', path, headers: { 'accept-encoding': 'gzip' } });
      expect(answer.status).toBe(200);
      bytes += answer.body.length;
    }
    expect(bytes).toBeLessThan(200_000);
  });

  test('HEAD has the headers of GET and no body', async () => {
    for (const path of ['/dashboard', ...(await assetPaths())]) {
      const got = await get(path);
      const head = await get(path, {}, 'HEAD');
      expect(head.status).toBe(200);
      for (const name of ['content-type', 'content-length', 'etag', 'content-security-policy']) {
        expect([name, head.headers.get(name)]).toEqual([name, got.headers.get(name)]);
      }
      expect(await head.text()).toBe('');
    }
  });

  test('other methods and files that do not exist are refused in the envelope', async () => {
    for (const path of ['/dashboard', '/dashboard/keys', '/docs', (await assetPaths())[0]!]) {
      const response = await get(path, {}, 'POST');
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
      expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
    }
    for (const path of ['/dashboard/assets/', '/dashboard/assets/nothing.js', '/dashboard/assets/..%2findex.html']) {
      const response = await get(path);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'route_not_found' } });
    }
    expect((await get('/dashboards')).status).toBe(404);
  });
});
