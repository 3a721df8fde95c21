/** GET /openapi.json as a client sees it: valid, whole, and true to what is mounted. */
import { beforeAll, describe, expect, test } from 'bun:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { ENDPOINTS } from '../../src/gateway/endpoints.ts';
import { matchesPath } from '../../src/http/route.ts';
import { FIELD_LIST } from '../../src/keys/fields.ts';
import { ADMIN_OPERATIONS } from '../../src/openapi/admin-operations.ts';
import { openApiDocument } from '../../src/openapi/document.ts';
import { GATEWAY_OPERATIONS } from '../../src/openapi/gateway-operations.ts';
import { ADMIN_KEY, admin, adminCall } from '../admin/admin-client.ts';
import { pair } from '../support/pair.ts';

const METRICS_TOKEN = 'metrics-token-0123456789';
const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY, METRICS_TOKEN } });

interface Described {
  readonly operationId: string;
  readonly parameters?: readonly {
    name: string;
    in: string;
    schema: { enum?: string[]; format?: string; type?: string };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example: unknown }>> };
  readonly responses: Readonly<Record<string, { $ref?: string; content?: Record<string, { example?: unknown }> }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of an answer is what it tests.
  readonly components: any;
}

let text: string;
let document: Document;
let operations: { method: string; path: string; operation: Described }[];

beforeAll(async () => {
  text = await (await fetch(`${bench.gateway.url}/openapi.json`)).text();
  document = JSON.parse(text) as Document;
  operations = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
});

describe('the document', () => {
  test('is public, cached, and asked for again by its tag', async () => {
    const answer = await fetch(`${bench.gateway.url}/openapi.json`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=60');
    const etag = answer.headers.get('etag')!;
    const again = await fetch(`${bench.gateway.url}/openapi.json`, { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const head = await fetch(`${bench.gateway.url}/openapi.json`, { method: 'HEAD' });
    expect([head.status, head.headers.get('etag')]).toEqual([200, etag]);
  });

  test('is valid OpenAPI 3.1, and each reference leads somewhere', async () => {
    const validator = new Validator();
    expect(await validator.validate(JSON.parse(text))).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
    for (const [, ref] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = ref!
        .split('/')
        .reduce<Record<string, never> | undefined>((at, name) => at?.[name], JSON.parse(text));
      expect({ ref, isThere: found !== undefined }).toEqual({ ref, isThere: true });
    }
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(ids).toEqual([...new Set(ids)]);
  });

  test('names all parameters of a path', () => {
    for (const { path, operation } of operations) {
      const inPath = (operation.parameters ?? [])
        .filter((parameter) => parameter.in === 'path')
        .map(({ name }) => name);
      expect({ path, names: inPath }).toEqual({
        path,
        names: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!),
      });
    }
  });

  test('says nothing of the upstream key or the admin key', () => {
    expect(text).not.toContain(ADMIN_KEY);
    expect(text).not.toContain(METRICS_TOKEN);
    expect(text).not.toContain('fx-');
  });
});

describe('its routes', () => {
  test('hold every endpoint, and every route that is described by itself', () => {
    const shown = operations.map(({ method, path }) => `${method} ${path}`).sort();
    const rows = ENDPOINTS.map(({ method, path }) => `${method} ${path}`);
    const all = [...rows, ...Object.keys(ADMIN_OPERATIONS), ...Object.keys(GATEWAY_OPERATIONS)];
    expect(shown).toEqual(all.map((name) => name.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}')).sort());
  });

  test('are none that is not mounted; a mounted one without a description is an error', () => {
    expect(Object.keys(openApiDocument([{ method: 'GET', path: '/health' }]).paths as object)).toEqual(['/health']);
    expect(() => openApiDocument([{ method: 'GET', path: '/new' }])).toThrow('does not describe GET /new');
  });

  test('are those that exist: what Allow says of each path, and nothing else', async () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const actual = path.replaceAll(/\{\w+\}/g, 'none');
      const answer = await fetch(`${bench.gateway.url}${actual}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
      });
      const allowed = (answer.headers.get('allow') ?? '').split(', ').filter((method) => method !== 'HEAD');
      const described = Object.keys(item).map((method) => method.toUpperCase());
      expect({ path, status: answer.status }).toEqual({ path, status: 405 });
      for (const method of described)
        expect({ path, allowed }).toEqual({ path, allowed: expect.arrayContaining([method]) });
      const others = allowed.filter((method) => !described.includes(method));
      for (const method of others)
        expect({ path, method, isOfAnother: matchesAnother(path, method) }).toEqual({
          path,
          method,
          isOfAnother: true,
        });
    }
  });
});

/** Whether a path with parameters also stands for this one. */
function matchesAnother(path: string, method: string): boolean {
  return operations.some((other) => {
    const pattern = other.path
      .replace(/\{path\}$/, '*')
      .replace(/\{model\}$/, '*')
      .replaceAll(/\{(\w+)\}/g, ':$1');
    return other.path !== path && other.method === method && matchesPath(pattern, path);
  });
}

describe('the admin API is as it says', () => {
  test('the fields of a key are those of the table, with its examples accepted', async () => {
    const names = FIELD_LIST.map(([, { name }]) => name);
    expect(Object.keys(document.components.schemas.NewKey.properties)).toEqual(names);
    expect(document.components.schemas.NewKey.required).toEqual(['name']);
    expect(document.components.schemas.NewKey.properties.name.maxLength).toBe(255);
    const body = document.paths['/admin/api-keys']!.post!.requestBody!.content['application/json']!.example;
    const created = await admin(bench.gateway, '/api-keys', { body });
    const shown = document.paths['/admin/api-keys']!.post!.responses['201']!.content!['application/json']!.example;
    expect(Object.keys(created)).toEqual(Object.keys(shown as object));
    expect(new Set(Object.keys(document.components.schemas.Key.properties))).toEqual(
      new Set(Object.keys(created).filter((name) => name !== 'key')),
    );
    const one = await admin(bench.gateway, `/api-keys/${created.id}`);
    expect(Object.keys(one.limits)).toEqual(Object.keys(document.components.schemas.Limits.properties));
  });

  test('every documented query parameter is taken', async () => {
    const { id } = await admin(bench.gateway, '/api-keys', { body: { name: 'n' } });
    const values: Record<string, string> = { after: id, before: '2030-01-31T12:00:00Z', limit: '1', status: '200' };
    for (const { method, path, operation } of operations) {
      if (method !== 'GET' || !path.startsWith('/admin/')) continue;
      for (const { name, schema, ...parameter } of operation.parameters ?? []) {
        if (parameter.in !== 'query') continue;
        const value =
          schema.enum?.[0] ??
          (schema.format === 'date' ? '2030-01-31' : (values[name] ?? (name === 'group_by' ? 'key' : '1')));
        const answer = await adminCall(bench.gateway, `${path.slice('/admin'.length)}?${name}=${value}`);
        expect({ path, name, status: answer.status }).toEqual({ path, name, status: 200 });
      }
    }
  });

  test('what an answer holds is what its schema names', async () => {
    const targets = await admin(bench.gateway, '/targets');
    const { properties } = document.components.schemas.Target;
    expect(Object.keys(targets.targets[0])).toEqual(Object.keys(properties));
    const summary = await admin(bench.gateway, '/usage/summary');
    const total = document.components.schemas.UsageSummary.properties.total.properties;
    expect(Object.keys(summary.total)).toEqual(Object.keys(total));
    const status = await fetch(`${bench.gateway.url}/v1/key`, {
      headers: { authorization: `Bearer ${bench.gateway.key}` },
    });
    expect(Object.keys((await status.json()) as object)).toEqual(
      Object.keys(document.components.schemas.KeyStatus.properties),
    );
  });
});
