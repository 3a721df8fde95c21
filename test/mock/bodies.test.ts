/** Downloads of any size, echoed uploads, and scenarios for requests without a JSON body. */
import { expect, test } from 'bun:test';
import { binaryBytes } from '../../src/mock/binary.ts';
import { parseForm } from '../../src/mock/form.ts';
import { clientOf, mockServer } from './fixture.ts';

const SIZES = [0, 1, 65_535, 65_536, 65_537, 1_000_000];

test.each(SIZES)('a download of %d bytes has its length, and the bytes that were promised', async (bytes) => {
  const client = await clientOf(mockServer({ scenario: { bytes, content_type: 'audio/mpeg' } }));
  const answer = await client.get('/v1/files/file-1/content').answer();
  expect(answer.header('content-length')).toBe(String(bytes));
  expect(answer.header('content-type')).toBe('audio/mpeg');
  expect(answer.body.equals(binaryBytes(bytes))).toBe(true);
});

test('all blocks of a download differ, and a shorter download is the start of a longer one', () => {
  const long = binaryBytes(200_000);
  expect(binaryBytes(150_000).equals(long.subarray(0, 150_000))).toBe(true);
  const blocks = [0, 65_536, 131_072].map((at) => long.toString('latin1', at, at + 1_000));
  expect(new Set(blocks).size).toBe(3);
});

test('a download can be cut, slowed and sent in chunks', async () => {
  const server = mockServer();
  const cut = await clientOf(server);
  cut.get(`/v1/x?mock=${encodeURIComponent('{"bytes":300000,"fault":{"kind":"reset","after_bytes":100000}}')}`);
  expect(await cut.closed).toMatchObject({ error: 'ECONNRESET' });
  expect(cut.text).toContain('content-length: 300000');
  const client = await clientOf(server);
  const sentAtMs = performance.now();
  const slow = await client.get('/v1/x?mock=%7B%22bytes%22%3A200000%2C%22pace_ms%22%3A10%7D').answer();
  expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(30);
  expect(slow.body.equals(binaryBytes(200_000))).toBe(true);
  const chunked = await client.get('/v1/x?mock=%7B%22bytes%22%3A200000%2C%22framing%22%3A%22chunked%22%7D').answer();
  expect(chunked.body.equals(binaryBytes(200_000))).toBe(true);
  expect(chunked.chunks.length).toBe(4);
});

test('HEAD has the length of what GET would send, and no body', async () => {
  const client = await clientOf(mockServer({ scenario: { bytes: 1_000_000 } }));
  client.send('HEAD /v1/files/file-1/content HTTP/1.1\r\nHost: mock\r\n\r\n');
  await client.until((text) => text.endsWith('\r\n\r\n'));
  expect(client.text).toContain('content-length: 1000000\r\n');
});

test('echo sends the request back', async () => {
  const client = await clientOf(mockServer());
  const body = '{"mock":{"echo":true},"n":1.0}';
  client.send(`POST /v1/any?a=b HTTP/1.1\r\nX-One: 1\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  expect((await client.answer()).json).toEqual({
    method: 'POST',
    path: '/v1/any?a=b',
    headers: [
      ['X-One', '1'],
      ['Content-Length', String(body.length)],
    ],
    body_bytes: body.length,
    body_sha256: new Bun.CryptoHasher('sha256').update(body).digest('hex'),
  });
});

test('without a JSON body the scenario is in a form field or in the query', async () => {
  const server = mockServer();
  const form = new FormData();
  form.set('mock', '{"status":418}');
  form.set('file', new Blob(['x']), 'a.txt');
  expect((await fetch(`${server.url}/files`, { method: 'POST', body: form })).status).toBe(418);
  expect((await fetch(`${server.url}/files?mock={"status":419}`)).status).toBe(419);
  expect((await fetch(`${server.url}/files`, { headers: { 'x-mock': '{"status":420}' } })).status).toBe(420);
  const wrong = await fetch(`${server.url}/files?mock={"stat":1}`);
  expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining("mock: unknown field 'stat'")]);
});

test('forms: quoted and bare boundaries, binary content, repeated fields, odd names', async () => {
  const file = Buffer.from('\r\n--B\r\n--other--\0\xff', 'latin1');
  const text = [
    '--B x\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt',
    '\r\n--B x\r\ncontent-disposition: form-data; name="image[]"; filename="ä \\"1\\".png"\r\nContent-Type: image/png\r\n\r\n',
  ];
  const body = Buffer.concat([Buffer.from(text.join('')), file, Buffer.from('\r\n--B x--\r\n')]);
  const form = parseForm('multipart/form-data; charset=utf-8; boundary="B x"', body)!;
  expect(form.fields).toEqual({ model: 'gpt' });
  expect(form.files).toMatchObject([{ field: 'image[]', name: 'ä \\"1\\".png', contentType: 'image/png' }]);
  expect(Buffer.from(form.files[0]!.bytes).equals(file)).toBe(true);
  expect(parseForm('Multipart/Form-Data;boundary=B', Buffer.from('--B--\r\n'))).toEqual({ fields: {}, files: [] });
});

test.each([
  ['another content type', 'application/json', '{}'],
  ['no boundary', 'multipart/form-data', '--B--'],
  ['no final boundary', 'multipart/form-data; boundary=B', '--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'],
  ['a part without a name', 'multipart/form-data; boundary=B', '--B\r\nX: y\r\n\r\n1\r\n--B--'],
  ['nothing at all', 'multipart/form-data; boundary=B', ''],
])('not a form: %s', (_name, contentType, body) => {
  expect(parseForm(contentType, Buffer.from(body))).toBeUndefined();
});
