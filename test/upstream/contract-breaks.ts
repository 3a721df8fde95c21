/** What is not a whole answer ends in `fail`, with the kind that tells why, and never in `end`. */
import { expect, test } from 'bun:test';
import type { Scenario } from '../../src/mock/scenario.ts';
import { UpstreamError } from '../../src/upstream/client.ts';
import type { Bench } from './contract-bench.ts';
import { type Observed, send } from './observed.ts';
import { rawUpstream } from './raw-upstream.ts';

const BODY = Array.from({ length: 200 }, (_, i) => `line ${i}\n`).join('');

/** A framing that breaks after the whole body may have some more bytes behind it. */
function expectPrefix(exchange: Observed): void {
  expect(`${BODY}: mock\n\n\n\n`).toStartWith(exchange.body.toString());
}

function safeToResend({ outcome }: Observed): boolean | undefined {
  return outcome instanceof UpstreamError ? outcome.safeToResend : undefined;
}

export function breaksContract(bench: Bench): void {
  test.each([
    ['fewer bytes than the length says', { framing: 'length_short' }, 'reset'],
    ['a chunk shorter than its size', { framing: 'short_chunk' }, 'reset'],
    [
      'FIN in the middle of a chunked body',
      { framing: 'chunked', fault: { kind: 'end_early', after_bytes: 500 } },
      'reset',
    ],
    [
      'FIN in the middle of a body with a length',
      { framing: 'length', fault: { kind: 'end_early', after_bytes: 500 } },
      'reset',
    ],
    ['FIN right after the head', { framing: 'chunked', fault: { kind: 'end_early' } }, 'reset'],
    ['a chunk size that is no number', { framing: 'bad_chunk_size' }, 'protocol'],
  ] satisfies [string, Scenario, string][])('%s: head, then fail', async (_, scenario, kind) => {
    bench.mock.script({ body: BODY, ...scenario });
    const exchange = await send(bench.client).over;
    expect([exchange.status, exchange.ended]).toEqual([200, kind]);
    expectPrefix(exchange);
    expect(bench.mock.requests.length).toBe(1);
  });

  test('compressed by name only: fail, without a head', async () => {
    bench.mock.script({ body: BODY, headers: [['content-encoding', 'gzip']], framing: 'length' });
    const exchange = await send(bench.client).over;
    expect([exchange.status, exchange.parts.length, exchange.ended]).toEqual([0, 0, 'protocol']);
    expect(bench.mock.requests.length).toBe(1);
  });

  test.each([
    ['of a chunked body', 'transfer-encoding: chunked', '5\r\nfirst\r\n'],
    ['within a chunk', 'transfer-encoding: chunked', '9\r\nfirst'],
    ['of a body with a length', 'content-length: 10', 'first'],
    ['of a body that ends by closing', 'connection: close', 'first'],
  ] as const)(
    'RST in the middle %s: what was read was handed over, then fail, and no second attempt',
    async (_, head, body) => {
      const upstream = rawUpstream((connection) => connection.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${body}`));
      const exchange = send(bench.create(upstream.url), { method: 'GET' });
      await exchange.gotData;
      upstream.connections[0]!.reset();
      await exchange.over;
      expect([exchange.body.toString(), exchange.ended]).toEqual(['first', 'reset']);
      expect(upstream.connections.length).toBe(1);
      upstream.stop();
    },
  );

  test('RST between the head and the body: head, fail, and no second attempt', async () => {
    const upstream = rawUpstream((connection) => connection.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n'));
    const exchange = send(bench.create(upstream.url), { method: 'GET' });
    await exchange.gotHead;
    upstream.connections[0]!.reset();
    await exchange.over;
    expect([exchange.status, exchange.parts.length, exchange.ended]).toEqual([200, 0, 'reset']);
    expect(upstream.connections.length).toBe(1);
    upstream.stop();
  });

  test('a connection that breaks before the head: fail, and upstream may have begun on the request', async () => {
    const upstream = rawUpstream((connection) => connection.reset());
    const exchange = await send(bench.create(upstream.url)).over;
    expect([exchange.status, exchange.ended, safeToResend(exchange)]).toEqual([0, 'reset', false]);
    upstream.stop();
  });

  test('another protocol on that port: fail, without a head', async () => {
    bench.mock.script({ framing: 'garbage' });
    const exchange = await send(bench.client).over;
    expect([exchange.status, exchange.ended, safeToResend(exchange)]).toEqual([0, 'protocol', false]);
  });

  test.each(['lf_only', 'both'] as const)('framing %s: the whole body, or no end', async (framing) => {
    bench.mock.script({ body: BODY, framing });
    const exchange = await send(bench.client).over;
    expectPrefix(exchange);
    if (exchange.ended === 'end') expect(exchange.body.toString()).toBe(BODY);
    else expect(exchange.ended).toBe('protocol');
  });

  test('bytes behind the announced length are no answer to the next request', async () => {
    const smuggled = 'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nsmuggle';
    bench.mock.script(({ path }) =>
      path === '/v1/first' ? { body: 'a'.repeat(50) + smuggled, framing: 'length_long' } : { body: 'own answer' },
    );
    await send(bench.client, { target: '/first' }).over;
    for (let i = 0; i < 3; i++) {
      const next = await send(bench.client, { target: '/next' }).over;
      expect(next.body.toString()).toBe('own answer');
    }
  });

  test('nobody listens: unreachable', async () => {
    bench.mock.refuseConnections();
    const exchange = await send(bench.client).over;
    expect([exchange.status, exchange.ended, safeToResend(exchange)]).toEqual([0, 'unreachable', true]);
    bench.mock.acceptConnections();
    expect((await send(bench.client).over).ended).toBe('end');
  });

  test('a host name that cannot be resolved: unreachable', async () => {
    // A label of 64 letters: the resolver refuses it without asking anybody.
    const exchange = await send(bench.create(`http://${'a'.repeat(64)}.localhost:1/v1`)).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
  });

  test('the message of a failure names neither the host nor the request', async () => {
    bench.mock.refuseConnections();
    const { outcome } = await send(bench.client, { target: '/secret-target' }).over;
    const { message } = outcome as Error;
    expect(message).not.toContain(String(bench.mock.port));
    expect(message).not.toContain('127.0.0.1');
    expect(message).not.toContain('secret-target');
  });

  test('one broken exchange leaves the others alone', async () => {
    bench.mock.script(({ path }) =>
      path === '/v1/bad'
        ? { body: BODY, framing: 'chunked', fault: { kind: 'reset', after_bytes: 100 } }
        : { body: BODY, framing: 'chunked', split: 20 },
    );
    const good = Array.from({ length: 20 }, () => send(bench.client));
    const bad = Array.from({ length: 20 }, () => send(bench.client, { target: '/bad' }));
    await Promise.all([...good, ...bad].map((exchange) => exchange.over));
    expect(new Set(good.map((exchange) => `${exchange.ended} ${exchange.body.toString() === BODY}`))).toEqual(
      new Set(['end true']),
    );
    expect(new Set(bad.map((exchange) => exchange.ended))).toEqual(new Set(['reset']));
  });
}
