import { describe, expect, test } from 'bun:test';
import { GatewayError } from '../../src/errors.ts';
import { Deadlines } from '../../src/http/deadlines.ts';
import { readBody, readFields } from '../../src/http/request-body.ts';

const fieldsOf = (json: string | Uint8Array) =>
  readFields(typeof json === 'string' ? new TextEncoder().encode(json) : json);

function refusalOf(json: string | Uint8Array): GatewayError {
  try {
    fieldsOf(json);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('readFields', () => {
  test.each([
    ['{}', { model: null, stream: false }],
    ['{"model":"gpt-4o"}', { model: 'gpt-4o', stream: false }],
    ['{"model":"gpt-4o","stream":true}', { model: 'gpt-4o', stream: true }],
    ['{"stream":false}', { model: null, stream: false }],
    ['{"stream":null}', { model: null, stream: false }],
    ['{"model":""}', { model: '', stream: false }],
    [' \r\n\t{"model":"caf\u00e9 \u{1f30d}"}\n', { model: 'caf\u00e9 \u{1f30d}', stream: false }],
    ['{"model":"a","model":"b"}', { model: 'b', stream: false }],
    ['{"mod\\u0065l":"escaped"}', { model: 'escaped', stream: false }],
    ['{"messages":[{"model":7,"stream":"x"}],"stream_options":{"include_usage":true}}', { model: null, stream: false }],
    ['{"__proto__":{"model":"x","stream":true}}', { model: null, stream: false }],
    ['{"Model":"x","STREAM":true}', { model: null, stream: false }],
  ] as const)('%s', (json, expected) => {
    expect(fieldsOf(json)).toEqual(expected);
  });

  test.each([
    ['{"model":7}', "Invalid type for 'model': expected a string, got a number"],
    ['{"model":null}', "Invalid type for 'model': expected a string, got null"],
    ['{"model":true}', "Invalid type for 'model': expected a string, got a boolean"],
    ['{"model":["gpt-4o"]}', "Invalid type for 'model': expected a string, got an array"],
    ['{"model":{"name":"x"}}', "Invalid type for 'model': expected a string, got an object"],
    ['{"stream":"true"}', "Invalid type for 'stream': expected a boolean, got a string"],
    ['{"stream":1}', "Invalid type for 'stream': expected a boolean, got a number"],
    ['{"stream":[]}', "Invalid type for 'stream': expected a boolean, got an array"],
  ])('%s is refused by name, without its value', (json, message) => {
    const error = refusalOf(json);
    expect([error.code, error.status, error.message]).toEqual(['invalid_request', 400, message]);
  });

  test.each([
    '',
    ' ',
    '{',
    '{"model":"x"',
    '{"model":"x"}}',
    "{'model':'x'}",
    '{"a":NaN}',
    '{"a":01}',
    '{"a":1,}',
    'model=x',
    '\u00a0{}',
  ])('%j is no JSON', (json) => {
    const error = refusalOf(json);
    expect([error.code, error.status, error.message]).toEqual([
      'invalid_json',
      400,
      'The request body is not valid JSON',
    ]);
  });

  test.each(['null', '[]', '[{"model":"x"}]', '"text"', '7', 'true'])('%s is no JSON object', (json) => {
    const error = refusalOf(json);
    expect([error.code, error.message]).toEqual(['invalid_json', 'The request body must be a JSON object']);
  });

  test('bytes that are no UTF-8 are no JSON', () => {
    const latin1 = Buffer.from('{"model":"caf\u00e9"}', 'latin1');
    const overlong = Buffer.from([0x22, 0xc0, 0xaf, 0x22]);
    const utf16 = Buffer.from('{"model":"x"}', 'utf16le');
    for (const bytes of [latin1, overlong, utf16]) expect(refusalOf(bytes).code).toBe('invalid_json');
  });

  test('what was refused is not in the message', () => {
    expect(refusalOf('{"model":{"secret":"prompt text"}}').message).not.toContain('prompt');
    expect(refusalOf('secret prompt text').message).not.toContain('prompt');
  });
});

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
