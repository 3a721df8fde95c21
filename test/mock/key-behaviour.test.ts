/** One mock as several targets of a gateway: how each API key is treated. */
import { expect, test } from 'bun:test';
import { ScenarioError } from '../../src/mock/scenario-parser.ts';
import type { MockServer } from '../../src/mock/server.ts';
import { clientOf, mockServer } from './fixture.ts';

async function ask(server: MockServer, key: string, path = '/v1/chat/completions') {
  const client = await clientOf(server);
  return client.post({ model: 'm', mock: { text: 'hello' } }, path, [`Authorization: Bearer ${key}`]).answer();
}

test('without behaviours every key is good; with one, other keys are refused', async () => {
  expect((await ask(mockServer(), 'any')).status).toBe(200);
  const server = mockServer({ keys: { good: 'ok' } });
  expect((await ask(server, 'good')).text).toContain('hello');
  expect(await ask(server, 'other')).toMatchObject({ status: 401, json: { error: { code: 'invalid_api_key' } } });
  server.reset();
  expect((await ask(server, 'other')).status).toBe(200);
});

test('a status comes with its headers, in the form of the API that was called', async () => {
  const server = mockServer({ keys: { limited: '429,retry-after=7,retry-after-ms=6500,quota-reset=9', away: '503' } });
  const limited = await ask(server, 'limited');
  expect(limited.status).toBe(429);
  expect(limited.json).toMatchObject({ error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' } });
  const fields = ['retry-after', 'retry-after-ms', 'x-quota-available', 'x-quota-reset'];
  expect(fields.map((name) => limited.header(name))).toEqual(['7', '6500', '0', '9']);
  const away = await ask(server, 'away', '/v1/messages');
  expect(away).toMatchObject({ status: 503, json: { type: 'error', error: { type: 'overloaded_error' } } });
  expect(away.header('retry-after')).toBeUndefined();
});

test('the key is also taken from x-api-key', async () => {
  const client = await clientOf(mockServer({ keys: { bad: '401' } }));
  expect((await client.post({}, '/v1/messages', ['X-Api-Key: bad']).answer()).status).toBe(401);
});

test('a quota is counted down in headers, then refused until its window ends', async () => {
  const server = mockServer({ keys: { spent: 'quota,allowed=2,reset=600' } });
  const answers = [await ask(server, 'spent'), await ask(server, 'spent'), await ask(server, 'spent')];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(answers.map((answer) => answer.header('x-quota-available'))).toEqual(['1', '0', '0']);
  for (const answer of answers) {
    expect(answer.header('x-quota-allowed')).toBe('2');
    expect(answer.header('x-quota-reset')).toMatch(/^(599|600)$/);
  }
  expect(answers[2]!.header('retry-after')).toBe(answers[2]!.header('x-quota-reset')!);
});

test('a quota starts again in the next window', async () => {
  const server = mockServer({ keys: { spent: 'quota,allowed=1,reset=0' } });
  expect([(await ask(server, 'spent')).status, (await ask(server, 'spent')).status]).toEqual([200, 200]);
});

test('a failure lasts as long as configured, from the first request of the key on', async () => {
  const server = mockServer({ keys: { ill: '503,for=0ms' } });
  expect((await ask(server, 'ill')).status).toBe(200);
  server.setKey('ill', '503,for=60m');
  expect((await ask(server, 'ill')).status).toBe(503);
  server.setKey('ill', 'ok');
  expect((await ask(server, 'ill')).status).toBe(200);
});

test('every=3 affects every third request', async () => {
  const server = mockServer({ keys: { flaky: '502,every=3' } });
  const statuses: number[] = [];
  for (let i = 0; i < 6; i++) statuses.push((await ask(server, 'flaky')).status);
  expect(statuses).toEqual([200, 200, 502, 200, 200, 502]);
});

test('reset, hang and slow', async () => {
  const server = mockServer({ keys: { dead: 'reset', silent: 'hang', late: 'slow,ms=40' } });
  const dead = await clientOf(server);
  dead.post({}, '/v1/chat/completions', ['Authorization: Bearer dead']);
  expect(await dead.closed).toMatchObject({ error: 'ECONNRESET' });
  const silent = await clientOf(server);
  silent.post({}, '/v1/chat/completions', ['Authorization: Bearer silent']);
  const hanging = await server.waitForRequest((request) => request.get('authorization') === 'Bearer silent');
  const sentAtMs = performance.now();
  expect((await ask(server, 'late')).text).toContain('hello');
  expect(performance.now() - sentAtMs).toBeGreaterThanOrEqual(40);
  expect([hanging.end, silent.text]).toEqual([undefined, '']);
});

test.each([
  ['', "'' is no behaviour; there are ok, STATUS, quota, slow, reset, hang (STATUS: 400 to 599)"],
  ['STATUS', "'STATUS' is no behaviour"],
  ['200', "'200' is no behaviour"],
  ['constructor', "'constructor' is no behaviour"],
  ['slow,ms=2s', "'slow' does not take 'ms=2s'; it takes ms=N, for=10s, every=N"],
  ['503,for=20', "'503' does not take 'for=20'"],
  ['ok,every=0', "'ok' does not take 'every=0'"],
  ['hang,ms=1', "'hang' does not take 'ms=1'"],
  ['429,retry-after', "'429' does not take 'retry-after'"],
])('%j is refused: %s', (behaviour, message) => {
  expect(() => mockServer({ keys: { key: behaviour } })).toThrow(message);
  expect(() => mockServer({ keys: { key: behaviour } })).toThrow(ScenarioError);
});
