import { describe, expect, test } from 'bun:test';
import { groupsOf, type OpenApiDocument, resolve } from '../../src/dashboard/app/pages/docs/openapi.ts';
import { boundsOf, exampleOf, propertiesOf, typeText } from '../../src/dashboard/app/pages/docs/schema-text.ts';
import { FAKE_OPENAPI } from './fake-openapi.ts';

const DOCUMENT = FAKE_OPENAPI as unknown as OpenApiDocument;

describe('an OpenAPI document', () => {
  test('is read as operations in groups, in its own order', () => {
    const groups = groupsOf(DOCUMENT);
    expect(groups.map(({ name, operations }) => [name, operations.length])).toEqual([
      ['Generate', 1],
      ['Keys', 3],
      ['Health', 1],
    ]);
    const [create] = groups[0]!.operations;
    expect(create).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions',
      security: ['A client key: `Authorization: Bearer sk-bve-…`.'],
    });
    expect(create!.answers.map(({ status }) => status)).toEqual(['200', '401']);
    expect(create!.answers[1]!.contents[0]!.examples[0]!.value).toMatchObject({ error: { code: 'invalid_api_key' } });
  });

  test('gives every operation the parameters of its path', () => {
    const operations = groupsOf(DOCUMENT)[1]!.operations;
    expect(operations[0]!.parameters.map(({ name }) => name)).toEqual(['id']);
  });

  test('may refer in circles, to nothing and to elsewhere', () => {
    const circle = {
      components: { schemas: { A: { $ref: '#/components/schemas/B' }, B: { $ref: '#/components/schemas/A' } } },
    };
    expect(resolve(circle, { $ref: '#/components/schemas/A' })).toBeNull();
    expect(resolve(DOCUMENT, { $ref: '#/nothing/here' })).toBeNull();
    expect(resolve(DOCUMENT, { $ref: 'https://example.com/x.json' })).toBeNull();
    const inner: OpenApiDocument = {
      components: { schemas: { N: { type: 'object', properties: { next: { $ref: '#/components/schemas/N' } } } } },
    };
    expect(() => JSON.stringify(exampleOf(inner, { $ref: '#/components/schemas/N' }))).not.toThrow();
  });

  test('may be empty', () => {
    expect(groupsOf({})).toEqual([]);
    expect(groupsOf({ paths: { '/x': { get: {} } } })[0]).toMatchObject({ name: 'Other' });
  });
});

describe('a schema', () => {
  test('has its type in few words', () => {
    const type = (schema: object) => typeText(DOCUMENT, schema);
    expect(type({ type: ['integer', 'null'] })).toBe('integer or null');
    expect(type({ anyOf: [{ type: 'integer' }, { type: 'null' }] })).toBe('integer or null');
    expect(type({ type: 'array', items: { $ref: '#/components/schemas/Error' } })).toBe('array of Error');
    expect(type({ enum: ['a', 'b'] })).toBe('"a" | "b"');
    expect(type({ const: true })).toBe('true');
    expect(type({})).toBe('any');
  });

  test('has its bounds', () => {
    expect(boundsOf({ minimum: 1, maximum: 1000, default: 50 })).toEqual(['1 to 1000', 'default 50']);
    expect(boundsOf({ minLength: 1 })).toEqual(['at least 1 character']);
  });

  test('has the properties of all its parts', () => {
    const names = propertiesOf(DOCUMENT, { $ref: '#/components/schemas/Key' }).map(({ name, required }) => [
      name,
      required,
    ]);
    expect(names).toEqual([
      ['id', true],
      ['tags', false],
      ['rpm_limit', false],
    ]);
  });

  test('has an example', () => {
    expect(exampleOf(DOCUMENT, { $ref: '#/components/schemas/Key' })).toEqual({ id: 'string', tags: {}, rpm_limit: 1 });
    expect(exampleOf(DOCUMENT, { type: 'array', items: { type: 'boolean' } })).toEqual([true]);
  });
});
