import { expect, test } from 'bun:test';
import type { Fault } from '../../src/mock/scenario.ts';
import { clientOf, mockServer } from './fixture.ts';

const BODY = 'x'.repeat(1_000);

async function ask(fault: Fault, more = {}, body = {}) {
  const server = mockServer();
  server.script({ body: BODY, framing: 'chunked', fault, ...more });
  const client = await clientOf(server);
  client.post(body);
  return { server, client };
}

test('refuse: RST before any byte, and the request is known', async () => {
  const { server, client } = await ask({ kind: 'refuse' });
  expect(await client.closed).toEqual({ fin: false, error: 'ECONNRESET' });
  expect(client.text).toBe('');
  expect(await server.requests[0]!.closed).toBe('fault');
});

test('hang: no head, until the client gives up', async () => {
  const { server, client } = await ask({ kind: 'hang' });
  const request = await server.waitForRequest();
  expect(request.end).toBeUndefined();
  client.leave();
  expect(await request.closed).toBe('client_closed');
  expect(client.text).toBe('');
});

test.each([0, 1, 100, 999, 1_000, 5_000])('reset after %d bytes: those bytes arrive, then RST', async (after_bytes) => {
  const { server, client } = await ask({ kind: 'reset', after_bytes });
  expect(await client.closed).toEqual({ fin: false, error: 'ECONNRESET' });
  expect(client.text).toStartWith('HTTP/1.1 200 OK\r\n');
  expect(client.text.match(/x{1,}\r\n$/)?.[0].length ?? 2).toBe(Math.min(after_bytes, BODY.length) + 2);
  expect(client.text).not.toEndWith('0\r\n\r\n');
  expect(server.requests[0]!.bytesSent).toBe(Math.min(after_bytes, BODY.length));
  expect(await server.requests[0]!.closed).toBe('fault');
});

test('a reset after a large body loses nothing of it for a client that reads', async () => {
  const bytes = 1_000_000;
  // In pieces, so that it is read while it is written: what is not with the reader's kernel yet is lost to any reset.
  const { client } = await ask({ kind: 'reset', after_bytes: bytes }, { body: 'x'.repeat(2 * bytes), split: 50_000 });
  expect(await client.closed).toEqual({ fin: false, error: 'ECONNRESET' });
  expect(client.text.split('\r\n\r\n')[1]!.replace(/[^x]/g, '').length).toBe(bytes);
});

test('end_early: FIN without the end of the body', async () => {
  const { server, client } = await ask({ kind: 'end_early', after_bytes: 10 });
  expect(await client.closed).toEqual({ fin: true, error: undefined });
  expect(client.text).toEndWith(`\r\n\r\na\r\n${'x'.repeat(10)}\r\n`);
  expect(await server.requests[0]!.closed).toBe('fault');
});

test('end_early with a length: fewer bytes than announced', async () => {
  const { client } = await ask({ kind: 'end_early', after_bytes: 10 }, { framing: 'length' });
  await client.closed;
  expect(client.text).toContain('content-length: 1000\r\n');
  expect(client.text).toEndWith(`\r\n\r\n${'x'.repeat(10)}`);
});

test('silence: the connection stays open and nothing more comes', async () => {
  const { server, client } = await ask({ kind: 'silence', after_bytes: 10 });
  await client.until((text) => text.endsWith('xxxxxxxxxx\r\n'));
  const request = server.requests[0]!;
  expect([request.end, request.bytesSent]).toEqual([undefined, 10]);
  client.leave();
  expect(await request.closed).toBe('client_closed');
});

test('close_idle: a whole answer that promises keep-alive, then FIN', async () => {
  const { server, client } = await ask({ kind: 'close_idle' });
  expect(await client.closed).toEqual({ fin: true, error: undefined });
  expect(client.text).not.toContain('connection: close');
  expect(client.text).toEndWith('\r\n0\r\n\r\n');
  expect(await server.requests[0]!.closed).toBe('finished');
});

test('reset_next: a whole answer, and RST for the next request on that connection', async () => {
  const { server, client } = await ask({ kind: 'reset_next' });
  expect((await client.answer()).text).toBe(BODY);
  client.post({});
  expect(await client.closed).toEqual({ fin: false, error: 'ECONNRESET' });
  expect(client.text).toBe('');
  expect(server.requests.length).toBe(1);
  expect((await (await clientOf(server)).post({}).answer()).text).toBe(BODY);
});

test('a fault applies to generated streams too, without a time in between', async () => {
  const { client } = await ask(
    { kind: 'reset', after_bytes: 300 },
    { body: undefined, events: 1_000 },
    { stream: true },
  );
  await client.closed;
  const body = client.text.split('\r\n\r\n')[1]!;
  expect(body).toContain('"i":0');
  expect(body).not.toContain('[DONE]');
});
