/** Forms are streamed up byte for byte; for a key with allowed models only whole when their model is one of them. */
import { describe, expect, test } from 'bun:test';
import { jsonOf, pair, textOf } from '../support/pair.ts';
import { connectTo } from '../support/raw-client.ts';
import { expectOpenAiCode } from '../support/refusals.ts';
import { beginUpload, headText, uploadEndlessly } from '../support/uploads.ts';

const MB = 1024 * 1024;
const FORM = 'multipart/form-data; boundary=bb';
const TRANSCRIPTIONS = '/v1/audio/transcriptions';
const EDITS = '/v1/images/edits';
const FILES = '/v1/files';
const file = (bytes: number, field = 'file') =>
  `--bb\r\ncontent-disposition: form-data; name="${field}"; filename="a"\r\n\r\n${'\0\xff'.repeat(bytes / 2)}\r\n`;
const field = (name: string, value: string) =>
  `--bb\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const END = '--bb--\r\n';
const latin1 = (text: string) => Buffer.from(text, 'latin1');

describe('a form', () => {
  const p = pair({ env: { MAX_UPLOAD_BYTES: String(4 * MB) } });

  for (const [path, body] of [
    [TRANSCRIPTIONS, field('model', 'm') + file(3 * MB) + END],
    [TRANSCRIPTIONS, file(100) + field('model', 'm') + END],
    [EDITS, file(2 * MB, 'image') + field('prompt', 'x') + END],
    [FILES, field('purpose', 'assistants') + file(1000) + END],
    ['/v1/files/file-1/parts', 'no form at all'],
  ] as const) {
    for (const framing of ['content-length', 'chunked'] as const) {
      test(`goes up byte for byte: ${path}, ${body.length} bytes, ${framing}`, async () => {
        p.mock.script({ json: { ok: true } });
        const bytes = latin1(body);
        const isChunked = framing === 'chunked';
        const sent = isChunked
          ? Buffer.concat([latin1(`${bytes.length.toString(16)}\r\n`), bytes, latin1('\r\n0\r\n\r\n')])
          : bytes;
        const answer = await p.call({
          path,
          headers: { 'content-type': FORM, ...(isChunked ? { 'transfer-encoding': 'chunked' } : {}) },
          body: sent,
        });
        expect([answer.status, textOf(answer)]).toEqual([200, '{"ok":true}']);
        const [received] = p.mock.requests;
        expect(Buffer.compare(received!.body, bytes)).toBe(0);
        expect(received!.get('content-type')).toBe(FORM);
        expect(received!.get('content-length')).toBe(isChunked ? undefined : String(bytes.length));
      });
    }
  }

  test('is on record with its model, its stream and its usage, wherever the fields stand', async () => {
    const body = file(1000) + field('stream', 'true') + field('model', 'whisper') + END;
    const headers = { 'content-type': FORM, 'x-request-id': 'form' };
    const answer = await p.call({ path: TRANSCRIPTIONS, headers, body: latin1(body) });
    expect(answer.header('content-type')).toContain('text/event-stream');
    expect(await p.recordOf('form')).toMatchObject({
      endpoint: TRANSCRIPTIONS,
      model: 'whisper',
      streamed: true,
      finish: 'complete',
      usageSource: 'upstream',
    });
  });

  test('that is larger than MAX_UPLOAD_BYTES is refused: announced before a byte is read, chunked when it is', async () => {
    const head = {
      path: FILES,
      headers: { authorization: `Bearer ${p.gateway.key}`, 'content-type': FORM, 'content-length': String(4 * MB + 1) },
    };
    const { answer, socket } = await beginUpload(p.gateway.port, head);
    const announced = await answer;
    expectOpenAiCode(announced, 'request_too_large');
    expect(textOf(announced)).toContain('MAX_UPLOAD_BYTES');
    socket.destroy();
    const { 'content-length': _, ...headers } = head.headers;
    const chunked = { path: FILES, headers: { ...headers, 'transfer-encoding': 'chunked' } };
    const piece = Buffer.concat([latin1('10000\r\n'), Buffer.alloc(65_536), latin1('\r\n')]);
    const result = await uploadEndlessly(p.gateway.port, chunked, piece);
    expectOpenAiCode(result.answer, 'request_too_large');
    expect(p.mock.requests.length).toBe(0);
  });

  test('must not be compressed', async () => {
    const headers = { 'content-type': FORM, 'content-encoding': 'gzip' };
    expectOpenAiCode(await p.call({ path: FILES, headers, body: 'x' }), 'unsupported_content_encoding');
  });

  test('a JSON endpoint takes no form', async () => {
    const body = latin1(field('model', 'm') + END);
    for (const path of ['/v1/chat/completions', '/v1/threads/t/runs', '/v1/audio/speech']) {
      expectOpenAiCode(await p.call({ path, headers: { 'content-type': FORM }, body }), 'invalid_json');
    }
  });

  test('a client that leaves in the middle leaves nothing whole upstream, and is on record', async () => {
    const headers = {
      authorization: `Bearer ${p.gateway.key}`,
      'content-type': FORM,
      'content-length': '100000',
      'x-request-id': 'left',
    };
    const socket = await connectTo(p.gateway.port);
    socket.write(headText({ path: FILES, headers }) + file(1000));
    setTimeout(() => socket.destroy(), 100);
    expect(await p.recordOf('left')).toMatchObject({
      finish: 'client_closed',
      status: 499,
      cancelMs: expect.any(Number),
    });
    expect(p.mock.requests.length).toBe(0);
  });
});

describe('a form of a key with allowed models', () => {
  const p = pair();
  let key = '';
  const call = async (path: string, body: string, contentType = FORM) => {
    key ||= (await p.gateway.createKey('--unlimited', '--allowed-models', 'm')).key;
    const headers = { authorization: `Bearer ${key}`, 'content-type': contentType };
    return p.call({ path, headers, body: latin1(body) });
  };

  test('passes with an allowed model before or behind the file, and without one where nothing is generated', async () => {
    for (const [path, body] of [
      [TRANSCRIPTIONS, file(100) + field('model', 'm') + END],
      [TRANSCRIPTIONS, field('model', 'm') + file(2 * MB) + END],
      [EDITS, file(100, 'image') + field('model', 'm') + END],
      [FILES, file(100) + END],
    ] as const) {
      p.mock.reset();
      p.mock.script({ json: {} });
      expect((await call(path, body)).status).toBe(200);
      expect(Buffer.compare(p.mock.requests[0]!.body, latin1(body))).toBe(0);
    }
  });

  for (const [name, code, path, body] of [
    ['a wrong model behind the file', 'model_not_allowed', TRANSCRIPTIONS, file(2 * MB) + field('model', 'x') + END],
    ['a wrong model before it', 'model_not_allowed', TRANSCRIPTIONS, field('model', 'x') + file(2 * MB) + END],
    ['a wrong model of a file', 'model_not_allowed', FILES, field('model', 'x') + file(100) + END],
    ['a model with a blank', 'model_not_allowed', TRANSCRIPTIONS, field('model', 'm ') + file(100) + END],
    ['a very long model', 'model_not_allowed', TRANSCRIPTIONS, field('model', 'm'.repeat(9000)) + file(100) + END],
    ['no model', 'invalid_request', TRANSCRIPTIONS, file(100) + END],
    ['no model of an image', 'invalid_request', EDITS, file(100, 'image') + END],
    ['two models', 'invalid_request', TRANSCRIPTIONS, field('model', 'm') + field('model', 'm') + file(9) + END],
    ['a model in another case', 'invalid_request', TRANSCRIPTIONS, field('model', 'm') + field('Model', 'x') + END],
    ['a list of models', 'invalid_request', TRANSCRIPTIONS, field('model', 'm') + field('model[]', 'x') + END],
    ['an escaped name', 'invalid_request', TRANSCRIPTIONS, field('model', 'm') + field('mod%65l', 'x') + END],
    ['a model that is a file', 'invalid_request', TRANSCRIPTIONS, file(10, 'model') + END],
    ['no end', 'invalid_request', TRANSCRIPTIONS, field('model', 'm') + file(100)],
  ] as const) {
    test(`is refused, and never whole upstream: ${name}`, async () => {
      expectOpenAiCode(await call(path, body), code);
      expect(p.mock.requests.length).toBe(0);
    });
  }

  test('needs one boundary', async () => {
    for (const contentType of ['multipart/form-data', `${FORM}; boundary=cc`, 'multipart/mixed; boundary=bb']) {
      expectOpenAiCode(await call(TRANSCRIPTIONS, field('model', 'm') + END, contentType), 'invalid_request');
    }
    expect(p.mock.requests.length).toBe(0);
  });
});

describe('an upload that stalls', () => {
  const p = pair({ env: { REQUEST_BODY_TIMEOUT_MS: '300' } });
  const head = (requestId: string) => ({
    path: FILES,
    headers: {
      authorization: `Bearer ${p.gateway.key}`,
      'content-type': FORM,
      'content-length': '100000',
      'x-request-id': requestId,
    },
  });

  test('is 408 after REQUEST_BODY_TIMEOUT_MS of silence', async () => {
    const { answer, socket } = await beginUpload(p.gateway.port, head('stalled'), file(100));
    expectOpenAiCode(await answer, 'request_timeout');
    socket.destroy();
    expect(await p.recordOf('stalled')).toMatchObject({ status: 408, errorCode: 'request_timeout' });
    expect(p.mock.requests.length).toBe(0);
  });

  test('may take longer in all', async () => {
    p.mock.script({ json: {} });
    const frame = (file(0) + END).length;
    const bytes = latin1(file(2 * Math.ceil((100_000 - frame) / 2)) + END).subarray(0, 100_000);
    const { answer, socket } = await beginUpload(p.gateway.port, head('slow'));
    const started = performance.now();
    for (let at = 0; at < bytes.length; at += 10_000) {
      socket.write(bytes.subarray(at, at + 10_000));
      await Bun.sleep(80);
    }
    expect((await answer).status).toBe(200);
    expect(performance.now() - started).toBeGreaterThan(600);
    expect(jsonOf(await answer)).toEqual({});
  });
});
