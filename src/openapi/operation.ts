/** The parts of an OpenAPI 3.1 document that are used here, and short ways to write them. */
export type JsonSchema = Readonly<Record<string, unknown>>;

interface Media {
  readonly schema: JsonSchema;
  readonly example?: unknown;
}

export interface DocumentedParameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly description?: string;
  /** Of a query: `?name=` is as if it were not there. */
  readonly allowEmptyValue?: boolean;
  readonly schema: JsonSchema;
}

export interface DocumentedAnswer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<Record<string, Media>>;
}

export interface DocumentedOperation {
  readonly tags: readonly [string];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly DocumentedParameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly description?: string;
    readonly content: Readonly<Record<string, Media>>;
  };
  readonly responses: Readonly<Record<string, DocumentedAnswer | { readonly $ref: string }>>;
}

export function schemaRef(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

export function jsonContent(schema: JsonSchema, example: unknown) {
  return { 'application/json': { schema, example } };
}

export function objectOf(properties: Readonly<Record<string, JsonSchema>>, required = Object.keys(properties)) {
  return { type: 'object', properties, ...(required.length > 0 && { required }) };
}

export function orNull(type: string): JsonSchema {
  return { type: [type, 'null'] };
}

export const TEXT: JsonSchema = { type: 'string' };
export const COUNT: JsonSchema = { type: 'integer', minimum: 0 };
export const TIME: JsonSchema = { type: 'string', format: 'date-time' };
export const TIME_OR_NULL: JsonSchema = { type: ['string', 'null'], format: 'date-time' };
export const UUID: JsonSchema = { type: 'string', format: 'uuid' };
