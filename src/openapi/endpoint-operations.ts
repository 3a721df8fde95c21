/**
 * The operations of the data plane, made from the table of endpoints. Bodies are upstream's: they pass as they are, so only the
 * fields that the gateway reads are named.
 */
import type { Endpoint } from '../gateway/endpoints.ts';
import { ANSWERS, BODIES, SUMMARIES } from './endpoint-examples.ts';
import { errorRefs } from './error-answers.ts';
import { type DocumentedOperation, type JsonSchema, TEXT } from './operation.ts';

const OF_BODY = [408, 413, 415];
const ALWAYS = [400, 401, 403, 404, 429, 500, 502, 503, 504];

const MODEL = { type: 'string', description: 'Checked against `allowed_models` of the key, and counted by.' };
const STREAM = { type: 'boolean', default: false, description: 'The answer is a stream of events.' };

const VERBS = { GET: 'Read', POST: 'Create or change', DELETE: 'Delete' } as const;

const LATENCY = {
  'X-Request-Id': { description: "Upstream's request id, or the request's own.", schema: TEXT },
  'X-BVE-Latency': {
    description: "Whole milliseconds from the request's arrival to the head of its answer.",
    schema: { type: 'integer', minimum: 0 },
  },
};

export function endpointOperation(endpoint: Endpoint): DocumentedOperation {
  const { method, path, body, group } = endpoint;
  const refused = path.startsWith('/v1/messages') ? 'Messages' : 'Client';
  return {
    tags: [group],
    summary: SUMMARIES[`${method} ${path}`] ?? `${VERBS[method]}: ${path.slice('/v1/'.length)}`,
    description: descriptionOf(endpoint),
    security: [{ clientKey: [] }, { clientKeyAsHeader: [] }],
    ...(body !== 'none' && { requestBody: requestBodyOf(endpoint) }),
    responses: {
      200: { description: "Upstream's answer, as it is", headers: LATENCY, content: answerContentOf(endpoint) },
      ...errorRefs(refused, body === 'none' ? ALWAYS : [...ALWAYS, ...OF_BODY]),
      default: {
        description: 'Any other answer of upstream passes as it is: its status, its allowed headers, its body.',
      },
    },
  };
}

function descriptionOf({ path, models, isLegacyCompletion, isRun }: Endpoint): string {
  const sentences = [
    isLegacyCompletion
      ? 'A chat completion takes its place: `prompt` becomes one user message. It does not stream.'
      : 'Passes to upstream byte for byte, with its query string.',
    models === 'list' && 'A key with `allowed_models` sees only those.',
    models !== null && 'With `anthropic-version`, errors are in the envelope of Anthropic.',
    models === 'one' && 'The name of a model may contain slashes.',
    isRun && 'A key with a token limit must ask for a stream: else usage cannot be metered.',
    path.endsWith('*') && '`path` stands for one or more segments: all that upstream has below this path.',
  ];
  return sentences.filter((sentence) => sentence !== false).join(' ');
}

function requestBodyOf(endpoint: Endpoint) {
  const { method, path, body } = endpoint;
  const example = BODIES[`${method} ${path}`] ?? {};
  const schema = bodySchemaOf(endpoint);
  if (body !== 'form') return { required: body === 'json', content: { 'application/json': { schema, example } } };
  return {
    required: true,
    description: 'A form is streamed upstream and never held. JSON is taken as well.',
    content: {
      'multipart/form-data': { schema: formSchemaOf(endpoint), example },
      'application/json': { schema, example: {} },
    },
  };
}

function bodySchemaOf({ generates, isLegacyCompletion, usageOnRequest }: Endpoint): JsonSchema {
  const properties = {
    ...(generates && { model: MODEL }),
    ...(generates && !isLegacyCompletion && { stream: STREAM }),
    ...(usageOnRequest && {
      stream_options: {
        type: 'object',
        properties: { include_usage: { type: 'boolean', description: 'The stream reports its usage.' } },
      },
    }),
    ...(isLegacyCompletion && {
      prompt: { anyOf: [TEXT, { type: 'array', items: TEXT }], description: 'Texts are joined by an empty line.' },
    }),
  };
  return {
    type: 'object',
    properties,
    additionalProperties: true,
  };
}

function formSchemaOf({ generates }: Endpoint): JsonSchema {
  return {
    type: 'object',
    properties: {
      ...(generates && { model: MODEL, stream: STREAM }),
      file: { type: 'string', contentMediaType: 'application/octet-stream' },
    },
    additionalProperties: true,
  };
}

function answerContentOf(endpoint: Endpoint) {
  const { method, path, generates, bulk, isLegacyCompletion } = endpoint;
  const answer = ANSWERS[`${method} ${path}`];
  const json = { schema: { type: 'object' }, example: answer?.json ?? usualAnswerTo(endpoint) };
  const isStreamed = generates && !isLegacyCompletion;
  return {
    'application/json': json,
    ...(isStreamed && { 'text/event-stream': { schema: TEXT, example: answer?.stream ?? 'data: [DONE]\n\n' } }),
    ...(bulk && { 'application/octet-stream': { schema: {} } }),
  };
}

/** What OpenAI's API answers with where nothing more is known: a list, an object, or that it is gone. */
function usualAnswerTo({ method, path }: Endpoint): object {
  const object = { id: 'obj_123', object: 'object' };
  if (method === 'DELETE') return { ...object, deleted: true };
  const isList = method === 'GET' && !/(:\w+|\*)$/.test(path);
  return isList ? { object: 'list', data: [object], has_more: false } : object;
}
