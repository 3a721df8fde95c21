/** The receiver's side: pause, resume, abort and the signal, at every moment of an exchange; and a receiver that fails. */
import { expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { stoppedAt } from '../support/stopped-upstream.ts';
import { sha256 } from '../support/streams.ts';
import type { Bench } from './contract-bench.ts';
import { type Hooks, send } from './observed.ts';

const MB = 1_048_576;
/** More than the kernel holds for both ends of a connection. */
const LARGE_BODY = Buffer.from(Uint32Array.from({ length: 8 * MB }, (_, i) => i).buffer);
const LARGE_BASE64 = LARGE_BODY.toString('base64');
const LARGE_SHA256 = sha256(LARGE_BODY);
const SMALL_BODY = 'y'.repeat(1_000);

/** Some turns of the event loop and a round trip of another exchange: what was under way has arrived. */
async function settle(bench: Bench): Promise<void> {
  for (let i = 0; i < 3; i++) await send(bench.client, { method: 'GET', target: '/models' }).over;
}

export function controlContract(bench: Bench): void {
  const scripted = (scenario: object) => bench.mock.script(({ path }) => (path === '/v1/models' ? {} : scenario));

  test('a paused exchange stops its upstream, and goes on without a loss when it is resumed', async () => {
    scripted({ body_base64: LARGE_BASE64, framing: 'chunked' });
    const exchange = send(bench.client, {}, { data: (_, e) => e.bytes > MB && e.pause() });
    const request = await bench.mock.waitForRequest();
    await stoppedAt(request);
    await settle(bench);
    const sent = request.bytesSent;
    const received = exchange.bytes;
    expect(sent).toBeLessThan(LARGE_BODY.length / 2);
    await settle(bench);
    expect([request.bytesSent, exchange.bytes, request.end]).toEqual([sent, received, undefined]);
    exchange.hooks = {};
    exchange.resume();
    await exchange.over;
    expect([exchange.ended, exchange.bytes, sha256(exchange.body)]).toEqual(['end', LARGE_BODY.length, LARGE_SHA256]);
  });

  test('pausing at every data and resuming a turn later loses nothing', async () => {
    scripted({ body_base64: LARGE_BASE64, framing: 'chunked' });
    const exchange = send(
      bench.client,
      {},
      {
        data: (_, e) => {
          e.pause();
          setImmediate(() => e.resume());
        },
      },
    );
    await exchange.over;
    expect([exchange.ended, sha256(exchange.body)]).toEqual(['end', LARGE_SHA256]);
  });

  test('after a pause one more data at most, also when the kernel is full of what upstream has sent', async () => {
    scripted({ body_base64: LARGE_BASE64, framing: 'chunked' });
    const exchange = send(bench.client, {}, { head: (e) => e.pause() });
    await stoppedAt(await bench.mock.waitForRequest());
    // `takeViolations` counts them.
    exchange.hooks = {
      data: (_, e) => {
        e.pause();
        setImmediate(() => e.resume());
      },
    };
    exchange.resume();
    await exchange.over;
    expect([exchange.ended, sha256(exchange.body)]).toEqual(['end', LARGE_SHA256]);
  });

  test('pause and resume in the same turn, twice each, change nothing', async () => {
    scripted({ body: SMALL_BODY, framing: 'chunked', split: 10 });
    const exchange = send(
      bench.client,
      {},
      {
        head: (e) => e.resume(),
        data: (_, e) => {
          e.pause();
          e.pause();
          e.resume();
          e.resume();
        },
      },
    );
    await exchange.over;
    expect([exchange.ended, exchange.body.toString()]).toEqual(['end', SMALL_BODY]);
  });

  test('paused before the head: upstream stops, and everything comes after resume', async () => {
    scripted({ body_base64: LARGE_BASE64, framing: 'length' });
    const exchange = send(bench.client);
    exchange.pause();
    const request = await bench.mock.waitForRequest();
    await eventually(() => request.paused);
    await settle(bench);
    expect([exchange.parts.length <= 1, request.bytesSent < LARGE_BODY.length / 2]).toEqual([true, true]);
    exchange.resume();
    await exchange.over;
    expect([exchange.ended, sha256(exchange.body)]).toEqual(['end', LARGE_SHA256]);
  });

  test('a paused exchange can be aborted, and upstream is told', async () => {
    scripted({ body_base64: LARGE_BASE64, framing: 'chunked' });
    const exchange = send(bench.client, {}, { data: (_, e) => e.pause() });
    const request = await bench.mock.waitForRequest();
    await eventually(() => request.paused);
    exchange.abort();
    await exchange.over;
    expect([exchange.ended, await request.closed]).toEqual(['aborted', 'client_closed']);
  });

  test('an upstream that breaks a paused exchange is seen at the latest after resume', async () => {
    scripted({ body: SMALL_BODY, framing: 'chunked', split: 100, fault: { kind: 'reset', after_bytes: 500 } });
    const exchange = send(bench.client, {}, { data: (_, e) => e.pause() });
    const request = await bench.mock.waitForRequest();
    await request.closed;
    await settle(bench);
    exchange.hooks = {};
    exchange.resume();
    await exchange.over;
    expect([exchange.ended, SMALL_BODY.startsWith(exchange.body.toString())]).toEqual(['reset', true]);
  });

  for (const how of ['abort()', 'the signal'] as const) {
    const abortable = () => {
      const controller = new AbortController();
      const options = how === 'abort()' ? {} : { signal: controller.signal };
      return { options, abort: (e: { abort(): void }) => (how === 'abort()' ? e.abort() : controller.abort()) };
    };

    test(`${how} before the head: one fail, and upstream is cancelled`, async () => {
      scripted({ fault: { kind: 'hang' } });
      const { options, abort } = abortable();
      const exchange = send(bench.client, {}, options);
      const request = await bench.mock.waitForRequest();
      abort(exchange);
      await exchange.over;
      expect([exchange.status, exchange.ended, await request.closed]).toEqual([0, 'aborted', 'client_closed']);
    });

    test(`${how} right after send: one fail`, async () => {
      const { options, abort } = abortable();
      const exchange = send(bench.client, {}, options);
      abort(exchange);
      await exchange.over;
      await settle(bench);
      expect([exchange.status, exchange.ended]).toEqual([0, 'aborted']);
    });

    test(`${how} in the middle of a body: one fail, and upstream is cancelled`, async () => {
      scripted({ body: SMALL_BODY, framing: 'chunked', fault: { kind: 'silence', after_bytes: 500 } });
      const { options, abort } = abortable();
      const exchange = send(bench.client, {}, options);
      await exchange.gotData;
      abort(exchange);
      await exchange.over;
      const request = bench.mock.requests[0]!;
      expect([exchange.bytes, exchange.ended, await request.closed]).toEqual([500, 'aborted', 'client_closed']);
    });

    test(`${how} from within head and from within data: nothing more but one fail`, async () => {
      scripted({ body: SMALL_BODY, framing: 'chunked', split: 10 });
      for (const moment of ['head', 'data'] as const) {
        const { options, abort } = abortable();
        const hooks: Hooks = moment === 'head' ? { head: abort } : { data: (_, e) => abort(e) };
        const exchange = await send(bench.client, {}, { ...options, ...hooks }).over;
        await settle(bench);
        expect([exchange.parts.length, exchange.ended]).toEqual([moment === 'head' ? 0 : 1, 'aborted']);
      }
    });

    test(`${how} after the end, or within it, does nothing`, async () => {
      scripted({ body: SMALL_BODY });
      const { options, abort } = abortable();
      const exchange = await send(bench.client, {}, { ...options, end: abort }).over;
      abort(exchange);
      exchange.pause();
      exchange.resume();
      await settle(bench);
      expect([exchange.ended, exchange.body.toString()]).toEqual(['end', SMALL_BODY]);
    });

    test(`${how} after a failure, or within it, does nothing`, async () => {
      bench.mock.refuseConnections();
      const { options, abort } = abortable();
      const exchange = await send(bench.client, {}, { ...options, fail: (_, e) => abort(e) }).over;
      abort(exchange);
      bench.mock.acceptConnections();
      await settle(bench);
      expect(exchange.ended).toBe('unreachable');
    });
  }

  test('a signal that was aborted before: one fail, and nothing is sent', async () => {
    const exchange = await send(bench.client, {}, { signal: AbortSignal.abort() }).over;
    await settle(bench);
    expect(exchange.ended).toBe('aborted');
    expect(bench.mock.requests.map((request) => request.path)).toEqual(['/v1/models', '/v1/models', '/v1/models']);
  });

  test('an aborted exchange leaves the others, and the next, alone', async () => {
    scripted({ body: SMALL_BODY, framing: 'chunked', split: 10 });
    const exchanges = Array.from({ length: 30 }, (_, i) =>
      send(bench.client, {}, i % 3 === 0 ? { data: (_, e) => e.abort() } : {}),
    );
    await Promise.all(exchanges.map((exchange) => exchange.over));
    for (const [i, exchange] of exchanges.entries()) {
      expect([i, exchange.ended]).toEqual([i, i % 3 === 0 ? 'aborted' : 'end']);
      if (i % 3 > 0) expect(exchange.body.toString()).toBe(SMALL_BODY);
    }
  });

  test.each(['head', 'data', 'end', 'fail'] as const)(
    'a sink that throws in %s ends its own exchange only',
    async (moment) => {
      const breaking =
        moment === 'fail' ? { kind: 'reset' as const, after_bytes: 500 } : { kind: 'close_idle' as const };
      bench.mock.script(({ path }) =>
        path === '/v1/bad'
          ? { body: SMALL_BODY, framing: 'chunked', split: 50, fault: breaking }
          : { body: SMALL_BODY, framing: 'chunked', split: 10 },
      );
      const others = Array.from({ length: 5 }, () => send(bench.client));
      const bad = send(
        bench.client,
        { target: '/bad' },
        {
          [moment]: () => {
            throw new Error(`the receiver failed in ${moment}`);
          },
        },
      );
      await Promise.all([...others, bad].map((exchange) => exchange.over));
      await (await bench.mock.waitForRequest(({ path }) => path === '/v1/bad')).closed;
      expect(others.map((exchange) => [exchange.ended, exchange.body.toString() === SMALL_BODY])).toEqual(
        others.map(() => ['end', true]),
      );
      if (moment === 'head' || moment === 'data') expect(bad.ended).not.toBe('end');
    },
  );

  test('a sink that throws when it is told that nobody listens ends its own exchange only', async () => {
    bench.mock.refuseConnections();
    const throwing = () => {
      throw new Error('the receiver failed');
    };
    expect((await send(bench.client, {}, { fail: throwing }).over).ended).toBe('unreachable');
    bench.mock.acceptConnections();
    expect((await send(bench.client, {}, { fail: throwing, signal: AbortSignal.abort() }).over).ended).toBe('aborted');
    await settle(bench);
  });

  test('a sink that throws while it is told of an abort does not keep upstream going', async () => {
    scripted({ body: SMALL_BODY, framing: 'chunked', fault: { kind: 'silence', after_bytes: 500 } });
    const exchange = send(
      bench.client,
      {},
      {
        fail: () => {
          throw new Error('the receiver failed');
        },
      },
    );
    await exchange.gotData;
    exchange.abort();
    expect([exchange.ended, await bench.mock.requests[0]!.closed]).toEqual(['aborted', 'client_closed']);
  });
}
