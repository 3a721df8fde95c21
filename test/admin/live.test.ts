/** GET /admin/live over real sockets. */
import { describe, expect, test } from 'bun:test';
import { startGatewayProcess } from '../support/gateway.ts';
import { CHAT, PLAIN, pair, STREAM } from '../support/pair.ts';
import { ADMIN_KEY, admin, adminCall } from './admin-client.ts';
import { isRequest, isSnapshot, LiveView } from './live-view.ts';

const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY } });

describe('the live view', () => {
  test('needs the admin key, and says what it is', async () => {
    const refused = await adminCall(bench.gateway, '/live', { headers: { authorization: 'Bearer no' } });
    expect([refused.status, refused.json.error.code]).toEqual([401, 'invalid_api_key']);
    const view = await LiveView.open(bench.gateway.url);
    expect(view.response.status).toBe(200);
    expect(view.response.headers.get('content-type')).toBe('text/event-stream');
    expect(view.response.headers.get('cache-control')).toBe('no-store');
    await view.close();
    const head = await fetch(`${bench.gateway.url}/admin/live`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${ADMIN_KEY}` },
    });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    expect((await adminCall(bench.gateway, '/live', { method: 'POST' })).status).toBe(405);
  });

  test('shows each request that ends as its record, under the id it is kept under', async () => {
    const view = await LiveView.open(bench.gateway.url);
    bench.mock.script(() => ({ text: 'Hello', usage: { prompt_tokens: 4, completion_tokens: 2, total_tokens: 6 } }));
    await bench.call({ body: PLAIN, headers: { 'x-request-id': 'seen-live' } });
    const { data } = (await view.next(isRequest))!;
    expect(data).toMatchObject({ requestId: 'seen-live', endpoint: CHAT, status: 200, finish: 'complete' });
    expect([data]).toEqual(await admin(bench.gateway, '/requests?request_id=seen-live'));
    await bench.call({ body: { model: 7 }, headers: { 'x-request-id': 'refused-live' } });
    expect((await view.next(isRequest))!.data).toMatchObject({
      requestId: 'refused-live',
      errorCode: 'invalid_request',
    });
    const snapshot = await view.next(({ name, data }) => name === 'snapshot' && data.errors.invalid_request > 0);
    expect(snapshot!.data.requests_per_s).toBeGreaterThan(0);
    expect(snapshot!.data.ttfb_ms.p50).toBeGreaterThan(0);
    await view.close();
  });

  test('counts what is in flight and what of it is streamed', async () => {
    const view = await LiveView.open(bench.gateway.url);
    bench.mock.script(() => ({ fault: { kind: 'hang' } }));
    const client = new AbortController();
    const calls = [STREAM, STREAM, PLAIN].map((body) =>
      fetch(bench.gateway.url + CHAT, {
        method: 'POST',
        headers: { authorization: `Bearer ${bench.gateway.key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: client.signal,
      }).catch(() => {}),
    );
    const busy = await view.next(({ name, data }) => name === 'snapshot' && data.in_flight === 3);
    expect(busy!.data).toMatchObject({ streams: 2, targets: [{ name: 'fuelix', state: 'up', in_flight: 3 }] });
    client.abort();
    await Promise.all(calls);
    expect((await view.next(({ name, data }) => name === 'snapshot' && data.in_flight === 0))!.data.streams).toBe(0);
    await view.close();
  });

  test('sends a snapshot each second', async () => {
    const view = await LiveView.open(bench.gateway.url);
    const times: number[] = [];
    for (let i = 0; i < 4; i++) times.push(Date.parse((await view.next(isSnapshot))!.data.at));
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    expect(Math.max(...gaps)).toBeLessThan(3_000);
    // The first comes at once, the others by the clock.
    expect(times.at(-1)! - times[1]!).toBeGreaterThan(1_500);
    await view.close();
  });

  test('ends with the gateway, and does not hold up its stop', async () => {
    const gateway = await startGatewayProcess({ upstreamUrl: bench.mock.url, env: { ADMIN_API_KEY: ADMIN_KEY } });
    const view = await LiveView.open(gateway.url);
    await view.next(isSnapshot);
    gateway.signal('SIGTERM');
    expect(await view.next(() => false)).toBeNull();
    expect(await gateway.exited).toBe(0);
    await gateway.stop();
  });
});
