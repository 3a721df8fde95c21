/** The schemas of the document are true: its own examples and the gateway's real answers and refusals fit them. */
import { beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { dashboardTypes } from '../../scripts/dashboard-types.ts';
import { ADMIN_KEY, adminCall } from '../admin/admin-client.ts';
import { isRequest, isSnapshot, LiveView } from '../admin/live-view.ts';
import { CHAT, PLAIN, pair } from '../support/pair.ts';

const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY } });

interface Media {
  readonly schema: object;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

interface Part {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, Media>>;
}

interface Described {
  readonly requestBody?: Part;
  readonly responses: Readonly<Record<string, Part>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: { readonly schemas: object; readonly responses: Readonly<Record<string, Part>> };
}

let document: Document;
let ajv: Ajv2020;

beforeAll(async () => {
  document = (await (await fetch(`${bench.gateway.url}/openapi.json`)).json()) as Document;
  ajv = new Ajv2020({ strict: false });
  addFormats(ajv);
  ajv.addSchema({ $id: 'document', components: document.components });
});

/** What does not fit, in words; empty when all does. */
function misfits(schema: object, value: unknown): string {
  const refs = JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"document#/');
  const isFitting = ajv.compile(JSON.parse(refs) as object);
  return isFitting(value) ? '' : ajv.errorsText(isFitting.errors);
}

function partOf(path: string, method: string, status: number): Part {
  const part = document.paths[path]?.[method]?.responses[status];
  if (part === undefined) throw new Error(`${method} ${path} does not describe ${status}`);
  return part.$ref === undefined ? part : document.components.responses[part.$ref.split('/').at(-1)!]!;
}

function expectDescribed(path: string, method: string, { status, json }: { status: number; json: unknown }): void {
  const media = partOf(path, method, status).content?.['application/json'];
  const words = media === undefined ? (json === null ? '' : 'no JSON is described') : misfits(media.schema, json);
  expect({ path, method, status, words }).toEqual({ path, method, status, words: '' });
}

test('what does not fit is noticed', () => {
  expect(misfits({ $ref: '#/components/schemas/Key' }, {})).toContain("must have required property 'id'");
  expect(misfits({ $ref: '#/components/schemas/NewKey' }, { name: 'a', rpm_limit: 0 })).toContain('rpm_limit');
  expect(misfits({ $ref: '#/components/schemas/NewKey' }, { name: 'a', rpm: 1 })).toContain('additional properties');
});

test('every example fits its schema', () => {
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
  const parts = [
    ...operations.flatMap(({ requestBody, responses }) => [
      ...(requestBody ? [requestBody] : []),
      ...Object.values(responses),
    ]),
    ...Object.values(document.components.responses),
  ];
  let examples = 0;
  for (const { content = {} } of parts) {
    for (const { schema, example, examples: named = {} } of Object.values(content)) {
      for (const value of [
        ...(example === undefined ? [] : [example]),
        ...Object.values(named).map((one) => one.value),
      ]) {
        examples++;
        expect({ value, words: misfits(schema, value) }).toEqual({ value, words: '' });
      }
    }
  }
  expect(examples).toBeGreaterThan(100);
});

test('every JSON body and every JSON answer of success has an example', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, { requestBody, responses }] of Object.entries(item)) {
      for (const { content } of [requestBody ?? {}, ...Object.values(responses)]) {
        const media = content?.['application/json'];
        if (media) expect({ path, method, example: media.example }).not.toEqual({ path, method, example: undefined });
      }
    }
  }
});

test('the answers of the admin API are as described, from a key to its usage', async () => {
  const keys = '/admin/api-keys';
  const one = `${keys}/{id}`;
  const call = (path: string, method: string, body?: unknown) =>
    adminCall(bench.gateway, path, { method: method.toUpperCase(), ...(body === undefined ? {} : { body }) });

  const created = await call('/api-keys', 'post', {
    name: 'a',
    monthly_token_limit: 5,
    allowed_models: ['m'],
    allowed_endpoints: ['chat'],
    inject_stream_usage: false,
    on_leave: 'cancel',
    tags: { team: 'a' },
    expires_at: '2099-01-01T00:00:00Z',
  });
  expectDescribed(keys, 'post', created);
  const { id, key } = created.json as { id: string; key: string };
  expectDescribed(keys, 'post', await call('/api-keys', 'post', {}));
  expectDescribed(keys, 'post', await call('/api-keys', 'post', 'no JSON'));
  await (
    await fetch(`${bench.gateway.url}${CHAT}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify(PLAIN),
    })
  ).text();
  await bench.gateway.waitForUsage(1);

  expectDescribed(keys, 'get', await call('/api-keys', 'get'));
  expectDescribed(one, 'get', await call(`/api-keys/${id}`, 'get'));
  expectDescribed(one, 'get', await call('/api-keys/unknown', 'get'));
  expectDescribed(one, 'patch', await call(`/api-keys/${id}`, 'patch', { rpm_limit: null }));
  for (const path of ['/usage', '/usage/summary', '/requests', '/targets', '/config'])
    expectDescribed(`/admin${path}`, 'get', await call(path, 'get'));
  expectDescribed('/admin/usage/summary', 'get', await call('/usage/summary?group_by=tag:team,model', 'get'));
  expectDescribed('/admin/usage/summary', 'get', await call('/usage/summary?group_by=tag:none', 'get'));
  expectDescribed('/admin/usage', 'get', await call('/usage?from=tomorrow', 'get'));

  expectDescribed(one, 'delete', await call(`/api-keys/${id}`, 'delete'));
  for (const change of ['suspend', 'activate', 'rotate', 'revoke', 'rotate', 'activate'])
    expectDescribed(`${one}/${change}`, 'post', await call(`/api-keys/${id}/${change}`, 'post'));
  expectDescribed(one, 'delete', await call(`/api-keys/${id}`, 'delete'));
});

test('refusals are as described, in the envelope of each API', async () => {
  for (const path of [CHAT, '/v1/messages', '/v1/responses']) {
    for (const authorization of ['', 'Bearer wrong', `Bearer ${bench.gateway.key}`]) {
      const headers = { ...(authorization && { authorization }) };
      const answer = await fetch(`${bench.gateway.url}${path}`, { method: 'POST', headers, body: '[]' });
      expectDescribed(path, 'post', { status: answer.status, json: await answer.json() });
    }
  }
  const key = await fetch(`${bench.gateway.url}/v1/key`);
  expectDescribed('/v1/key', 'get', { status: key.status, json: await key.json() });
  const locked = await adminCall(bench.gateway, '/targets', { headers: { authorization: 'Bearer wrong' } });
  expectDescribed('/admin/targets', 'get', locked);
});

test('the live view tells snapshots and records as described', async () => {
  const view = await LiveView.open(bench.gateway.url);
  await bench.call({ body: PLAIN });
  const record = await view.next(isRequest);
  expect(misfits({ $ref: '#/components/schemas/UsageRecord' }, record!.data)).toBe('');
  const snapshot = await view.next(isSnapshot);
  expect(misfits({ $ref: '#/components/schemas/LiveSnapshot' }, snapshot!.data)).toBe('');
  await view.close();
});

test("the dashboard's types are what the schemas say: else run `bun run generate:types`", async () => {
  const file = join(import.meta.dir, '../../src/dashboard/app/api/admin-api.gen.ts');
  expect(await dashboardTypes()).toBe(readFileSync(file, 'utf8'));
});
