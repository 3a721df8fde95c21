/** What arrives upstream is what was to be sent, and nothing besides. */
import { expect, test } from 'bun:test';
import { HeaderBlock } from '../../src/upstream/header-block.ts';
import { randomBytes } from '../support/random.ts';
import type { Bench } from './contract-bench.ts';
import { send } from './observed.ts';

/** What any HTTP client may say of itself and of the connection; none of it tells of the gateway's own client. */
const OWN_NAMES = ['host', 'connection', 'content-length', 'accept', 'accept-encoding', 'user-agent'];

const namesOf = (headers: readonly (readonly [string, string])[]) => headers.map(([name]) => name.toLowerCase());

export function requestsContract(bench: Bench): void {
  test.each(['GET', 'POST', 'DELETE'])('%s goes out with its target appended to the base URL', async (method) => {
    expect((await send(bench.client, { method, target: '/files/f-1?limit=2' }).over).ended).not.toBe('aborted');
    expect(bench.mock.requests.map((request) => [request.method, request.path])).toEqual([
      [method, '/v1/files/f-1?limit=2'],
    ]);
  });

  test.each([
    '/models/org%2Fmodel',
    '/models/a%20b%c3%A9%7E~',
    '/files?a=1&a=2&b=%2F+%20&c=&d&=e',
    '/files?after=x;y,z:@!$*()[]',
    '/files//double',
    '/responses/r?q=a?b/c',
    `/files?long=${'x'.repeat(7_000)}`,
  ])('target %s arrives letter for letter', async (target) => {
    await send(bench.client, { method: 'GET', target }).over;
    expect(bench.mock.requests[0]!.path).toBe(`/v1${target}`);
  });

  test('fields that requests share arrive with those of their own, for each of them', async () => {
    const common = new HeaderBlock([
      ['authorization', 'Bearer fx-key'],
      ['user-agent', 'bve-gateway/1'],
    ]);
    for (const id of ['one', 'two']) {
      await send(bench.client, { common, headers: [['x-request-id', id]], body: new TextEncoder().encode('{}') }).over;
    }
    const shared = bench.mock.requests.map((request) =>
      ['authorization', 'user-agent', 'x-request-id'].map((name) =>
        request.headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value),
      ),
    );
    expect(shared).toEqual([
      [['Bearer fx-key'], ['bve-gateway/1'], ['one']],
      [['Bearer fx-key'], ['bve-gateway/1'], ['two']],
    ]);
  });

  test('the headers given arrive once each with their values', async () => {
    const headers = [
      ['authorization', 'Bearer fx-key'],
      ['accept-encoding', 'identity'],
      ['user-agent', 'bve-gateway/1'],
      ['content-type', 'application/json; charset=utf-8'],
      ['accept', 'text/event-stream'],
      ['openai-beta', 'assistants=v2, realtime=v1'],
      ['x-request-id', 'a.B_c-1'],
      ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    ] as const;
    await send(bench.client, { headers, body: new TextEncoder().encode('{}') }).over;
    const request = bench.mock.requests[0]!;
    for (const [name, value] of headers) {
      expect(request.headers.filter(([given]) => given.toLowerCase() === name).map(([, given]) => given)).toEqual([
        value,
      ]);
    }
  });

  test('a header value of Latin-1 bytes arrives as those bytes', async () => {
    await send(bench.client, { headers: [['idempotency-key', 'caf\u00e9-\u00ff']] }).over;
    expect(Buffer.from(bench.mock.requests[0]!.get('idempotency-key')!, 'latin1').toString('latin1')).toBe(
      'caf\u00e9-\u00ff',
    );
  });

  test('nothing is added but what the connection needs: no credentials, no cookie, no forwarding header', async () => {
    bench.mock.script({ json: {}, headers: [['set-cookie', 'session=1; Path=/']] });
    for (let i = 0; i < 2; i++) await send(bench.client, { body: new TextEncoder().encode('{}') }).over;
    for (const request of bench.mock.requests) {
      expect(namesOf(request.headers).filter((name) => !OWN_NAMES.includes(name))).toEqual([]);
    }
    expect(bench.mock.requests.length).toBe(2);
  });

  test.each([0, 1, 2, 1_000, 65_536, 1_048_577, 10_485_760])(
    'a body of %d bytes arrives whole, with its length',
    async (bytes) => {
      const body = randomBytes(bytes);
      expect((await send(bench.client, { body }).over).ended).toBe('end');
      const request = bench.mock.requests[0]!;
      expect(request.get('content-length')).toBe(String(bytes));
      expect(request.get('transfer-encoding')).toBeUndefined();
      expect(Buffer.compare(request.body, body)).toBe(0);
    },
  );

  test('a body that is a part of a larger buffer is sent without its surroundings', async () => {
    const whole = new TextEncoder().encode('before{"a":1}after');
    await send(bench.client, { body: whole.subarray(6, 13) }).over;
    expect(bench.mock.requests[0]!.text).toBe('{"a":1}');
  });

  test('without a body none is announced', async () => {
    for (const method of ['GET', 'DELETE']) await send(bench.client, { method, body: null }).over;
    for (const request of bench.mock.requests) {
      expect([request.get('content-length') ?? '0', request.get('transfer-encoding')]).toEqual(['0', undefined]);
    }
    expect(bench.mock.requests.length).toBe(2);
  });
}
