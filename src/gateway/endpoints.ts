/** The /v1 surface as one table. A row is everything the data plane knows about an endpoint. */
import type { Envelope } from '../errors.ts';
import type { Format } from './meter.ts';

export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** As the router takes it; `:model` matches one segment. */
  readonly path: string;
  /** How usage is reported in the answer, and in which form an interrupted stream says so. */
  readonly format: Format;
  readonly body: 'json' | 'none';
  readonly envelope: Envelope;
  /** Anthropic's clients send their key as `x-api-key`. */
  readonly acceptsXApiKey: boolean;
  /** The answer lists models, or is about one: a key with `allowed_models` sees only those. */
  readonly models: 'list' | 'one' | null;
}

const POST_JSON = { method: 'POST', body: 'json', envelope: 'openai', acceptsXApiKey: false, models: null } as const;
const GET = { method: 'GET', body: 'none', format: 'opaque', envelope: 'openai', acceptsXApiKey: false } as const;

export const ENDPOINTS: readonly Endpoint[] = [
  { ...POST_JSON, path: '/v1/chat/completions', format: 'chat' },
  { ...POST_JSON, path: '/v1/responses', format: 'responses' },
  { ...POST_JSON, path: '/v1/messages', format: 'messages', envelope: 'anthropic', acceptsXApiKey: true },
  { ...POST_JSON, path: '/v1/embeddings', format: 'chat' },
  { ...GET, path: '/v1/models', models: 'list' },
  { ...GET, path: '/v1/models/:model', models: 'one' },
];
