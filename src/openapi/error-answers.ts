/** What the gateway itself refuses, as answers of the document: each code with an example in the envelope of its API. */
import { type Envelope, errorAnswer, GatewayError } from '../errors.ts';
import { type DocumentedAnswer, objectOf, schemaRef, TEXT } from './operation.ts';

type Code = GatewayError['code'];

/** Whose request is refused. `Messages` are those under /v1/messages, in the envelope of Anthropic's API. */
type Refused = 'Client' | 'Messages' | 'Admin';

const REQUEST_ID = '6f1c2b7e-6a0e-4f5c-9d53-0c7a3a3c1c55';

const MESSAGES: Readonly<Partial<Record<Code, string>>> = {
  invalid_json: 'The request body is not valid JSON',
  invalid_request: "Invalid value for 'stream': expected true or false",
  missing_api_key: 'Missing API key',
  invalid_api_key: 'Invalid API key',
  api_key_suspended: 'API key is suspended',
  api_key_revoked: 'API key is revoked',
  api_key_expired: 'API key is expired',
  model_not_allowed: "Model 'gpt-4o' is not allowed for this API key",
  endpoint_not_allowed: 'This API key may not use this endpoint',
  model_not_found: "Model 'gpt-5' not found",
  request_timeout: 'The request body did not arrive in time',
  request_too_large: 'The request body is larger than MAX_BODY_BYTES',
  unsupported_content_encoding: 'Request bodies must not be compressed',
  rate_limit_exceeded: 'Rate limit exceeded: requests per minute',
  internal_error: 'Internal error',
  upstream_error: 'Upstream cannot be reached',
  overloaded: 'The gateway is at its concurrency limit',
  upstream_timeout: 'Upstream did not answer in time',
};

const ADMIN_MESSAGES: typeof MESSAGES = {
  ...MESSAGES,
  invalid_request: "Unknown field 'rpm'",
  invalid_api_key: 'Invalid admin API key',
  admin_disabled: 'The admin API is disabled: ADMIN_API_KEY is not set',
  api_key_not_found: 'API key not found',
  conflict: 'Only a revoked API key can be deleted',
  request_too_large: 'The request body is larger than 65536 bytes',
  overloaded: 'The database cannot be reached, try again',
};

const CLIENT_CODES: readonly Code[] = [
  ...(['invalid_json', 'invalid_request', 'missing_api_key', 'invalid_api_key', 'api_key_suspended'] as const),
  ...(['api_key_revoked', 'api_key_expired', 'model_not_allowed', 'endpoint_not_allowed', 'model_not_found'] as const),
  ...(['request_timeout', 'request_too_large', 'unsupported_content_encoding', 'rate_limit_exceeded'] as const),
  ...(['internal_error', 'upstream_error', 'overloaded', 'upstream_timeout'] as const),
];

const CODES: Readonly<Record<Refused, readonly Code[]>> = {
  Client: CLIENT_CODES,
  Messages: CLIENT_CODES,
  Admin: [
    ...(['invalid_json', 'invalid_request', 'invalid_api_key', 'admin_disabled', 'api_key_not_found'] as const),
    ...(['request_timeout', 'conflict', 'request_too_large', 'unsupported_content_encoding'] as const),
    ...(['internal_error', 'overloaded'] as const),
  ],
};

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: 'The request is not valid; the message names what is wrong.',
  401: 'No key, or not a valid one.',
  403: 'The key may not do this.',
  404: 'There is no such object.',
  408: 'The body did not arrive in time.',
  409: 'The state of the key does not allow this change.',
  413: 'The body is too large; the message names the limit.',
  415: 'The body is compressed.',
  429: 'A limit of the key is reached; Retry-After says for how long.',
  500: 'A defect of the gateway. The log has more under the request id.',
  502: 'Upstream could not be reached, or its answer was not valid or an error of its own.',
  503: 'The gateway is at its limit, is draining, or cannot reach its store; Retry-After says when to try again.',
  504: 'Upstream did not answer in time.',
};

const RETRY_AFTER = { 'Retry-After': { description: 'Whole seconds.', schema: { type: 'integer', minimum: 0 } } };

/** `#/components/responses`: one for each status of each API. */
export function errorComponents(): Record<string, DocumentedAnswer> {
  const entries = (Object.keys(CODES) as Refused[]).flatMap((refused) =>
    statusesOf(refused).map((status) => [`${refused}${status}`, componentOf(refused, status)] as const),
  );
  return Object.fromEntries(entries);
}

/** References to the answers of these statuses, as `responses` of an operation. */
export function errorRefs(refused: Refused, statuses: readonly number[]) {
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/${refused}${status}` }] as const),
  );
}

export const ERROR_SCHEMAS = {
  Error: objectOf({ error: objectOf({ message: TEXT, type: TEXT, code: TEXT }) }),
  AnthropicError: objectOf({
    type: { const: 'error' },
    error: objectOf({ type: TEXT, message: TEXT }),
    request_id: TEXT,
  }),
};

function statusesOf(refused: Refused): number[] {
  return [...new Set(CODES[refused].map((code) => new GatewayError(code, '').status))];
}

function componentOf(refused: Refused, status: number) {
  const messages = refused === 'Admin' ? ADMIN_MESSAGES : MESSAGES;
  const envelope: Envelope = refused === 'Messages' ? 'anthropic' : 'openai';
  const errors = CODES[refused]
    .map((code) => new GatewayError(code, messages[code] ?? ''))
    .filter((error) => error.status === status);
  const examples = errors.map(
    (error) => [error.code, { value: JSON.parse(errorAnswer(error, REQUEST_ID, envelope).text) as unknown }] as const,
  );
  return {
    description: DESCRIPTIONS[status]!,
    headers: {
      'X-Request-Id': { description: "The request's id.", schema: TEXT },
      ...((status === 429 || status === 503) && RETRY_AFTER),
    },
    content: {
      'application/json': {
        schema: schemaRef(envelope === 'anthropic' ? 'AnthropicError' : 'Error'),
        examples: Object.fromEntries(examples),
      },
    },
  };
}
