/**
 * What Bun.serve decides about a request before the gateway is asked (BUN 1.4.5), as ARCHITECTURE.md lists it. None of it is
 * as it should be. A test that fails here is good news: take the line out of the list, and use what Bun can do now.
 */
import { describe, expect, test } from 'bun:test';
import { pair, STREAM } from '../support/pair.ts';
import { connectTo } from '../support/raw-client.ts';

const p = pair();
const BODY = JSON.stringify({ ...STREAM, stream: true });

/** A request for a stream, with whatever is wrong with it. */
function head(extra = '', version = '1.1', method = 'POST'): string {
  return `${method} /v1/chat/completions HTTP/${version}\r\nhost: x\r\nauthorization: Bearer ${p.gateway.key}\r\n${extra}\r\n`;
}
const lengthOf = (body: string) => `content-length: ${body.length}\r\n`;
const whole = () => head(lengthOf(BODY)) + BODY;

interface Seen {
  /** All that came, until the connection ended or the last event was there. */
  readonly text: string;
  readonly ended: boolean;
}

/** Sends the first part, and each further one when an event of the answer has come. */
async function send(...parts: readonly string[]): Promise<Seen> {
  const socket = await connectTo(p.gateway.port);
  const rest = parts.slice(1);
  return new Promise((resolve) => {
    let text = '';
    const done = (ended: boolean) => {
      socket.destroy();
      resolve({ text, ended });
    };
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      const next = text.includes('data: ') ? rest.shift() : undefined;
      if (next !== undefined) socket.write(next);
      if (text.includes('data: [DONE]')) done(false);
    });
    socket.on('error', () => {});
    socket.once('close', () => done(true));
    socket.write(parts[0]!, 'latin1');
  });
}

const EMPTY_400 = { text: 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n', ended: true };
const EMPTY_431 = { text: 'HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n\r\n', ended: true };
const EMPTY_505 = { text: 'HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n\r\n', ended: true };

/** The answer had begun, and does not come to its end. */
function expectCut({ text, ended }: Seen): void {
  expect(ended).toBe(true);
  expect(text).not.toContain('[DONE]');
}

describe('Bun answers in its own words, without a body', () => {
  test.each([
    ['an empty line before the request', () => `\r\n${whole()}`],
    ['no Host', () => 'GET /health HTTP/1.1\r\n\r\n'],
    ['a content-length that is no number', () => head('content-length: +13\r\n')],
    ['two lengths', () => head('content-length: 3\r\ncontent-length: 4\r\n')],
    ['a length and chunks', () => head('content-length: 3\r\ntransfer-encoding: chunked\r\n')],
    ['a transfer coding that is not chunked', () => head('transfer-encoding: gzip, chunked\r\n')],
    ['a folded field', () => head('x-a: 1\r\n y\r\n')],
    ['a control character in a field', () => head('x-a: 1\u0001\r\n')],
    ['a blank before a colon', () => head('x-a : 1\r\n')],
    ['OPTIONS *', () => 'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n'],
  ])('400: %s', async (_, request) => {
    expect(await send(request())).toEqual(EMPTY_400);
  });

  test.each([
    ['a head over 64 kB', () => head(`x-a: ${'a'.repeat(70_000)}\r\n`)],
    ['over 200 fields', () => head(Array.from({ length: 201 }, (_, n) => `x-${n}: 1\r\n`).join(''))],
  ])('431: %s', async (_, request) => {
    expect(await send(request())).toEqual(EMPTY_431);
  });

  test.each([
    ['another version of HTTP', () => head('', '2.0')],
    ['a blank in the path', () => 'GET /a b HTTP/1.1\r\nhost: x\r\n\r\n'],
    ['lines that end with LF alone', () => 'GET /health HTTP/1.1\nhost: x\n\n'],
  ])('505: %s', async (_, request) => {
    expect(await send(request())).toEqual(EMPTY_505);
  });

  test('nothing at all: a method it does not know', async () => {
    expect(await send(head('', '1.1', 'FOO'))).toEqual({ text: '', ended: true });
  });
});

describe('what follows a request on its connection breaks the answer', () => {
  const slowly = () => p.mock.script({ events: 50, pace_ms: 20 });

  for (const [name, behind] of [
    ['an empty line', '\r\n'],
    ['a trailer field', '0\r\nx-checksum: 1\r\n\r\n'],
  ] as const) {
    test(`${name}: a 400 is written into the answer`, async () => {
      slowly();
      const chunked = `${head('transfer-encoding: chunked\r\n')}${BODY.length.toString(16)}\r\n${BODY}\r\n`;
      const seen = await (behind === '\r\n' ? send(whole(), behind) : send(chunked + behind));
      expectCut(seen);
      expect(seen.text).toEndWith(EMPTY_400.text);
    });
  }

  test('a further request: the connection is closed', async () => {
    slowly();
    const seen = await send(whole(), 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    expectCut(seen);
    expect(seen.text).not.toContain(' 400 ');
  });
});

test('a chunked body that breaks off in its last line counts as whole', async () => {
  p.mock.script({ text: 'x' });
  const chunked = `${head('transfer-encoding: chunked\r\n')}${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n`;
  expect((await send(chunked)).text).toContain('data: [DONE]');
});

test('Expect: 100-continue is granted before the key and the length are looked at', async () => {
  const socket = await connectTo(p.gateway.port);
  const first = new Promise<string>((resolve) => socket.once('data', (bytes: Buffer) => resolve(bytes.toString())));
  socket.write(
    'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999\r\nexpect: 100-continue\r\n\r\n',
  );
  expect(await first).toStartWith('HTTP/1.1 100 Continue\r\n\r\n');
  socket.destroy();
});

test('a client that closes its sending side has left, as with nginx, Caddy and Node', async () => {
  p.mock.script({ events: 100_000, pace_ms: 10 });
  const socket = await connectTo(p.gateway.port);
  socket.resume();
  socket.end(whole());
  expect(await (await p.mock.waitForRequest()).closed).toBe('client_closed');
  socket.destroy();
});

describe('what is left to the gateway', () => {
  test('a head of 60 kB is taken', async () => {
    p.mock.script({ text: 'x' });
    expect((await send(head(`x-a: ${'a'.repeat(60_000)}\r\n${lengthOf(BODY)}`) + BODY)).text).toContain('data: [DONE]');
  });

  test('trailer fields that are announced are refused before they can break the answer', async () => {
    const chunk = `${BODY.length.toString(16)}\r\n${BODY}\r\n`;
    const { text } = await send(
      `${head('transfer-encoding: chunked\r\ntrailer: x-checksum\r\n')}${chunk}0\r\nx-checksum: 1\r\n\r\n`,
    );
    expect(text).toStartWith('HTTP/1.1 400 ');
    expect(text).toContain("remove header 'trailer'");
    expect(p.mock.requests.length).toBe(0);
  });
});
