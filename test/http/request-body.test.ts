import { describe, expect, test } from 'bun:test';
import { Deadlines } from '../../src/http/deadlines.ts';
import { readBody } from '../../src/http/request-body.ts';

describe('readBody', () => {
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

  const read = (request: Request, requestBodyTimeoutMs = 60_000) =>
    readBody(request, { maxBodyBytes: LIMIT, requestBodyTimeoutMs }, new Deadlines(requestBodyTimeoutMs));
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
});
