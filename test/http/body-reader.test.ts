import { describe, expect, test } from 'bun:test';
import { type BodyHolder, BodyReader } from '../../src/http/body-reader.ts';
import { Deadlines } from '../../src/http/deadlines.ts';

describe('a body reader', () => {
  const LIMIT = 1_000;

  /** As Bun hands it over: with a length, or in pieces and without one. */
  function requestOf(pieces: readonly string[], contentLength: string | null): Request {
    const body = new ReadableStream({
      start(controller) {
        for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
        controller.close();
      },
    });
    const headers: Record<string, string> = contentLength === null ? {} : { 'content-length': contentLength };
    return new Request('http://gateway.test/', { method: 'POST', headers, body });
  }

  const readerOf = (timeoutMs = 60_000, bytesTotalMax = 10 * LIMIT) =>
    new BodyReader({
      bytesMax: LIMIT,
      bytesMaxOption: 'MAX',
      bytesTotalMax,
      timeoutMs,
      deadlines: new Deadlines(timeoutMs),
    });
  /** A call that throws rejects. */
  const read = async (request: Request, timeoutMs = 60_000) => readerOf(timeoutMs).read(request, { heldBodyBytes: 0 });
  const textOf = async (request: Request) => Buffer.from(await read(request)).toString();

  test('gives the bytes as they came, with a length or without', async () => {
    expect(await textOf(requestOf(['{"a":', '1.0 }'], '10'))).toBe('{"a":1.0 }');
    expect(await textOf(requestOf(['{"a":', '1.0 }'], null))).toBe('{"a":1.0 }');
    expect(await textOf(new Request('http://gateway.test/', { method: 'POST' }))).toBe('');
  });

  test('takes what has exactly the limit and refuses one byte more', async () => {
    for (const length of [String(LIMIT), null]) {
      expect((await read(requestOf(['x'.repeat(LIMIT - 1), 'y'], length))).length).toBe(LIMIT);
    }
    for (const length of [String(LIMIT + 1), null]) {
      const refused = read(requestOf(['x'.repeat(LIMIT), 'y'], length));
      await expect(refused).rejects.toMatchObject({ code: 'request_too_large', status: 413 });
    }
  });

  test('refuses by the announced length before it reads anything', async () => {
    let pulled = 0;
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 });
    const request = new Request('http://gateway.test/', {
      method: 'POST',
      headers: { 'content-length': '1001' },
      body,
    });
    await expect(read(request)).rejects.toMatchObject({ code: 'request_too_large' });
    expect(pulled).toBe(0);
  });

  test('asks for no more of a body without a length as soon as it is too long', async () => {
    let pieces = 0;
    const body = new ReadableStream({
      pull(controller) {
        pieces++;
        controller.enqueue(new Uint8Array(400));
      },
    });
    const request = new Request('http://gateway.test/', { method: 'POST', body });
    await expect(read(request)).rejects.toMatchObject({ code: 'request_too_large' });
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    // Three make 1,200 bytes; the stream itself may have asked for one ahead, and one more in Request.
    expect(pieces).toBeLessThanOrEqual(5);
  });

  test('gives up on a body that does not arrive in time', async () => {
    const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
    const request = new Request('http://gateway.test/', { method: 'POST', body });
    await expect(read(request, 20)).rejects.toMatchObject({ code: 'request_timeout', status: 408 });
  });

  test('a client that leaves in the middle is one refused request, not a failure of ours', async () => {
    const body = new ReadableStream({ start: (controller) => controller.error(new Error('ECONNRESET')) });
    const request = new Request('http://gateway.test/', { method: 'POST', body });
    await expect(read(request)).rejects.toMatchObject({ code: 'invalid_request', status: 400 });
  });

  test('names the option to whoever sends too much', async () => {
    await expect(read(requestOf(['x'.repeat(LIMIT + 1)], null))).rejects.toMatchObject({
      message: 'The request body is larger than 1000 bytes (MAX)',
    });
  });

  test.each(['announced', 'as it comes'])('holds no more in total than it may, counted %s', async (how) => {
    const bodies = readerOf(60_000, 2 * LIMIT);
    const holders: BodyHolder[] = [0, 1, 2].map(() => ({ heldBodyBytes: 0 }));
    const send = async (holder: BodyHolder, bytes: number) =>
      bodies.read(requestOf(['x'.repeat(bytes - 1), 'y'], how === 'announced' ? String(bytes) : null), holder);
    await send(holders[0]!, LIMIT);
    await send(holders[1]!, LIMIT - 1);
    expect(bodies.heldBytes).toBe(2 * LIMIT - 1);
    await expect(send(holders[2]!, 2)).rejects.toMatchObject({ code: 'overloaded', status: 503, retryAfterS: 1 });
    bodies.release(holders[2]!);
    // One byte fits to the last.
    await send(holders[2]!, 1);
    bodies.release(holders[0]!);
    bodies.release(holders[0]!);
    bodies.release(holders[2]!);
    expect(bodies.heldBytes).toBe(LIMIT - 1);
    await send(holders[0]!, LIMIT);
    for (const holder of holders) bodies.release(holder);
    expect(bodies.heldBytes).toBe(0);
  });

  test('counts what is announced before a byte of it has come', async () => {
    const bodies = readerOf(60_000, LIMIT);
    const holder = { heldBodyBytes: 0 };
    const never = new ReadableStream<Uint8Array>();
    const headers = { 'content-length': String(LIMIT) };
    void bodies.read(new Request('http://gateway.test/', { method: 'POST', headers, body: never }), holder);
    expect(bodies.heldBytes).toBe(LIMIT);
    await expect((async () => bodies.read(requestOf(['x'], '1'), { heldBodyBytes: 0 }))()).rejects.toMatchObject({
      code: 'overloaded',
    });
  });

  test('gives the memory of a long body back at once when it is freed, and leaves short ones to the collector', async () => {
    const reader = new BodyReader({
      bytesMax: 1_000_000,
      bytesTotalMax: 1_000_000,
      timeoutMs: 60_000,
      deadlines: new Deadlines(60_000),
    });
    for (const [bytes, left] of [
      [200_000, 0],
      [1_000, 1_000],
    ] as const) {
      for (const length of [String(bytes), null]) {
        const holder: BodyHolder = { heldBodyBytes: 0 };
        const body = await reader.read(requestOf(['x'.repeat(bytes)], length), holder);
        expect(body.length).toBe(bytes);
        reader.free(holder);
        expect(body.length).toBe(left);
        reader.free(holder);
        reader.release(holder);
      }
    }
  });

  test('frees a body that another takes the place of, and later that one', async () => {
    const reader = new BodyReader({
      bytesMax: 1_000_000,
      bytesTotalMax: 1_000_000,
      timeoutMs: 60_000,
      deadlines: new Deadlines(60_000),
    });
    const holder: BodyHolder = { heldBodyBytes: 0 };
    const body = await reader.read(requestOf(['x'.repeat(100_000)], '100000'), holder);
    const other = Buffer.concat([body, Buffer.from('y')]);
    reader.replace(other, holder);
    expect([body.length, other.length]).toEqual([0, 100_001]);
    reader.free(holder);
    expect(other.length).toBe(0);
  });
});
