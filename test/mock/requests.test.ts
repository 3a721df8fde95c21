import { expect, test } from 'bun:test';
import { clientOf, mockServer } from './fixture.ts';

test('a request is recorded as it came: path, header order and case, body bytes', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  client.post({ model: 'm', n: 1 }, '/v1/chat/completions?a=1', ['X-One: 1', 'x-one: 2', 'Authorization: Bearer k']);
  await client.answer();
  const request = server.requests[0]!;
  expect([request.method, request.path]).toEqual(['POST', '/v1/chat/completions?a=1']);
  expect(request.headers.slice(2)).toEqual([
    ['X-One', '1'],
    ['x-one', '2'],
    ['Authorization', 'Bearer k'],
  ]);
  expect(request.get('AUTHORIZATION')).toBe('Bearer k');
  expect(request.get('cookie')).toBeUndefined();
  expect(request.text).toBe('{"model":"m","n":1}');
  expect(request.json).toEqual({ model: 'm', n: 1 });
  expect(await request.closed).toBe('finished');
});

test('several requests on one connection are answered in order', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  for (let i = 0; i < 5; i++) {
    server.script({ json: { i } });
    expect((await client.post({}).answer()).json).toEqual({ i });
  }
  expect(server.requests.map((request) => request.connectionId)).toEqual([1, 1, 1, 1, 1]);
  expect(server.openConnections).toBe(1);
});

test('pipelined requests wait for the answer before them, a streamed one too', async () => {
  const server = mockServer();
  server.script((request) => (request.path === '/slow' ? { body: 'slow', split: 1 } : { body: request.path }));
  const client = await clientOf(server);
  client.send('GET /slow HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /slow HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n');
  const texts = [];
  for (let i = 0; i < 4; i++) texts.push((await client.answer()).text);
  expect(texts).toEqual(['slow', '/b', 'slow', '/d']);
});

test('thousands of pipelined requests do not overflow the stack', async () => {
  const server = mockServer();
  server.script({ body: '.' });
  const client = await clientOf(server);
  client.send('GET / HTTP/1.1\r\n\r\n'.repeat(20_000));
  await server.waitForRequest((request) => request.sequence === 20_000);
});

test('a request arrives the same however it is split', async () => {
  const server = mockServer();
  server.script((request) => ({ json: { path: request.path, body: request.text } }));
  const whole =
    'POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloPOST /y HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n';
  const chunks = '3;ext=1\r\nabc\r\n0002\r\nde\r\n0\r\nTrailer: yes\r\n\r\n';
  const client = await clientOf(server);
  for (const byte of whole + chunks) {
    await new Promise<void>((resolve) => client.socket.write(byte, () => resolve()));
  }
  expect((await client.answer()).json).toEqual({ path: '/x', body: 'hello' });
  expect((await client.answer()).json).toEqual({ path: '/y', body: 'abcde' });
});

test('a body of megabytes arrives whole, with a length and in chunks', async () => {
  const server = mockServer();
  server.script((request) => ({ json: Bun.hash(request.body).toString() }));
  const body = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)))
    .toString('hex')
    .repeat(40);
  const expected = Bun.hash(body).toString();
  const url = `http://127.0.0.1:${server.port}/upload`;
  expect(await (await fetch(url, { method: 'POST', body })).json()).toBe(expected);
  const stream = new ReadableStream({
    start(controller) {
      for (let at = 0; at < body.length; at += 70_001) controller.enqueue(Buffer.from(body.slice(at, at + 70_001)));
      controller.close();
    },
  });
  expect(await (await fetch(url, { method: 'POST', body: stream })).json()).toBe(expected);
});

test('Expect: 100-continue is granted before the body', async () => {
  const server = mockServer();
  server.script((request) => ({ body: request.text }));
  const client = await clientOf(server);
  client.send('POST / HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n');
  await client.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
  client.forget();
  expect((await client.send('body').answer()).text).toBe('body');
});

test.each([
  ['a request line that is none', 'HELLO\r\n\r\n', 400],
  ['a header line without a colon', 'GET / HTTP/1.1\r\nbad\r\n\r\n', 400],
  ['a head without end', `GET / HTTP/1.1\r\nx: ${'x'.repeat(70_000)}`, 431],
  ['two lengths', 'POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
  ['a length that is no number', 'POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n', 400],
  ['a huge length', 'POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n', 413],
  ['a bad chunk size', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 400],
  ['a chunk longer than its size', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n', 400],
  ['a chunk line without end', `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${'0'.repeat(2_000)}`, 400],
])('%s is answered and the connection closed', async (_, wire, status) => {
  const server = mockServer();
  const client = await clientOf(server);
  client.send(wire);
  expect(await client.closed).toEqual({ fin: true, error: undefined });
  expect(client.text).toStartWith(`HTTP/1.1 ${status} `);
  expect(client.text).toContain('connection: close');
  expect(server.requests.length).toBe(0);
});

test('Connection: close and HTTP/1.0 end the connection after the answer', async () => {
  const server = mockServer();
  server.script({ body: 'bye' });
  for (const wire of ['GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n']) {
    const client = await clientOf(server);
    client.send(wire);
    expect(await client.closed).toEqual({ fin: true, error: undefined });
    expect(client.text).toEndWith('bye');
  }
});

test('the log is bounded, waits for future requests, and can be cleared', async () => {
  const server = mockServer({ requestsMax: 3 });
  const waiting = server.waitForRequest((request) => request.path === '/7');
  const client = await clientOf(server);
  for (let i = 0; i < 10; i++) await client.get(`/${i}`).answer();
  expect((await waiting).sequence).toBe(8);
  expect(server.requests.length).toBeLessThanOrEqual(6);
  expect(server.requests.at(-1)!.path).toBe('/9');
  expect((await server.waitForRequest((request) => request.path === '/8')).sequence).toBe(9);
  server.reset();
  expect(server.requests.length).toBe(0);
});

test('nothing is kept when recording is off', async () => {
  const server = mockServer({ requestsMax: 0 });
  const seen = server.waitForRequest();
  await (await clientOf(server)).get('/x').answer();
  expect((await seen).path).toBe('/x');
  expect(server.requests.length).toBe(0);
});
