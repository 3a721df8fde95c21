/** The parts of an OpenAPI 3.1 document that the API reference shows. What is not understood is left out, never guessed. */

export interface OpenApiDocument {
  readonly openapi?: string;
  readonly info?: { readonly title?: string; readonly version?: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly components?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly security?: readonly SecurityRequirement[];
}

type SecurityRequirement = Readonly<Record<string, readonly string[]>>;

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema | boolean;
  readonly additionalProperties?: Schema | boolean;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly example?: unknown;
  readonly examples?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

interface MediaType {
  readonly schema?: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly summary?: string; readonly value?: unknown }>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}

interface OperationObject {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly deprecated?: boolean;
  readonly security?: readonly SecurityRequirement[];
  readonly parameters?: readonly unknown[];
  readonly requestBody?: unknown;
  readonly responses?: Readonly<Record<string, unknown>>;
}

export interface MediaContent {
  readonly mediaType: string;
  readonly schema: Schema | null;
  readonly examples: readonly { readonly name: string; readonly value: unknown }[];
}

export interface OperationAnswer {
  readonly status: string;
  readonly description: string;
  readonly contents: readonly MediaContent[];
}

export interface Operation {
  /** Names the part of the page. */
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description: string;
  readonly deprecated: boolean;
  /** What is needed, in words; empty: nothing is. */
  readonly security: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly body: {
    readonly required: boolean;
    readonly description: string;
    readonly contents: readonly MediaContent[];
  } | null;
  readonly answers: readonly OperationAnswer[];
}

export interface OperationGroup {
  readonly name: string;
  readonly description: string;
  readonly operations: readonly Operation[];
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options'];

/** What a reference of the document itself leads to; others, and circles of them, lead nowhere. */
export function resolve<T>(document: OpenApiDocument, value: unknown, depth = 0): T | null {
  if (typeof value !== 'object' || value === null) return null;
  const { $ref } = value as { $ref?: unknown };
  if (typeof $ref !== 'string') return value as T;
  if (!$ref.startsWith('#/') || depth > 20) return null;
  let target: unknown = document;
  for (const part of $ref.slice(2).split('/')) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    target = (target as Record<string, unknown> | undefined)?.[name];
  }
  return resolve<T>(document, target, depth + 1);
}

/** `#/components/schemas/Key` → `Key` */
export function nameOfRef(schema: Schema): string | null {
  return schema.$ref === undefined ? null : schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
}

/** All operations by their first tag, in the order of the document's tags, then of its paths. */
export function groupsOf(document: OpenApiDocument): OperationGroup[] {
  const groups = new Map<string, Operation[]>((document.tags ?? []).map(({ name }) => [name, []]));
  for (const operation of operationsOf(document)) {
    const group = groups.get(operation.tag);
    if (group) group.push(operation);
    else groups.set(operation.tag, [operation]);
  }
  return [...groups]
    .filter(([, operations]) => operations.length > 0)
    .map(([name, operations]) => ({
      name,
      description: document.tags?.find((tag) => tag.name === name)?.description ?? '',
      operations,
    }));
}

function operationsOf(document: OpenApiDocument): Operation[] {
  const operations: Operation[] = [];
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = resolve<OperationObject>(document, item[method]);
      if (operation === null) continue;
      operations.push(readOperation(document, path, method, operation, (item.parameters as unknown[]) ?? []));
    }
  }
  return operations;
}

function readOperation(
  document: OpenApiDocument,
  path: string,
  method: string,
  operation: OperationObject,
  shared: readonly unknown[],
): Operation {
  const body = resolve<{ required?: boolean; description?: string; content?: Record<string, MediaType> }>(
    document,
    operation.requestBody,
  );
  return {
    id: `${method}-${path.replaceAll(/[^a-zA-Z0-9]+/g, '-').replaceAll(/^-|-$/g, '')}`,
    method: method.toUpperCase(),
    path,
    tag: operation.tags?.[0] ?? 'Other',
    summary: operation.summary ?? operation.operationId ?? '',
    description: operation.description ?? '',
    deprecated: operation.deprecated ?? false,
    security: securityOf(document, operation.security ?? document.security ?? []),
    parameters: [...shared, ...(operation.parameters ?? [])].flatMap((one) => resolve<Parameter>(document, one) ?? []),
    body: body && {
      required: body.required ?? false,
      description: body.description ?? '',
      contents: contentsOf(document, body.content),
    },
    answers: Object.entries(operation.responses ?? {}).flatMap(([status, value]) => {
      const answer = resolve<{ description?: string; content?: Record<string, MediaType> }>(document, value);
      if (answer === null) return [];
      return { status, description: answer.description ?? '', contents: contentsOf(document, answer.content) };
    }),
  };
}

/** The descriptions of the schemes of which one is needed, or their names. */
function securityOf(document: OpenApiDocument, requirements: readonly SecurityRequirement[]): string[] {
  const names = [...new Set(requirements.flatMap((one) => Object.keys(one)))];
  return names.map((name) => {
    const scheme = resolve<{ description?: string }>(document, document.components?.securitySchemes?.[name]);
    return scheme?.description ?? name;
  });
}

function contentsOf(
  document: OpenApiDocument,
  content: Readonly<Record<string, MediaType>> | undefined,
): MediaContent[] {
  return Object.entries(content ?? {}).map(([mediaType, media]) => {
    const named = Object.entries(media.examples ?? {}).flatMap(([name, one]) => {
      const example = resolve<{ summary?: string; value?: unknown }>(document, one);
      return example?.value === undefined ? [] : { name: example.summary ?? name, value: example.value };
    });
    const examples = media.example === undefined ? named : [{ name: 'Example', value: media.example }, ...named];
    return { mediaType, schema: media.schema ?? null, examples };
  });
}
