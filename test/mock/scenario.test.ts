import { expect, test } from 'bun:test';
import { parseScenario, parseScenarioText, ScenarioError } from '../../src/mock/scenario-parser.ts';
import { clientOf, mockServer } from './fixture.ts';

const BAD: [unknown, string][] = [
  [null, 'scenario takes an object'],
  [[], 'scenario takes an object'],
  ['x', 'scenario takes an object'],
  [{ evnts: 1 }, "unknown field 'evnts'"],
  [{ constructor: 1 }, "unknown field 'constructor'"],
  [{ status: '200' }, 'status takes a whole number from 200 to 999, not "200"'],
  [{ status: 103 }, 'status'],
  [{ events: 1.5 }, 'events'],
  [{ events: -1 }, 'events'],
  [{ pace_ms: Number.NaN }, 'pace_ms'],
  [{ pace: 'slow' }, 'pace takes one of event, byte, none'],
  [{ split: 0 }, 'split'],
  [{ split_at: 3 }, 'split_at takes a list'],
  [{ split_at: [1, 'x'] }, 'split_at[1]'],
  [{ split: 1, split_at: [1] }, 'split_at cannot be combined with split'],
  [{ headers: { a: 'b' } }, 'headers takes a list'],
  [{ headers: [['a']] }, 'headers[0] takes a [name, value] pair'],
  [{ headers: [['a b', 'c']] }, 'headers[0][0]'],
  [{ headers: [['a', 'c\r\nd: e']] }, 'headers[0][1]'],
  [{ content_type: 'a\nb' }, 'content_type'],
  [{ body: 1 }, 'body takes a string'],
  [{ body_base64: '?' }, 'body_base64'],
  [{ body: 'a', events: 1 }, 'events cannot be combined with body'],
  [{ replay: '../x' }, 'replay takes a plain file name'],
  [{ gzip: 1 }, 'gzip takes true or false'],
  [{ framing: 'morse' }, 'framing takes one of chunked'],
  [{ reorder: [1] }, 'reorder takes a list of two'],
  [{ fault: 'reset' }, 'fault takes an object'],
  [{ fault: {} }, 'fault.kind is missing'],
  [{ fault: { kind: 'explode' } }, 'fault.kind takes one of refuse'],
  [{ fault: { kind: 'reset', after: 1 } }, "unknown field 'fault.after'"],
  [{ fault: { kind: 'reset', after_bytes: -1 } }, 'fault.after_bytes'],
  [{ fault: { kind: 'hang', after_bytes: 1 } }, "fault.after_bytes does not apply to kind 'hang'"],
];

test.each(BAD)('%j is refused', (value, message) => {
  expect(() => parseScenario(value)).toThrow(message);
  expect(() => parseScenario(value)).toThrow(ScenarioError);
});

test('a scenario with every kind of field is taken as it is', () => {
  const scenario = {
    status: 200,
    headers: [['set-cookie', 'a=b']],
    json: null,
    pace_ms: 0.5,
    pace: 'event',
    split_at: [1, 2],
    framing: 'close',
    fault: { kind: 'reset', after_bytes: 0 },
  };
  expect(parseScenario(scenario)).toEqual(scenario as never);
  expect(parseScenarioText('{"events":3}')).toEqual({ events: 3 });
  expect(() => parseScenarioText('{')).toThrow('not JSON');
});

test('a bad scenario in a request is a 400 that names the field, and the connection goes on', async () => {
  const server = mockServer();
  const client = await clientOf(server);
  for (const [mock, field] of [
    [{ evnts: 1 }, 'evnts'],
    [{ fault: { kind: 'x' } }, 'fault.kind'],
    ['x', 'scenario'],
    [{ events: 3, drop: 3 }, 'drop is 3'],
    [{ body: 'x', duplicate: 0 }, 'duplicate needs an answer made of events'],
    [{ replay: 'x.sse' }, 'replay'],
  ] as const) {
    const answer = await client.post({ stream: true, mock }).answer();
    expect(answer.status).toBe(400);
    const { error } = answer.json as { error: { message: string; type: string; code: string } };
    expect(error).toMatchObject({ type: 'invalid_request_error', code: 'invalid_scenario' });
    expect(error.message).toContain(field);
  }
});

test('the script comes before the request, the request before the default', async () => {
  const server = mockServer({ scenario: { body: 'default' } });
  const client = await clientOf(server);
  expect((await client.post({}).answer()).text).toBe('default');
  expect((await client.post({ mock: { body: 'request' } }).answer()).text).toBe('request');
  server.script((request) => (request.path === '/scripted' ? { body: 'script' } : undefined));
  expect((await client.post({ mock: { body: 'request' } }, '/scripted').answer()).text).toBe('script');
  expect((await client.post({ mock: { body: 'request' } }).answer()).text).toBe('request');
  server.reset();
  expect((await client.post({ mock: { body: 'request' } }, '/scripted').answer()).text).toBe('request');
});

test('a bad default or script is refused where it is given; a script that throws is a 500', async () => {
  expect(() => mockServer({ scenario: { split: 0 } })).toThrow('split');
  const server = mockServer();
  expect(() => server.script({ split: 0 })).toThrow('split');
  server.script(() => {
    throw new Error('a mistake in the test');
  });
  const answer = await (await clientOf(server)).post({}).answer();
  expect([answer.status, answer.text]).toEqual([500, expect.stringContaining('a mistake in the test')]);
});
