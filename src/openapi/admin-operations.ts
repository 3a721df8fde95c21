/** The operations of the admin API, by method and path as the route table has them. */
import { KEY_STATUSES, KEYS_MAX, KEYS_PARAMETERS } from '../admin/key-parameters.ts';
import {
  FINISHES,
  MIN_DURATION_MAX_MS,
  RECORD_ID,
  RECORDS_PARAMETERS,
  REQUESTS_DEFAULT,
  REQUESTS_MAX,
  SUMMARY_PARAMETERS,
  USAGE_PARAMETERS,
} from '../admin/usage-parameters.ts';
import { GRACE_SECONDS_MAX } from '../keys/key.ts';
import { SUMMARY_GROUPS_PATTERN } from '../usage/usage-summary.ts';
import * as example from './admin-examples.ts';
import { errorRefs } from './error-answers.ts';
import {
  type DocumentedOperation,
  type DocumentedParameter,
  type JsonSchema,
  jsonContent,
  objectOf,
  schemaRef,
  TEXT,
  TIME,
  UUID,
} from './operation.ts';

const SECURITY = [{ adminKey: [] }];
/** Of each: a parameter that is not known, no key, no ADMIN_API_KEY, a defect, a store that is away. */
const ALWAYS = [400, 401, 403, 500, 503];
const OF_BODY = [408, 413, 415];

const DAY: JsonSchema = { type: 'string', format: 'date' };
const FROM = { schema: DAY, description: 'The first UTC day.' };
const TO = { schema: DAY, description: 'The last UTC day; it counts.' };
const CURSOR: JsonSchema = { anyOf: [{ type: 'string', pattern: RECORD_ID.source }, TIME] };
const KEY_ID = { schema: TEXT, description: 'Only this key.' };

const KEY_ID_IN_PATH: DocumentedParameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: "The key's id.",
  schema: { type: 'string', format: 'uuid' },
};

export const ADMIN_OPERATIONS: Readonly<Record<string, DocumentedOperation>> = {
  'GET /admin/api-keys': {
    ...operation('Keys', 'List keys', 'Newest first, in every state. The key itself is never shown, `prefix` is.'),
    parameters: query(KEYS_PARAMETERS, {
      status: { schema: { enum: KEY_STATUSES } },
      q: { schema: TEXT, description: 'Part of the name or of the prefix.' },
      limit: { schema: { type: 'integer', minimum: 1, maximum: KEYS_MAX }, description: 'Without it all.' },
      after: { schema: UUID, description: 'The id of a key: the list begins behind it.' },
    }),
    responses: ok('Keys, newest first', { type: 'array', items: schemaRef('Key') }, [example.KEY]),
  },
  'POST /admin/api-keys': {
    ...operation('Keys', 'Create a key', 'The answer holds the key itself, this once. Unknown fields are refused.'),
    requestBody: { required: true, content: jsonContent(schemaRef('NewKey'), example.NEW_KEY) },
    responses: {
      201: { description: 'The new key', content: jsonContent(schemaRef('KeyWithSecret'), example.KEY_WITH_SECRET) },
      ...errorRefs('Admin', [...ALWAYS, ...OF_BODY]),
    },
  },
  'GET /admin/api-keys/:id': {
    ...operation('Keys', 'One key', 'With the state of its limits.'),
    parameters: [KEY_ID_IN_PATH],
    responses: ok('The key', schemaRef('KeyWithLimits'), example.KEY_WITH_LIMITS, [404]),
  },
  'PATCH /admin/api-keys/:id': {
    ...operation('Keys', 'Change a key', 'In effect on the next request to this process, within 1 s on all others.'),
    parameters: [KEY_ID_IN_PATH],
    requestBody: { required: true, content: jsonContent(schemaRef('KeyChanges'), { rpm_limit: 120 }) },
    responses: ok('The key', schemaRef('Key'), { ...example.KEY, rpm_limit: 120 }, [404, 409, ...OF_BODY]),
  },
  'DELETE /admin/api-keys/:id': {
    ...operation('Keys', 'Delete a revoked key', 'Its usage stays.'),
    parameters: [KEY_ID_IN_PATH],
    responses: { 204: { description: 'Deleted' }, ...errorRefs('Admin', [...ALWAYS, 404, 409]) },
  },
  'POST /admin/api-keys/:id/revoke': statusChange('Revoke a key', 'It is final.', 'revoked'),
  'POST /admin/api-keys/:id/suspend': statusChange('Suspend a key', 'Until it is activated.', 'suspended'),
  'POST /admin/api-keys/:id/activate': statusChange('Activate a suspended key', '', 'active'),
  'POST /admin/api-keys/:id/rotate': {
    ...operation(
      'Keys',
      'Replace the secret of a key',
      'The old one works until the grace ends. The body may be absent.',
    ),
    parameters: [KEY_ID_IN_PATH],
    requestBody: {
      required: false,
      content: jsonContent(
        {
          ...objectOf({ grace_seconds: { type: 'integer', minimum: 0, maximum: GRACE_SECONDS_MAX, default: 0 } }, []),
          additionalProperties: false,
        },
        { grace_seconds: 3600 },
      ),
    },
    responses: ok('The key', schemaRef('KeyWithSecret'), example.KEY_WITH_SECRET, [404, 409, ...OF_BODY]),
  },
  'GET /admin/usage': {
    ...operation(
      'Usage',
      'Usage by day and month',
      'Newest first. Without dates: of a key its last 30 days and 12 months, of all keys the last 100 and 50 rows.',
    ),
    parameters: query(USAGE_PARAMETERS, { key_id: KEY_ID, from: FROM, to: TO }),
    responses: ok('The rows', schemaRef('Usage'), example.USAGE),
  },
  'GET /admin/usage/summary': {
    ...operation('Usage', 'Usage by group', 'Counts admitted requests; `errors` are those that failed or broke off.'),
    parameters: query(SUMMARY_PARAMETERS, {
      group_by: {
        schema: { type: 'string', pattern: SUMMARY_GROUPS_PATTERN, default: 'key' },
        description: '`key`, `model`, `day`, `month` or `tag:NAME`, or two of them with a comma between.',
      },
      from: FROM,
      to: TO,
      key_id: KEY_ID,
    }),
    responses: ok('The groups and their total', schemaRef('UsageSummary'), example.SUMMARY),
  },
  'GET /admin/requests': {
    ...operation('Usage', 'Usage records', 'One for each finished request, newest first.'),
    parameters: query(RECORDS_PARAMETERS, {
      key_id: KEY_ID,
      request_id: { schema: TEXT },
      model: { schema: TEXT },
      endpoint: { schema: TEXT, description: 'The route, as records name it.' },
      finish: { schema: { enum: FINISHES } },
      status: { schema: { type: 'integer', minimum: 100, maximum: 599 } },
      min_duration_ms: { schema: { type: 'integer', minimum: 0, maximum: MIN_DURATION_MAX_MS } },
      limit: { schema: { type: 'integer', minimum: 1, maximum: REQUESTS_MAX, default: REQUESTS_DEFAULT } },
      before: { schema: CURSOR, description: 'The id of a record, or an ISO 8601 time with its zone.' },
    }),
    responses: ok('Records', { type: 'array', items: schemaRef('UsageRecord') }, [example.RECORD]),
  },
  'GET /admin/live': {
    ...operation(
      'Operation',
      'Live view',
      'Events of this host: `snapshot` each second, `request` with a usage record, `dropped` for a slow reader.',
    ),
    responses: {
      200: {
        description: 'Server-sent events',
        content: { 'text/event-stream': { schema: TEXT, example: example.LIVE } },
      },
      ...errorRefs('Admin', ALWAYS),
    },
  },
  'GET /admin/config': {
    ...operation('Operation', 'Effective configuration', 'Secrets are redacted.'),
    responses: ok('The options', { type: 'object' }, { port: 8080, log_level: 'info' }),
  },
  'GET /admin/targets': {
    ...operation('Operation', 'Upstream targets', 'Their health, load and quota.'),
    responses: ok('The targets', schemaRef('Targets'), example.TARGETS),
  },
  'POST /admin/drain': {
    ...operation('Operation', 'Drain', 'Begins what SIGTERM begins, without the exit: new requests are refused.'),
    responses: ok('It has begun', objectOf({ status: { const: 'draining' } }), { status: 'draining' }),
  },
};

function operation(tag: string, summary: string, description: string) {
  return { tags: [tag] as [string], summary, ...(description && { description }), security: SECURITY };
}

function ok(description: string, schema: JsonSchema, shown: unknown, errors: readonly number[] = []) {
  return { 200: { description, content: jsonContent(schema, shown) }, ...errorRefs('Admin', [...ALWAYS, ...errors]) };
}

function statusChange(summary: string, description: string, status: string): DocumentedOperation {
  return {
    ...operation('Keys', summary, description),
    parameters: [KEY_ID_IN_PATH],
    responses: ok('The key', schemaRef('Key'), { ...example.KEY, status }, [404, 409]),
  };
}

/** All parameters that a route reads, no more and no fewer. */
function query<N extends string>(
  names: readonly N[],
  described: Readonly<Record<N, Pick<DocumentedParameter, 'schema' | 'description'>>>,
): DocumentedParameter[] {
  return names.map((name) => ({ name, in: 'query', allowEmptyValue: true, ...described[name] }));
}
