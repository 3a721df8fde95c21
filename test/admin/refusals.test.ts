/** What the admin API refuses, string for string: who may not call it, and what it does not take. */
import { describe, expect, test } from 'bun:test';
import { jsonOf, pair, UUID } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { ADMIN_KEY, type AdminCall, admin, adminCall, errorOf, storedKey } from './admin-client.ts';

const ROUTES = [
  ['POST', '/api-keys'],
  ['GET', '/api-keys'],
  ['GET', '/api-keys/x'],
  ['PATCH', '/api-keys/x'],
  ['POST', '/api-keys/x/revoke'],
  ['POST', '/api-keys/x/suspend'],
  ['POST', '/api-keys/x/activate'],
  ['POST', '/api-keys/x/rotate'],
  ['GET', '/usage'],
  ['GET', '/requests'],
] as const;

describe('with an admin key', () => {
  const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY } });

  async function expectRefused(path: string, call: AdminCall, status: number, error: object): Promise<void> {
    const answer = await adminCall(bench.gateway, path, call);
    expect({ path, call, status: answer.status, json: answer.json }).toEqual({ path, call, status, json: error });
    expect(answer.headers.get('x-request-id')).toMatch(UUID);
    expect(answer.headers.get('content-type')).toBe('application/json');
  }

  test.each(['x', 'gw', 'api', 'gw:80', 'abcd', ''])('a client may call the gateway %p', async (host) => {
    const call = (method: string, path: string, body?: string) =>
      rawRequest(bench.gateway.port, {
        method,
        path: `/admin${path}`,
        headers: { host, authorization: `Bearer ${ADMIN_KEY}` },
        ...(body === undefined ? {} : { body }),
      });
    const created = await call('POST', '/api-keys', '{"name":"of a short host"}');
    expect([created.status, jsonOf(created)]).toMatchObject([201, { name: 'of a short host' }]);
    expect((await call('GET', '/requests?limit=1')).status).toBe(200);
    expect((await call('GET', '/nothing')).status).toBe(404);
  });

  test('every route answers 401 without it, whatever else is wrong', async () => {
    const invalid = errorOf('Invalid admin API key', 'invalid_api_key');
    for (const [method, path] of ROUTES) {
      await expectRefused(path, { method, headers: { authorization: '' } }, 401, invalid);
      await expectRefused(path, { method, headers: { authorization: 'Bearer wrong' } }, 401, invalid);
    }
    for (const authorization of [
      bench.gateway.key,
      `Bearer ${bench.gateway.key}`,
      `Basic ${ADMIN_KEY}`,
      `Bearer${ADMIN_KEY}`,
      `Bearer ${ADMIN_KEY}x`,
      `Bearer ${ADMIN_KEY.slice(0, -1)}`,
      `Bearer ${ADMIN_KEY.toUpperCase()}`,
      'Bearer',
    ]) {
      await expectRefused('/api-keys', { body: '{', headers: { authorization } }, 401, invalid);
    }
    await expectRefused('/nothing', { headers: { authorization: '' } }, 401, invalid);
  });

  test('it is taken with the scheme in any case, and without one', async () => {
    for (const authorization of [ADMIN_KEY, `Bearer ${ADMIN_KEY}`, `bearer   ${ADMIN_KEY}`, `BEARER ${ADMIN_KEY}`]) {
      expect(Array.isArray(await admin(bench.gateway, '/api-keys', { headers: { authorization } }))).toBe(true);
    }
  });

  test('it is no key of the data plane, and is not taken from the query', async () => {
    const { status } = await bench.call({ headers: { authorization: `Bearer ${ADMIN_KEY}` } });
    expect(status).toBe(401);
    const query = { headers: { authorization: '' } };
    expect((await adminCall(bench.gateway, `/api-keys?access_token=${ADMIN_KEY}`, query)).status).toBe(401);
  });

  test("a client's own request id comes back", async () => {
    const headers = { 'x-request-id': 'my-own.id_1' };
    expect((await adminCall(bench.gateway, '/api-keys', { headers })).headers.get('x-request-id')).toBe('my-own.id_1');
    const refused = await adminCall(bench.gateway, '/api-keys', { body: {}, headers });
    expect(refused.headers.get('x-request-id')).toBe('my-own.id_1');
  });

  test('a body that is no JSON object is invalid_json', async () => {
    for (const [body, message] of [
      ['{', 'The request body is not valid JSON'],
      ['', 'The request body is not valid JSON'],
      ['name=x', 'The request body is not valid JSON'],
      [new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'The request body is not valid JSON'],
      ['[]', 'The request body must be a JSON object'],
      ['null', 'The request body must be a JSON object'],
      ['"name"', 'The request body must be a JSON object'],
      ['1', 'The request body must be a JSON object'],
    ] as const) {
      await expectRefused('/api-keys', { body }, 400, errorOf(message, 'invalid_json'));
      await expectRefused('/api-keys/x', { method: 'PATCH', body }, 400, errorOf(message, 'invalid_json'));
    }
  });

  const NAME = "Invalid value for 'name': expected a text of 1 to 255 characters";
  const limit = (field: string) =>
    `Invalid value for '${field}': expected a whole number from 1 to 999999999999999, or null for no limit`;
  const MODELS =
    "Invalid value for 'allowed_models': expected an array of 1 to 1000 model names, or null for all models";
  const TIME =
    "Invalid value for 'expires_at': expected an ISO 8601 time with its zone, e.g. 2030-01-31T12:00:00Z, or null";

  const TAGS =
    "Invalid value for 'tags': expected an object of at most 8 names ([a-z0-9_-]{1,32}) with texts of at most 64 characters";

  const WRONG: [string, unknown, string][] = [
    ...[null, 1, '', 'x'.repeat(256), '\u{1F511}'.repeat(256), 'a\0b', ['x'], true].map(
      (name): [string, unknown, string] => ['name', name, NAME],
    ),
    ...['rpm_limit', 'rpd_limit', 'monthly_limit', 'monthly_token_limit', 'max_concurrent'].flatMap((field) =>
      [0, -1, 1.5, '5', '', true, [], {}, 1e15].map((value): [string, unknown, string] => [field, value, limit(field)]),
    ),
    ...['gpt-4o', [], [''], [1], [null], ['x'.repeat(256)], {}, 0, false, Array(1001).fill('m')].map(
      (value): [string, unknown, string] => ['allowed_models', value, MODELS],
    ),
    ...['true', 1, [], 0].map((value): [string, unknown, string] => [
      'inject_stream_usage',
      value,
      "Invalid value for 'inject_stream_usage': expected true, false or null",
    ]),
    ...['', 'wait', true, ['drain']].map((value): [string, unknown, string] => [
      'on_leave',
      value,
      'Invalid value for \'on_leave\': expected "drain", "cancel" or null',
    ]),
    ...[[], 'chat', ['chat', 'chats'], [''], {}].map((value): [string, unknown, string] => [
      'allowed_endpoints',
      value,
      "Invalid value for 'allowed_endpoints': expected an array of the names chat, responses, messages, embeddings, " +
        'completions, models, audio, images, files, assistants, conversations, or null for all endpoints',
    ]),
    ...[
      null,
      [],
      'team=a',
      { Team: 'a' },
      { '': 'a' },
      { 'a b': 'a' },
      { ['t'.repeat(33)]: 'a' },
      { team: 1 },
      { team: null },
      { team: 'x'.repeat(65) },
      { team: 'a\0' },
      { team: '\ud800' },
      Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`t${i}`, 'a'])),
    ].map((value): [string, unknown, string] => ['tags', value, TAGS]),
    ...[
      '',
      'tomorrow',
      '2030-02-30',
      '2030-01-01T00:00:00',
      '2030-13-01T00:00:00Z',
      1893456000,
      true,
      '9999-12-31T23:59:59-01:00',
    ].map((value): [string, unknown, string] => ['expires_at', value, TIME]),
    ['rpm', 5, "Unknown field 'rpm'"],
    ['status', 'active', "Unknown field 'status'"],
    ['key', 'sk-bve-x', "Unknown field 'key'"],
    ['a/b~c', 1, "Unknown field 'a/b~c'"],
    ['', 1, "Unknown field ''"],
    ['f'.repeat(100), 1, `Unknown field '${'f'.repeat(64)}…'`],
  ];

  test('a wrong field is named, on create and on patch alike, and nothing is changed', async () => {
    const { key, ...created } = await admin(bench.gateway, '/api-keys', { body: { name: 'n' } });
    const keysBefore = (await admin(bench.gateway, '/api-keys')).length;
    for (const [field, value, message] of WRONG) {
      const error = errorOf(message, 'invalid_request');
      await expectRefused('/api-keys', { body: { name: 'n', [field]: value } }, 400, error);
      await expectRefused(`/api-keys/${created.id}`, { method: 'PATCH', body: { [field]: value } }, 400, error);
    }
    await expectRefused('/api-keys', { body: {} }, 400, errorOf("Missing field 'name'", 'invalid_request'));
    // What JavaScript would hide.
    const polluting = '{"name":"n","__proto__":{"rpm_limit":5}}';
    await expectRefused('/api-keys', { body: polluting }, 400, errorOf("Unknown field '__proto__'", 'invalid_request'));
    await expectRefused('/api-keys', { body: '{"name":"\\ud800"}' }, 400, errorOf(NAME, 'invalid_request'));
    await expectRefused(
      '/api-keys',
      { body: '{"name":"n","rpm_limit":1e999}' },
      400,
      errorOf(limit('rpm_limit'), 'invalid_request'),
    );
    expect(await storedKey(bench.gateway, created.id)).toEqual(created);
    expect(await admin(bench.gateway, '/api-keys')).toHaveLength(keysBefore);
  });

  test('rotate takes a whole number of seconds', async () => {
    const { id } = await admin(bench.gateway, '/api-keys', { body: { name: 'n' } });
    for (const grace_seconds of [-1, 1.5, '5', null, 1e9]) {
      const message = "Invalid value for 'grace_seconds': expected a whole number from 0 to 31622400";
      await expectRefused(
        `/api-keys/${id}/rotate`,
        { body: { grace_seconds } },
        400,
        errorOf(message, 'invalid_request'),
      );
    }
    const unknown = errorOf("Unknown field 'grace'", 'invalid_request');
    await expectRefused(`/api-keys/${id}/rotate`, { body: { grace: 1 } }, 400, unknown);
  });

  test('a wrong query parameter is named', async () => {
    const GROUPS =
      "Invalid value for 'group_by': expected key, model, day, month or tag:NAME, or two of them with a comma between";
    const day = (name: string) => `Invalid value for '${name}': expected a UTC date as YYYY-MM-DD`;
    for (const [path, message] of [
      ['/usage?keyid=x', "Unknown parameter 'keyid'"],
      ['/usage?from=2026-01-01&from=2026-01-01', "Parameter 'from' is given twice"],
      ['/api-keys/x?a=&a=', "Parameter 'a' is given twice"],
      ['/usage?from=2026-02-30', day('from')],
      ['/usage?to=yesterday', day('to')],
      ['/usage?from=2026-01-02&to=2026-01-01', "Invalid value for 'from': it is later than 'to'"],
      ['/requests?limit=0', "Invalid value for 'limit': expected a whole number from 1 to 1000"],
      ['/requests?limit=1001', "Invalid value for 'limit': expected a whole number from 1 to 1000"],
      ['/requests?limit=1e2', "Invalid value for 'limit': expected a whole number from 1 to 1000"],
      ['/requests?before=x', "Invalid value for 'before': expected a record's id, or an ISO 8601 time with its zone"],
      ['/requests?from=2026-01-01', "Unknown parameter 'from'"],
      ['/requests?status=20x', "Invalid value for 'status': expected a whole number from 100 to 599"],
      [
        '/requests?min_duration_ms=-1',
        "Invalid value for 'min_duration_ms': expected a whole number from 0 to 999999999999999",
      ],
      [
        '/requests?finish=done',
        "Invalid value for 'finish': expected one of complete, client_closed, upstream_interrupted, error",
      ],
      ['/usage/summary?group_by=keys', GROUPS],
      ['/usage/summary?group_by=key,key', GROUPS],
      ['/usage/summary?group_by=key,day,month', GROUPS],
      ['/usage/summary?group_by=tag:Team', GROUPS],
      ['/usage/summary?group_by=key,', GROUPS],
      ['/usage/summary?from=2026-13-01', day('from')],
      ['/usage/summary?group=key', "Unknown parameter 'group'"],
      ['/api-keys?status=expired', "Invalid value for 'status': expected one of active, suspended, revoked"],
      ['/api-keys?limit=0', "Invalid value for 'limit': expected a whole number from 1 to 1000"],
      ['/api-keys?after=nobody', "Invalid value for 'after': expected the id of a key"],
      ['/api-keys?name=x', "Unknown parameter 'name'"],
      ['/api-keys?q=a&q=b', "Parameter 'q' is given twice"],
      ['/config?a=1&a=1', "Parameter 'a' is given twice"],
    ] as const) {
      await expectRefused(path, {}, 400, errorOf(message, 'invalid_request'));
    }
  });

  test('an unknown key is 404, on every route of a key', async () => {
    const error = errorOf('API key not found', 'api_key_not_found');
    for (const id of [crypto.randomUUID(), 'x', '%zz', '%00', '..%2f..', "'%20OR%201=1"]) {
      await expectRefused(`/api-keys/${id}`, {}, 404, error);
      await expectRefused(`/api-keys/${id}`, { method: 'PATCH', body: {} }, 404, error);
      await expectRefused(`/api-keys/${id}`, { method: 'DELETE' }, 404, error);
      for (const action of ['revoke', 'suspend', 'activate', 'rotate']) {
        await expectRefused(`/api-keys/${id}/${action}`, { method: 'POST' }, 404, error);
      }
    }
  });

  test('an unknown path is 404, another method 405 with Allow', async () => {
    for (const path of ['/nothing', '/api-keys/', '/api-keys/x/destroy', '/usage/x', '']) {
      const error = errorOf(`Route GET /admin${path} not found`, 'route_not_found');
      await expectRefused(path, {}, 404, error);
    }
    for (const [method, path, allow, use] of [
      ['DELETE', '/api-keys', 'GET, HEAD, POST', 'GET or POST'],
      ['PUT', '/api-keys/x', 'GET, HEAD, PATCH, DELETE', 'GET or PATCH or DELETE'],
      ['GET', '/api-keys/x/revoke', 'POST', 'POST'],
      ['POST', '/usage', 'GET, HEAD', 'GET'],
      ['OPTIONS', '/requests', 'GET, HEAD', 'GET'],
    ] as const) {
      const answer = await adminCall(bench.gateway, path, { method });
      const message = `Method ${method} is not allowed, use ${use}`;
      expect([answer.status, answer.json]).toEqual([405, errorOf(message, 'method_not_allowed')]);
      expect(answer.headers.get('allow')).toBe(allow);
    }
  });

  test('HEAD is answered as GET is, without a body', async () => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    for (const [path, status] of [
      ['/admin/api-keys', 200],
      ['/admin/usage', 200],
      ['/admin/nothing', 404],
    ] as const) {
      const answer = await fetch(bench.gateway.url + path, { method: 'HEAD', headers });
      expect([answer.status, await answer.text()]).toEqual([status, '']);
      expect(answer.headers.get('x-request-id')).not.toBeNull();
    }
  });

  test('a compressed body is refused', async () => {
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'content-encoding': 'gzip' };
    const answer = await fetch(`${bench.gateway.url}/admin/api-keys`, {
      method: 'POST',
      headers,
      body: Bun.gzipSync('{"name":"x"}'),
    });
    expect([answer.status, await answer.json()]).toMatchObject([
      415,
      { error: { code: 'unsupported_content_encoding' } },
    ]);
  });

  test('a body over 64 kB is refused, announced or not, before it is read to its end', async () => {
    const error = errorOf('The request body is larger than 65536 bytes', 'request_too_large');
    await expectRefused('/api-keys', { body: `{"name":"${'x'.repeat(65_536)}"}` }, 413, error);
    const headers = { authorization: `Bearer ${ADMIN_KEY}` };
    const announced = await rawRequest(bench.gateway.port, {
      path: '/admin/api-keys',
      headers: { ...headers, 'content-length': '10000000000' },
      body: '{',
    });
    expect([announced.status, jsonOf(announced)]).toEqual([413, error]);
    const piece = 'x'.repeat(65_537);
    const chunked = await rawRequest(bench.gateway.port, {
      path: '/admin/api-keys',
      headers: { ...headers, 'transfer-encoding': 'chunked' },
      body: `${piece.length.toString(16)}\r\n${piece}\r\n`,
    });
    expect([chunked.status, jsonOf(chunked)]).toEqual([413, error]);
  });

  test('no CORS headers, on answers, refusals and preflights', async () => {
    const origin = { origin: 'https://example.org' };
    for (const call of [
      { headers: origin },
      { headers: { ...origin, authorization: '' } },
      { method: 'OPTIONS', headers: { ...origin, 'access-control-request-method': 'POST' } },
      { body: {}, headers: origin },
    ]) {
      const { headers } = await adminCall(bench.gateway, '/api-keys', call);
      expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });
});

describe('without an admin key', () => {
  const bench = pair();

  test('every route answers 403 admin_disabled, with any credentials', async () => {
    const error = errorOf('The admin API is disabled: ADMIN_API_KEY is not set', 'admin_disabled');
    for (const [method, path] of ROUTES) {
      for (const authorization of ['', 'Bearer x', 'Bearer undefined', bench.gateway.key]) {
        const answer = await adminCall(bench.gateway, path, { method, headers: { authorization } });
        expect([answer.status, answer.json]).toEqual([403, error]);
        expect(answer.headers.get('x-request-id')).toMatch(UUID);
      }
    }
  });
});
