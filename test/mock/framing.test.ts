import { expect, test } from 'bun:test';
import type { Framing } from '../../src/mock/scenario.ts';
import { clientOf, mockServer } from './fixture.ts';

const BODY = 'data: one\n\ndata: two\n\n';

async function ask(framing: Framing, more = {}) {
  const server = mockServer();
  server.script({ body: BODY, framing, ...more });
  const client = await clientOf(server);
  client.post({});
  return { server, client };
}

test('chunked: one chunk per piece and a proper end, on a connection that stays', async () => {
  const { client } = await ask('chunked', { split: 8 });
  const answer = await client.answer();
  expect(answer.chunks.map(String)).toEqual(['data: on', 'e\n\ndata:', ' two\n\n']);
  expect((await client.post({}).answer()).text).toBe(BODY);
});

test('length: the exact content-length', async () => {
  const { client } = await ask('length');
  const answer = await client.answer();
  expect(answer.header('content-length')).toBe(String(BODY.length));
  expect(answer.header('transfer-encoding')).toBeUndefined();
  expect(answer.text).toBe(BODY);
});

test('close: neither length nor chunks, FIN is the end', async () => {
  const { client } = await ask('close');
  expect(await client.closed).toEqual({ fin: true, error: undefined });
  const [head, body] = client.text.split('\r\n\r\n');
  expect(head).not.toMatch(/content-length|transfer-encoding/);
  expect(head).toContain('connection: close');
  expect(body).toBe(BODY);
});

test('http10: an HTTP/1.0 answer ended by FIN', async () => {
  const { client } = await ask('http10');
  await client.closed;
  expect(client.text).toStartWith('HTTP/1.0 200 OK\r\n');
  expect(client.text).toEndWith(`\r\n\r\n${BODY}`);
});

test('length_short: FIN before the announced length', async () => {
  const { client, server } = await ask('length_short');
  expect(await client.closed).toEqual({ fin: true, error: undefined });
  expect(client.text).toContain(`content-length: ${BODY.length + 10}\r\n`);
  expect(client.text).toEndWith(`\r\n\r\n${BODY}`);
  expect(await server.requests[0]!.closed).toBe('finished');
});

test('length_long: more bytes than announced, on a connection that stays', async () => {
  const { client } = await ask('length_long');
  await client.until((text) => text.endsWith(BODY));
  expect(client.text).toContain(`content-length: ${BODY.length - 10}\r\n`);
  expect(client.socket.destroyed).toBe(false);
});

test('both: content-length and chunked at once', async () => {
  const { client } = await ask('both');
  await client.until((text) => text.endsWith('\r\n0\r\n\r\n'));
  expect(client.text).toContain(`content-length: ${BODY.length}\r\ntransfer-encoding: chunked\r\n`);
  expect(client.text).toContain(`\r\n\r\n16\r\n${BODY}\r\n0\r\n\r\n`);
});

test('bad_chunk_size: a size that is no number, after the whole body', async () => {
  const { client } = await ask('bad_chunk_size');
  await client.until((text) => text.endsWith(`16\r\n${BODY}\r\nxyz\r\n0\r\n\r\n`));
});

test('short_chunk: FIN inside a chunk', async () => {
  const { client } = await ask('short_chunk');
  expect(await client.closed).toEqual({ fin: true, error: undefined });
  const rest = client.text.split(`16\r\n${BODY}\r\n`)[1]!;
  expect(rest).toStartWith('14\r\n');
  expect(rest.length - '14\r\n'.length).toBe(10);
});

test('trailers: fields after the last chunk', async () => {
  const { client } = await ask('trailers');
  await client.until((text) => text.endsWith('\r\n0\r\nx-mock-trailer: one\r\nx-mock-end: two\r\n\r\n'));
  expect(client.text).toContain('trailer: x-mock-trailer, x-mock-end\r\n');
});

test('chunk_extensions: padded sizes in upper case, with extensions', async () => {
  const { client } = await ask('chunk_extensions', { body: 'x'.repeat(171) });
  await client.until((text) => text.endsWith('\r\n0\r\n\r\n'));
  expect(client.text).toContain('\r\n\r\n000000AB;mock="a;b";last\r\nxxx');
});

test('lf_only: not one CR outside of the body', async () => {
  const { client } = await ask('lf_only');
  await client.until((text) => text.endsWith('\n0\n\n'));
  expect(client.text).not.toContain('\r');
  expect(client.text).toContain(`transfer-encoding: chunked\n\n16\n${BODY}\n0\n\n`);
});

test('garbage: something that is not HTTP, then FIN', async () => {
  const { client } = await ask('garbage');
  expect(await client.closed).toEqual({ fin: true, error: undefined });
  expect(client.text).toStartWith('SSH-2.0');
});

test('gzip: really compressed, and marked as such', async () => {
  const { client } = await ask('length', { gzip: true });
  const answer = await client.answer();
  expect(answer.header('content-encoding')).toBe('gzip');
  expect(Buffer.from(Bun.gunzipSync(new Uint8Array(answer.body))).toString()).toBe(BODY);
});

test('interim heads come first, each complete', async () => {
  const { client } = await ask('length', { interim: 3 });
  await client.until((text) => text.endsWith(BODY));
  const starts = [...client.text.matchAll(/HTTP\/1\.1 (\d+) /g)].map((match) => match[1]);
  expect(starts).toEqual(['100', '103', '100', '200']);
});

test('headers go out as they are: repeated, in order, replacing the default content-type', async () => {
  const headers = [
    ['Set-Cookie', 'a=1'],
    ['set-cookie', 'b=2'],
    ['x-quota-allowed', '100'],
    ['Content-Type', 'text/odd'],
  ] as const;
  const { client } = await ask('length', { headers, status: 418 });
  const answer = await client.answer();
  expect(answer.status).toBe(418);
  expect(answer.headers.slice(0, 4)).toEqual(headers.map(([name, value]): [string, string] => [name, value]));
  expect(answer.headers.find(([name]) => name === 'content-type')).toBeUndefined();
});

test('a head without a body: HEAD, 204, 304', async () => {
  const server = mockServer();
  server.script((request) => ({ body: BODY, status: request.method === 'HEAD' ? 200 : 304 }));
  const client = await clientOf(server);
  client.send('HEAD / HTTP/1.1\r\nHost: mock\r\n\r\n');
  await client.until((text) => text.endsWith('\r\n\r\n'));
  client.get('/');
  await client.until((text) => text.includes(' 304 ') && text.endsWith('\r\n\r\n'));
  expect(client.text).not.toContain('data:');
});
