/** Connections are used again, and one that turns out to be closed costs a second attempt: one, and only before the head. */
import { expect, test } from 'bun:test';
import type { Scenario } from '../../src/mock/scenario.ts';
import type { Bench } from './contract-bench.ts';
import { send } from './observed.ts';
import { rawUpstream } from './raw-upstream.ts';

const BODY = 'x'.repeat(1_000);
/** A reset this late may mean that upstream was at work on the request: above STALE_WITHIN_MS. */
const LATE_RESET_MS = 1_100;

const connectionsOf = ({ mock }: Bench) => mock.requests.map((request) => request.connectionId);

export function connectionsContract(bench: Bench): void {
  test.each([
    ['chunked', { framing: 'chunked' }],
    ['length', { framing: 'length' }],
    ['trailers', { framing: 'trailers' }],
    ['chunk extensions', { framing: 'chunk_extensions' }],
    ['an error status', { status: 429 }],
  ] satisfies [string, Scenario][])('after a whole answer (%s) the connection is used again', async (_, scenario) => {
    bench.mock.script({ body: BODY, ...scenario });
    for (let i = 0; i < 4; i++) expect((await send(bench.client, { body: Buffer.from('{}') }).over).ended).toBe('end');
    expect(connectionsOf(bench)).toEqual([1, 1, 1, 1]);
  });

  test.each([
    ['that ended with its connection', { framing: 'close' }],
    ['of HTTP/1.0', { framing: 'http10' }],
    ['that broke off', { framing: 'chunked', fault: { kind: 'end_early', after_bytes: 10 } }],
    ['with a bad chunk', { framing: 'bad_chunk_size' }],
  ] satisfies [string, Scenario][])(
    'after an answer %s the next request gets a new connection',
    async (_, scenario) => {
      bench.mock.script((request) => (request.sequence === 1 ? { body: BODY, ...scenario } : { body: 'next' }));
      await send(bench.client).over;
      const next = await send(bench.client).over;
      expect([next.body.toString(), next.ended]).toEqual(['next', 'end']);
      expect(connectionsOf(bench)).toEqual([1, 2]);
    },
  );

  test('exchanges at the same time do not share a connection', async () => {
    bench.mock.script({ body: BODY, framing: 'chunked', fault: { kind: 'silence', after_bytes: 100 } });
    const exchanges = Array.from({ length: 20 }, () => send(bench.client));
    await Promise.all(exchanges.map((exchange) => exchange.gotData));
    expect(new Set(connectionsOf(bench)).size).toBe(20);
    for (const exchange of exchanges) exchange.abort();
  });

  test('a connection that upstream closed while it was idle costs nothing', async () => {
    bench.mock.script({ body: BODY, fault: { kind: 'close_idle' } });
    for (let i = 0; i < 10; i++) expect((await send(bench.client, { body: Buffer.from('{}') }).over).ended).toBe('end');
    expect(bench.mock.requests.length).toBe(10);
  });

  test('a pooled connection that is reset by the GET on it: sent once more, on another one', async () => {
    bench.mock.script({ body: BODY, fault: { kind: 'reset_next' } });
    for (let i = 0; i < 3; i++) {
      const exchange = await send(bench.client, { method: 'GET' }).over;
      expect([exchange.status, exchange.bytes, exchange.ended]).toEqual([200, BODY.length, 'end']);
    }
    expect(connectionsOf(bench)).toEqual([1, 2, 3]);
  });

  test('the second attempt is the last', async () => {
    bench.mock.script((request) => ({ body: BODY, fault: { kind: request.sequence === 1 ? 'reset_next' : 'refuse' } }));
    await send(bench.client).over;
    const exchange = await send(bench.client, { method: 'GET' }).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'reset']);
    expect(bench.mock.requests.length).toBe(2);
  });

  test('a reset before any answer on a new connection: at most one more attempt', async () => {
    bench.mock.script({ fault: { kind: 'refuse' } });
    const exchange = await send(bench.client).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'reset']);
    expect(bench.mock.requests.length).toBeLessThanOrEqual(2);
  });

  test('a request that upstream held for a while before the reset is not tried again', async () => {
    const upstream = rawUpstream((connection) => setTimeout(() => connection.reset(), LATE_RESET_MS));
    const exchange = await send(bench.create(upstream.url), { method: 'GET' }).over;
    expect([exchange.status, exchange.ended, upstream.connections.length]).toEqual([0, 'reset', 1]);
    upstream.stop();
  });

  test('an abort between two attempts ends it', async () => {
    let exchange: ReturnType<typeof send> | undefined;
    const upstream = rawUpstream((connection) => {
      exchange!.abort();
      connection.reset();
    });
    exchange = send(bench.create(upstream.url), { method: 'GET' });
    await exchange.over;
    expect(exchange.ended).toBe('aborted');
    // A second attempt would have come before the answer to this one.
    await send(bench.client).over;
    expect(upstream.connections.length).toBe(1);
    upstream.stop();
  });
}
