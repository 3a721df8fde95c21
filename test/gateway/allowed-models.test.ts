/** A key that is limited to certain models: no reading of its request leads to another one. */
import { beforeAll, describe, expect, test } from 'bun:test';
import { CHAT, jsonOf, pair } from '../support/pair.ts';

const p = pair();
let headers: Record<string, string>;

beforeAll(async () => {
  const { key } = await p.gateway.createKey('--unlimited', '--allowed-models', 'good,better');
  headers = { authorization: `Bearer ${key}` };
});

describe('a body is sent on, byte for byte, when all models in it are allowed', () => {
  test.each([
    '{"model":"good","messages":[]}',
    '{"mod\\u0065l":"g\\u006fod","messages":[]}',
    '{"model":"good","models":["better","good"],"fallbacks":[],"messages":[]}',
    '{"model":"good","models":null,"messages":[]}',
    '{"model":"good","fallbacks":["bett\\u0065r"],"messages":[]}',
    '{"model":"good","messages":[{"model":"bad","models":["bad"],"Model":"bad"}]}',
    '{"model":"good","Models ":["bad"],"fallback":"bad","messages":[]}',
  ])('%s', async (body) => {
    expect((await p.call({ headers, body })).status).toBe(200);
    expect(p.mock.requests.at(-1)!.text).toBe(body);
  });
});

describe('a body is refused and not sent on', () => {
  const CASES: readonly [body: string, status: number, code: string, message: string][] = [
    ['{"model":"bad"}', 403, 'model_not_allowed', "Model 'bad' is not allowed for this API key"],
    ['{}', 400, 'invalid_request', "'model'"],
    ['{"Model":"good"}', 400, 'invalid_request', "'model'"],
    ['{"Model":"bad"}', 400, 'invalid_request', "'model'"],
    ['{"\\u004dodel":"good"}', 400, 'invalid_request', "'model'"],
    ['{"model":"good","Model":"bad"}', 400, 'invalid_request', "'model'"],
    ['{"model":"good","models":["good","bad"]}', 403, 'model_not_allowed', "Model 'bad' is not allowed"],
    ['{"model":"good","fallbacks":["bad"]}', 403, 'model_not_allowed', "Model 'bad' is not allowed"],
    ['{"model":"good","f\\u0061llbacks":["b\\u0061d"]}', 403, 'model_not_allowed', "Model 'bad' is not allowed"],
    ['{"model":"good","Models":["good"]}', 400, 'invalid_request', "'models'"],
    ['{"model":"good","FALLBACKS":["bad"]}', 400, 'invalid_request', "'fallbacks'"],
    ['{"model":"good","fallback\u017f":["bad"]}', 400, 'invalid_request', "'fallbacks'"],
    ['{"model":"good","fallbac\u212as":["bad"]}', 400, 'invalid_request', "'fallbacks'"],
    ['{"model":"good","models":["good"],"models":["good"]}', 400, 'invalid_request', "'models'"],
    ['{"model":"good","models":["good",["bad"]]}', 400, 'invalid_request', "'models'"],
    ['{"model":"good","fallbacks":[{"model":"good"}]}', 400, 'invalid_request', "'fallbacks'"],
    ['{"model":"good","fallbacks":[{"good":["bad"]}]}', 400, 'invalid_request', "'fallbacks'"],
    ['{"model":"good","fallbacks":[null]}', 400, 'invalid_request', "'fallbacks'"],
    ['{"model":"good","models":"bad"}', 400, 'invalid_request', "'models'"],
    ['{"model":"good","models":{"0":"bad"}}', 400, 'invalid_request', "'models'"],
    [`{"model":"good","models":[${'"good",'.repeat(20_000)}"bad"]}`, 400, 'invalid_request', "'models'"],
  ];
  test.each(CASES)('%.80s', async (body, status, code, message) => {
    const answer = await p.call({ headers, body });
    const { error } = jsonOf(answer) as { error: { code: string; message: string } };
    expect([answer.status, error.code]).toEqual([status, code]);
    expect(error.message).toContain(message);
    expect(p.mock.requests.length).toBe(0);
  });

  test('another key may send all of these but two models', async () => {
    for (const [body] of CASES.filter(([text]) => !/"model".*"Model"/.test(text))) {
      expect((await p.call({ body })).status).toBe(200);
    }
  });
});

describe('a model in the query is refused, wherever it is spelled', () => {
  test.each([
    '?model=bad',
    '?model=good',
    '?a=1&Model=bad',
    '?%6dod%65l=bad',
    '?a=1;model=bad',
    '?model',
    '?model[]=bad',
    '?models=bad',
    '?+model=bad',
  ])('%s', async (query) => {
    const answer = await p.call({ headers, path: CHAT + query, body: '{"model":"good","messages":[]}' });
    expect([answer.status, jsonOf(answer)]).toMatchObject([400, { error: { code: 'invalid_request' } }]);
    expect(p.mock.requests.length).toBe(0);
  });

  test('any other parameter goes upstream', async () => {
    const query = '?api-version=1&a=model&mode=x&modeling=%zz';
    expect((await p.call({ headers, path: CHAT + query, body: '{"model":"good","messages":[]}' })).status).toBe(200);
    expect(p.mock.requests.at(-1)!.path).toEndWith(query);
  });

  test('another key may have one', async () => {
    expect((await p.call({ path: `${CHAT}?model=bad` })).status).toBe(200);
  });
});
