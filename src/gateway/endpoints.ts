/** The /v1 surface as one table. A row is everything the data plane knows about an endpoint. */
import { CHAT } from '../formats/chat.ts';
import type { Format } from '../formats/format.ts';
import { MESSAGES } from '../formats/messages.ts';
import { OPAQUE } from '../formats/opaque.ts';
import { RESPONSES } from '../formats/responses.ts';
import type { EndpointGroup } from '../keys/fields.ts';

export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** As records name it, see http/route.ts. */
  readonly path: string;
  /** How it is mounted where that differs: a model's name may contain slashes. */
  readonly mountedAt?: string;
  /** How usage is reported in the answer, and in which form an interrupted stream says so. */
  readonly format: Format;
  /** Whether a stream reports its usage only when `stream_options.include_usage` asks for it. */
  readonly usageOnRequest: boolean;
  readonly body: 'json' | 'none';
  /** What a key's `allowed_endpoints` calls it. */
  readonly group: EndpointGroup;
  /** The answer lists models, or is about one: a key with `allowed_models` sees only those. */
  readonly models: 'list' | 'one' | null;
}

const POST_JSON = { method: 'POST', body: 'json', usageOnRequest: false, models: null } as const;
const GET = { method: 'GET', body: 'none', usageOnRequest: false, format: OPAQUE } as const;

export const ENDPOINTS: readonly Endpoint[] = [
  { ...POST_JSON, path: '/v1/chat/completions', group: 'chat', format: CHAT, usageOnRequest: true },
  { ...POST_JSON, path: '/v1/responses', group: 'responses', format: RESPONSES },
  { ...POST_JSON, path: '/v1/messages', group: 'messages', format: MESSAGES },
  { ...POST_JSON, path: '/v1/embeddings', group: 'embeddings', format: CHAT },
  { ...GET, path: '/v1/models', group: 'models', models: 'list' },
  { ...GET, path: '/v1/models/:model', mountedAt: '/v1/models/*', group: 'models', models: 'one' },
];
