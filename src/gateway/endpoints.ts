/** The /v1 surface as one table. A row is everything the data plane knows about an endpoint. */
import type { Envelope } from '../errors.ts';
import type { EndpointGroup } from '../keys/fields.ts';
import type { Format } from './meter.ts';

export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** As the router takes it; `:model` matches one segment. */
  readonly path: string;
  /** How usage is reported in the answer, and in which form an interrupted stream says so. */
  readonly format: Format;
  /** Whether a stream reports its usage only when `stream_options.include_usage` asks for it. */
  readonly usageOnRequest: boolean;
  readonly body: 'json' | 'none';
  readonly envelope: Envelope;
  /** What a key's `allowed_endpoints` calls it. */
  readonly group: EndpointGroup;
  /** The answer lists models, or is about one: a key with `allowed_models` sees only those. */
  readonly models: 'list' | 'one' | null;
}

const OPENAI = { envelope: 'openai', usageOnRequest: false } as const;
const POST_JSON = { ...OPENAI, method: 'POST', body: 'json', models: null } as const;
const GET = { ...OPENAI, method: 'GET', body: 'none', format: 'opaque' } as const;

export const ENDPOINTS: readonly Endpoint[] = [
  { ...POST_JSON, path: '/v1/chat/completions', group: 'chat', format: 'chat', usageOnRequest: true },
  { ...POST_JSON, path: '/v1/responses', group: 'responses', format: 'responses' },
  { ...POST_JSON, path: '/v1/messages', group: 'messages', format: 'messages', envelope: 'anthropic' },
  { ...POST_JSON, path: '/v1/embeddings', group: 'embeddings', format: 'chat' },
  { ...GET, path: '/v1/models', group: 'models', models: 'list' },
  { ...GET, path: '/v1/models/:model', group: 'models', models: 'one' },
];

/** Whether a path is that of a row: segment by segment, a `:name` stands for any that is not empty. */
export function matchesPath(pattern: string, path: string): boolean {
  const expected = pattern.split('/');
  const actual = path.split('/');
  return (
    expected.length === actual.length &&
    expected.every((part, i) => part === actual[i] || (part[0] === ':' && actual[i] !== ''))
  );
}
