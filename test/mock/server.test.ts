import { expect, test } from 'bun:test';
import { startMock } from '../../src/mock/server.ts';
import { clientOf, mockServer } from './fixture.ts';
import { iterateUntil, RawClient } from './raw-client.ts';

test('refused connections get ECONNREFUSED, open ones go on, and the port comes back', async () => {
  const server = mockServer();
  server.script({ body: 'here' });
  const open = await clientOf(server);
  await open.get('/').answer();
  server.refuseConnections();
  await expect(RawClient.connect(server.port)).rejects.toThrow('ECONNREFUSED');
  expect((await open.get('/').answer()).text).toBe('here');
  server.acceptConnections();
  server.acceptConnections();
  expect((await (await clientOf(server)).get('/').answer()).text).toBe('here');
});

test('stop closes every connection: idle, streaming, silent, half closed, waiting for a request', async () => {
  const server = startMock();
  const idle = await RawClient.connect(server.port);
  await idle.get('/v1/models').answer();
  const fresh = await RawClient.connect(server.port);
  const streaming = await RawClient.connect(server.port);
  streaming.post({ stream: true, mock: { events: 1_000_000, pace_ms: 1 } });
  await streaming.until((text) => text.includes('"i":0'));
  const silent = await RawClient.connect(server.port);
  silent.post({ mock: { fault: { kind: 'hang' } } });
  const hung = await server.waitForRequest((request) => request.connectionId === 4);
  await iterateUntil(() => server.openConnections === 4);
  await server.stop();
  expect(server.openConnections).toBe(0);
  expect(await hung.closed).toBe('fault');
  expect(await idle.closed).toEqual({ fin: true, error: undefined });
  expect(await fresh.closed).toEqual({ fin: true, error: undefined });
  expect((await streaming.closed).error).toBe('ECONNRESET');
  await expect(RawClient.connect(server.port)).rejects.toThrow('ECONNREFUSED');
  await server.stop();
});

test('stop does not wait for a client that never closes its half', async () => {
  const server = startMock();
  const client = await RawClient.connect(server.port);
  client.socket.removeAllListeners('end');
  client.post({ mock: { body: 'x', framing: 'close' } });
  await (await server.waitForRequest()).closed;
  await client.until((text) => text.endsWith('x'));
  expect(server.openConnections).toBe(1);
  await server.stop();
  expect(server.openConnections).toBe(0);
  client.leave();
});

test('two mocks on one port: the second says that it is in use', () => {
  const server = mockServer();
  expect(() => startMock({ port: server.port })).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }) as Error);
});

test('2,000 paced streams at once, each in order and whole', async () => {
  const server = mockServer({ scenario: { events: 5, pace_ms: 20 }, requestsMax: 0 });
  const streams = 2_000;
  const post = Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 15\r\n\r\n{"stream":true}');
  let most = 0;
  let whole = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const texts = new Map<object, string>();
  const sockets = await Promise.all(
    Array.from({ length: streams }, () =>
      Bun.connect({
        hostname: '127.0.0.1',
        port: server.port,
        socket: {
          open: (socket) => {
            socket.write(post);
          },
          data: (socket, bytes) => {
            most = Math.max(most, server.openConnections);
            const text = (texts.get(socket) ?? '') + bytes.toString('latin1');
            texts.set(socket, text);
            if (text.endsWith('\r\n0\r\n\r\n') && ++whole === streams) resolve();
          },
        },
      }),
    ),
  );
  await promise;
  expect(most).toBe(streams);
  for (const text of texts.values())
    expect(text.match(/"i":\d+/g)).toEqual(['"i":0', '"i":1', '"i":2', '"i":3', '"i":4']);
  for (const socket of sockets) socket.end();
});
