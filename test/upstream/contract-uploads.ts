/** A streamed request body: whole or visibly broken upstream, read no faster than it is taken, and never sent twice. */
import { describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { randomBytes } from '../support/random.ts';
import { sha256 } from '../support/streams.ts';
import type { Bench } from './contract-bench.ts';
import { type Observed, send } from './observed.ts';
import { type RawConnection, type RawUpstream, rawUpstream } from './raw-upstream.ts';
import { endless, NEVER, type Piece, type UploadSource, uploadSource } from './upload-source.ts';

const MB = 1_048_576;
const EMPTY = new Uint8Array(0);
/** More than the kernel holds for both ends of a connection. */
const LARGE_BYTES = 32 * MB;
const QUIET_MS = 200;
const OK = 'HTTP/1.1 200 OK\r\n';
const LAST_CHUNK = '\r\n0\r\n\r\n';

const split = (bytes: Uint8Array, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

const PATTERNS: readonly (readonly [string, readonly Uint8Array[]])[] = [
  ['nothing', []],
  ['nothing but empty pieces', [EMPTY, EMPTY]],
  ['one byte', [randomBytes(1)]],
  ['2,000 pieces of a byte', split(randomBytes(2_000), 1)],
  ['empty pieces before, between and behind', [EMPTY, randomBytes(3), EMPTY, EMPTY, randomBytes(70_000), EMPTY]],
  ['pieces of 15, 16 and 17 bytes', [15, 16, 17, 255, 256, 257].map((bytes) => randomBytes(bytes))],
  ['pieces of 64 kB', split(randomBytes(1_000_000), 65_536)],
  ['pieces of 1 MB', split(randomBytes(5 * MB), MB)],
  ['a piece of 10 MB', [randomBytes(10 * MB)]],
];

/** Fails as a sentence, not as a timeout. */
async function cancelled(source: UploadSource): Promise<void> {
  let done = false;
  void source.cancelled.then(() => {
    done = true;
  });
  await eventually(
    () => done,
    () => 'the source was not cancelled',
  );
}

export function uploadsContract(bench: Bench): void {
  const raw = (onRead: (connection: RawConnection) => void, onOpen?: (connection: RawConnection) => void) => {
    const upstream = rawUpstream(onRead, onOpen ? { onOpen } : {});
    bench.running.push(upstream);
    return upstream;
  };
  const uploadTo = (upstream: RawUpstream, source: UploadSource, bodyBytes?: number) =>
    send(bench.create(upstream.url), { body: source.stream, bodyBytes });

  for (const announced of [false, true]) {
    describe(announced ? 'with its length' : 'chunked', () => {
      test.each(PATTERNS)('%s: arrives whole', async (_, pieces) => {
        const whole = Buffer.concat(pieces);
        const source = uploadSource(pieces);
        const bodyBytes = announced ? whole.length : undefined;
        expect((await send(bench.client, { body: source.stream, bodyBytes }).over).ended).toBe('end');
        const request = bench.mock.requests[0]!;
        expect([request.get('content-length'), request.get('transfer-encoding')]).toEqual(
          announced ? [String(whole.length), undefined] : [undefined, 'chunked'],
        );
        expect([request.body.length, sha256(request.body)]).toEqual([whole.length, sha256(whole)]);
      });

      test('a source that fails midway: fail, and upstream sees a request that broke off', async () => {
        const failure = new Error('the client left');
        const seen = Promise.withResolvers<void>();
        const upstream = raw((connection) => connection.received > 200 && seen.resolve());
        const source = uploadSource(['x'.repeat(1_000), seen.promise.then(() => failure)]);
        const exchange = await uploadTo(upstream, source, announced ? 2_000 : undefined).over;
        expect([exchange.status, exchange.ended, (exchange.outcome as Error).cause]).toEqual([0, 'aborted', failure]);
        await upstream.connections[0]!.closed;
        const text = upstream.connections[0]!.takeText();
        expect([text.includes('xxx'), text.endsWith(LAST_CHUNK), upstream.connections.length]).toEqual([
          true,
          false,
          1,
        ]);
      });

      test('a source that fails behind its last byte is no whole request either', async () => {
        const source = uploadSource(['hel', 'lo', new Error('cut off')]);
        const exchange = await send(bench.client, { body: source.stream, bodyBytes: announced ? 5 : undefined }).over;
        await eventually(() => bench.mock.openConnections === 0);
        expect([exchange.ended, bench.mock.requests.length]).toEqual(['aborted', 0]);
      });

      for (const how of ['abort()', 'the signal'] as const) {
        test(`${how} midway: one fail, the source is cancelled, the connection broken`, async () => {
          const opened = Promise.withResolvers<void>();
          const upstream = raw(() => opened.resolve());
          const source = uploadSource(['some', NEVER]);
          const controller = new AbortController();
          const request = { body: source.stream, bodyBytes: announced ? 10 : undefined };
          const exchange = send(bench.create(upstream.url), request, { signal: controller.signal });
          await opened.promise;
          if (how === 'abort()') exchange.abort();
          else controller.abort();
          await exchange.over;
          await cancelled(source);
          await upstream.connections[0]!.closed;
          expect([exchange.ended, upstream.connections[0]!.takeText().endsWith(LAST_CHUNK)]).toEqual([
            'aborted',
            false,
          ]);
        });
      }

      test('upstream that does not read is not sent more, and gets everything when it does', async () => {
        const piece = randomBytes(65_536);
        const pieces = Array<Uint8Array>(LARGE_BYTES / piece.length).fill(piece);
        const source = uploadSource(pieces);
        let whole = false;
        const upstream = raw(
          (connection) => {
            if (whole || connection.received < LARGE_BYTES) return;
            whole = true;
            connection.write(`${OK}content-length: 2\r\n\r\nok`);
          },
          (connection) => connection.pause(),
        );
        const exchange = uploadTo(upstream, source, announced ? LARGE_BYTES : undefined);
        let bytes = 0;
        let sinceMs = performance.now();
        await eventually(() => {
          if (source.pulledBytes !== bytes) sinceMs = performance.now();
          bytes = source.pulledBytes;
          return bytes > 0 && performance.now() - sinceMs > QUIET_MS;
        });
        expect(bytes).toBeLessThan(LARGE_BYTES / 2);
        upstream.connections[0]!.resume();
        await exchange.over;
        expect([exchange.ended, source.pulledBytes]).toEqual(['end', LARGE_BYTES]);
      });

      test('an answer before the whole body is handed on at once, and ends the upload and its connection', async () => {
        const upstream = raw((connection) => {
          if (connection.answered) return;
          connection.answered = true;
          connection.write('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno');
        });
        const source = uploadSource(['some', NEVER]);
        const exchange = await uploadTo(upstream, source, announced ? 10 : undefined).over;
        expect([exchange.status, exchange.body.toString(), exchange.ended]).toEqual([413, 'no', 'end']);
        await cancelled(source);
        await upstream.connections[0]!.closed;
        expect(upstream.connections[0]!.takeText()).not.toEndWith(LAST_CHUNK);
      });
    });
  }

  test.each([
    ['more, in a piece of its own', 5, ['hello', '!']],
    ['more, in the last piece', 5, ['hel', 'lo!']],
    ['more behind empty pieces', 5, ['hello', '', '', '!']],
    ['fewer', 5, ['hel', 'l']],
    ['none', 5, []],
  ])('%s than announced: fail, and upstream sees no whole request', async (_, bodyBytes, pieces) => {
    const source = uploadSource(pieces);
    const exchange = await send(bench.client, { body: source.stream, bodyBytes }).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'aborted']);
    await eventually(() => bench.mock.openConnections === 0);
    expect(bench.mock.requests.length).toBe(0);
  });

  test('more than announced: the rest is not read', async () => {
    const source = uploadSource(endless('four'));
    const exchange = await send(bench.client, { body: source.stream, bodyBytes: 8 }).over;
    expect(exchange.ended).toBe('aborted');
    await cancelled(source);
    expect(source.pulledBytes).toBe(12);
  });

  test('something in an empty body: fail', async () => {
    const source = uploadSource(['x']);
    expect((await send(bench.client, { body: source.stream, bodyBytes: 0 }).over).ended).toBe('aborted');
  });

  test('a piece that is not bytes: fail', async () => {
    const stream = new ReadableStream<Uint8Array>({ start: (out) => out.enqueue('text' as unknown as Uint8Array) });
    expect((await send(bench.client, { body: stream }).over).ended).toBe('aborted');
    expect(bench.mock.requests.length).toBe(0);
  });

  test.each([
    ['a Response', () => new Response(randomBytes(100_000)).body!],
    ['a Blob', () => new Blob([randomBytes(100_000)]).stream()],
    ['a TransformStream', () => new Response(randomBytes(100_000)).body!.pipeThrough(new TransformStream())],
    [
      'a byte source',
      () => {
        const left = split(randomBytes(100_000), 9_999);
        return new ReadableStream({
          type: 'bytes',
          pull(out) {
            const piece = left.shift();
            if (piece) out.enqueue(new Uint8Array(piece));
            else out.close();
          },
        });
      },
    ],
  ] as [string, () => ReadableStream<Uint8Array>][])('the stream of %s arrives whole', async (_, stream) => {
    expect((await send(bench.client, { body: stream() }).over).ended).toBe('end');
    expect(sha256(bench.mock.requests[0]!.body)).toBe(sha256(randomBytes(100_000)));
  });

  test('the body of a request that is being received goes on upstream as it comes, and breaks off with it', async () => {
    const outcomes: Observed[] = [];
    const second = Promise.withResolvers<Error>();
    const front = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => {
        const exchange = send(bench.client, { body: request.body });
        // The source of the second fails once it is under way here.
        if (outcomes.push(exchange) === 2) second.resolve(new Error('gone'));
        await exchange.over;
        return new Response(exchange.ended);
      },
    });
    bench.running.push({ stop: () => front.stop(true) });
    const body = randomBytes(3 * MB);
    expect(
      await (await fetch(front.url, { method: 'POST', body: uploadSource(split(body, 50_000)).stream })).text(),
    ).toBe('end');
    expect(sha256(bench.mock.requests[0]!.body)).toBe(sha256(body));
    const broken = uploadSource(['half', second.promise]);
    await expect(fetch(front.url, { method: 'POST', body: broken.stream })).rejects.toThrow('gone');
    await eventually(() => outcomes[1]?.outcome);
    expect([outcomes[1]!.ended, bench.mock.requests.length]).toEqual(['aborted', 1]);
  });

  test('answer and upload can be under way at the same time', async () => {
    const got = Promise.withResolvers<Piece>();
    let text = '';
    const upstream = raw((connection) => {
      text += connection.takeText();
      if (!connection.answered) connection.write(`${OK}content-length: 9\r\n\r\nfirst`);
      else if (text.endsWith(LAST_CHUNK)) connection.write('last');
      connection.answered = true;
    });
    const exchange = uploadTo(upstream, uploadSource(['one', got.promise, 'three']));
    await exchange.gotData;
    got.resolve('two');
    await exchange.over;
    expect([exchange.body.toString(), exchange.ended]).toEqual(['firstlast', 'end']);
  });

  test('a paused answer does not hold up the upload', async () => {
    const body = randomBytes(8 * MB);
    const exchange = send(bench.client, { body: uploadSource(split(body, 100_000)).stream });
    exchange.pause();
    const request = await bench.mock.waitForRequest();
    expect(sha256(request.body)).toBe(sha256(body));
    exchange.resume();
    expect((await exchange.over).ended).toBe('end');
  });

  test.each([
    ['a reset', (connection: RawConnection) => connection.reset()],
    ['an end', (connection: RawConnection) => connection.finish()],
  ])('%s before any answer: fail, no second attempt, the source is cancelled', async (_, end) => {
    const upstream = raw(end);
    const source = uploadSource(endless('x'.repeat(1_000)));
    const exchange = await uploadTo(upstream, source).over;
    expect([exchange.status, exchange.ended, upstream.connections.length]).toEqual([0, 'reset', 1]);
    await cancelled(source);
  });

  test('a pooled connection, which may be stale, is not taken for an upload', async () => {
    bench.mock.script({ body: 'answer', fault: { kind: 'reset_next' } });
    await send(bench.client).over;
    const exchange = await send(bench.client, { body: uploadSource(['some']).stream }).over;
    expect([exchange.ended, bench.mock.requests.map(({ connectionId }) => connectionId)]).toEqual(['end', [1, 2]]);
    expect(bench.mock.requests[1]!.text).toBe('some');
  });

  test('nobody listens: unreachable, and the source is cancelled', async () => {
    bench.mock.refuseConnections();
    const source = uploadSource(['some', NEVER]);
    const exchange = await send(bench.client, { body: source.stream }).over;
    expect([exchange.status, exchange.ended]).toEqual([0, 'unreachable']);
    await cancelled(source);
  });

  test('a signal that was aborted before: the source is cancelled, and nothing is sent', async () => {
    const source = uploadSource(['some']);
    const exchange = await send(bench.client, { body: source.stream }, { signal: AbortSignal.abort() }).over;
    await cancelled(source);
    expect([exchange.ended, source.pulledBytes, bench.mock.openConnections]).toEqual(['aborted', 0, 0]);
  });

  test.each([
    ['a negative length', { bodyBytes: -1 }],
    ['a length that is no whole number', { bodyBytes: 1.5 }],
    ['a length that is no number', { bodyBytes: Number.NaN }],
    ['a header that cannot be sent', { headers: [['x-id', 'a\r\nb: c']] as const }],
  ])('%s: fail, the source is cancelled, and nothing is sent', async (_, bad) => {
    const source = uploadSource(['some']);
    const exchange = await send(bench.client, { body: source.stream, ...bad }).over;
    await cancelled(source);
    expect([exchange.ended, source.pulledBytes, bench.mock.openConnections]).toEqual(['protocol', 0, 0]);
  });

  test('a stream that somebody else reads: fail, and nothing is sent', async () => {
    const { stream } = uploadSource(['some']);
    stream.getReader();
    expect((await send(bench.client, { body: stream }).over).ended).toBe('protocol');
    expect(bench.mock.openConnections).toBe(0);
  });

  test('a source that fails in being cancelled hurts nobody', async () => {
    const told = Promise.withResolvers<void>();
    const stream = new ReadableStream<Uint8Array>({
      pull: () => NEVER,
      cancel() {
        told.resolve();
        throw new Error('cannot be cancelled');
      },
    });
    const exchange = send(bench.client, { body: stream });
    await eventually(() => bench.mock.openConnections > 0);
    exchange.abort();
    await told.promise;
    expect((await send(bench.client).over).ended).toBe('end');
  });

  test('an upload that broke off leaves the others alone', async () => {
    const bodies = Array.from({ length: 10 }, (_, i) => randomBytes(100_000, i + 1));
    const good = bodies.map((body) => send(bench.client, { body: uploadSource(split(body, 7_000)).stream }));
    const bad = bodies.map((body) =>
      send(bench.client, { body: uploadSource([...split(body, 7_000), new Error('cut off')]).stream }),
    );
    await Promise.all([...good, ...bad].map((exchange) => exchange.over));
    expect(new Set(good.map(({ ended }) => ended))).toEqual(new Set(['end']));
    expect(new Set(bad.map(({ ended }) => ended))).toEqual(new Set(['aborted']));
    expect(bench.mock.requests.map(({ body }) => sha256(body)).sort()).toEqual(bodies.map(sha256).sort());
  });
}
