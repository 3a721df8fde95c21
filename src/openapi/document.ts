/**
 * The API reference as an OpenAPI 3.1 document: every route that is mounted, and none else. It is made from the route table;
 * what is said about a route comes from the table of endpoints, or by its method and path from the files beside this one.
 */
import { ENDPOINTS } from '../gateway/endpoints.ts';
import type { Route } from '../http/route.ts';
import { ENDPOINT_GROUPS } from '../keys/fields.ts';
import { VERSION } from '../version.ts';
import { ADMIN_OPERATIONS } from './admin-operations.ts';
import { ADMIN_SCHEMAS } from './admin-schemas.ts';
import { endpointOperation } from './endpoint-operations.ts';
import { ERROR_SCHEMAS, errorComponents } from './error-answers.ts';
import { GATEWAY_OPERATIONS } from './gateway-operations.ts';
import { type DocumentedOperation, type DocumentedParameter, TEXT } from './operation.ts';

const INFO = {
  title: 'BVE Gateway',
  version: VERSION,
  description: [
    'The API for clients, and the admin API.',
    'Clients speak the API of OpenAI, or under `/v1/messages` that of Anthropic, with a key `sk-bve-…`. Bodies pass to upstream and back byte for byte.',
    'HEAD is answered wherever GET is. A path that does not exist is 404 `route_not_found`, another method on one that does is 405 `method_not_allowed`, with `Allow`.',
    'Every refusal of the gateway is JSON in the envelope of the API that was called, with `X-Request-Id`.',
  ].join('\n\n'),
  license: { name: 'MIT', identifier: 'MIT' },
};

const SECURITY_SCHEMES = {
  clientKey: { type: 'http', scheme: 'bearer', description: 'A client key: `Authorization: Bearer sk-bve-…`.' },
  clientKeyAsHeader: {
    type: 'apiKey',
    in: 'header',
    name: 'x-api-key',
    description: 'A client key: `x-api-key: sk-bve-…`.',
  },
  adminKey: { type: 'http', scheme: 'bearer', description: 'ADMIN_API_KEY: `Authorization: Bearer …`.' },
  metricsToken: { type: 'http', scheme: 'bearer', description: 'METRICS_TOKEN: `Authorization: Bearer …`.' },
};

const TAGS = [
  ...ENDPOINT_GROUPS.map((name) => ({ name, description: `\`${name}\` in the \`allowed_endpoints\` of a key.` })),
  { name: 'Keys', description: 'Client keys. Needs the admin key.' },
  { name: 'Usage', description: 'What was used. Needs the admin key.' },
  { name: 'Operation', description: 'The state of the gateway. Needs the admin key.' },
  { name: 'Gateway', description: 'The gateway itself.' },
];

interface NamedRoute extends Route {
  readonly operation: DocumentedOperation;
}

/** @throws when a route is not described */
export function openApiDocument(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, object>> = {};
  for (const { method, path, operation } of routes.map(described)) {
    const template = path.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}');
    const parameters = [...pathParameters(template, operation), ...(operation.parameters ?? [])];
    paths[template] ??= {};
    paths[template][method.toLowerCase()] = {
      ...operation,
      operationId: idOf(method, template),
      ...(parameters.length > 0 && { parameters }),
    };
  }
  return {
    openapi: '3.1.1',
    info: INFO,
    servers: [{ url: '/' }],
    tags: TAGS,
    paths,
    components: {
      securitySchemes: SECURITY_SCHEMES,
      schemas: { ...ERROR_SCHEMAS, ...ADMIN_SCHEMAS },
      responses: errorComponents(),
    },
  };
}

function described({ method, path }: Route): NamedRoute {
  const endpoint = ENDPOINTS.find((one) => one.method === method && (one.mountedAt ?? one.path) === path);
  if (endpoint) return { method, path: endpoint.path, operation: endpointOperation(endpoint) };
  const name = `${method} ${path}`;
  const operation = ADMIN_OPERATIONS[name] ?? GATEWAY_OPERATIONS[name];
  if (operation === undefined) throw new Error(`The API reference does not describe ${name}`);
  return { method, path, operation };
}

/** Of those in the path that the operation does not describe itself. */
function pathParameters(template: string, { parameters = [] }: DocumentedOperation): DocumentedParameter[] {
  return [...template.matchAll(/\{(\w+)\}/g)]
    .map(([, name]) => name!)
    .filter((name) => !parameters.some((parameter) => parameter.name === name))
    .map((name) => ({ name, in: 'path', required: true, schema: TEXT }));
}

/** `get`, `/admin/api-keys/{id}` → `get_admin_api_keys_id` */
function idOf(method: string, template: string): string {
  const end = template.length > 1 && template.endsWith('/') ? '_slash' : '';
  return `${method.toLowerCase()}${template.replaceAll(/[^a-z0-9]+/gi, '_').replace(/_$/, '')}${end}`;
}
