/** The /v1 surface as one table. A row is everything the data plane knows about an endpoint. */
import { CHAT } from '../formats/chat.ts';
import type { Format } from '../formats/format.ts';
import { AUDIO, IMAGES } from '../formats/media.ts';
import { MESSAGES } from '../formats/messages.ts';
import { OPAQUE } from '../formats/opaque.ts';
import { RESPONSES, STORED_RESPONSE } from '../formats/responses.ts';
import { RUNS } from '../formats/runs.ts';
import type { EndpointGroup } from '../keys/fields.ts';

/**
 * - `json`: an object; it is held, and sent again by a retry
 * - `json or none`: the same, or nothing at all
 * - `form`: a multipart form, streamed; anything else is `json or none`
 */
type BodyRule = 'none' | 'json' | 'json or none' | 'form';

export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** As records name it, see http/route.ts. */
  readonly path: string;
  /** How it is mounted where that differs: a model's name may contain slashes. */
  readonly mountedAt?: string;
  /** How usage is reported in the answer, and in which form an interrupted stream says so. */
  readonly format: Format;
  /** Whether a stream reports its usage only when `stream_options.include_usage` asks for it. */
  readonly usageOnRequest: boolean;
  readonly body: BodyRule;
  /** What a key's `allowed_endpoints` calls it. */
  readonly group: EndpointGroup;
  /** The answer lists models, or is about one: a key with `allowed_models` sees only those. */
  readonly models: 'list' | 'one' | null;
  /** Upstream generates by a model: a key with `allowed_models` must name it. */
  readonly generates: boolean;
  /** It starts or continues a run, whose usage only its stream reports. */
  readonly isRun: boolean;
  /** A legacy completion, which upstream does not have: a chat completion takes its place. */
  readonly isLegacyCompletion: boolean;
  /** The answer may be a large download, see UpstreamRequest. */
  readonly bulk: boolean;
}

const PLAIN = {
  usageOnRequest: false,
  models: null,
  generates: false,
  isRun: false,
  isLegacyCompletion: false,
  bulk: false,
} as const;
const GENERATE = { ...PLAIN, method: 'POST', body: 'json', generates: true } as const;
const POST = { ...PLAIN, method: 'POST', body: 'json', format: OPAQUE } as const;
const POST_OR_NOTHING = { ...POST, body: 'json or none' } as const;
const GET = { ...PLAIN, method: 'GET', body: 'none', format: OPAQUE } as const;
const DELETE = { ...GET, method: 'DELETE' } as const;
const RUN = { ...GENERATE, group: 'assistants', format: RUNS, isRun: true } as const;

const CHAT_PATH = '/v1/chat/completions';
const RESPONSES_PATH = '/v1/responses';

export const ENDPOINTS: readonly Endpoint[] = [
  { ...GENERATE, path: CHAT_PATH, group: 'chat', format: CHAT, usageOnRequest: true },
  ...[
    { ...GET, path: CHAT_PATH },
    { ...GET, path: `${CHAT_PATH}/:completion` },
    { ...POST, path: `${CHAT_PATH}/:completion` },
    { ...DELETE, path: `${CHAT_PATH}/:completion` },
    { ...GET, path: `${CHAT_PATH}/:completion/messages` },
  ].map((stored) => ({ ...stored, group: 'chat' as const })),

  { ...GENERATE, path: '/v1/completions', group: 'completions', format: CHAT, isLegacyCompletion: true },

  { ...GENERATE, path: RESPONSES_PATH, group: 'responses', format: RESPONSES },
  { ...GENERATE, path: `${RESPONSES_PATH}/compact`, group: 'responses', format: RESPONSES },
  ...[
    { ...POST, path: `${RESPONSES_PATH}/input_tokens` },
    { ...GET, path: `${RESPONSES_PATH}/:response`, format: STORED_RESPONSE },
    { ...DELETE, path: `${RESPONSES_PATH}/:response` },
    { ...GET, path: `${RESPONSES_PATH}/:response/input_items` },
    { ...POST_OR_NOTHING, path: `${RESPONSES_PATH}/:response/cancel` },
  ].map((stored) => ({ ...stored, group: 'responses' as const })),
  ...storedObjects('/v1/conversations', 'conversations'),

  { ...GENERATE, path: '/v1/messages', group: 'messages', format: MESSAGES },
  { ...POST, path: '/v1/messages/count_tokens', group: 'messages' },
  { ...GENERATE, path: '/v1/embeddings', group: 'embeddings', format: CHAT },
  { ...GET, path: '/v1/models', group: 'models', models: 'list' },
  { ...GET, path: '/v1/models/:model', mountedAt: '/v1/models/*', group: 'models', models: 'one' },

  { ...GENERATE, path: '/v1/audio/speech', group: 'audio', format: AUDIO, bulk: true },
  { ...GENERATE, path: '/v1/audio/transcriptions', group: 'audio', format: AUDIO, body: 'form' },
  { ...GENERATE, path: '/v1/images/generations', group: 'images', format: IMAGES, bulk: true },
  { ...GENERATE, path: '/v1/images/edits', group: 'images', format: IMAGES, body: 'form', bulk: true },

  ...storedObjects('/v1/files', 'files', { body: 'form', bulk: true }),
  ...storedObjects('/v1/assistants', 'assistants'),
  ...storedObjects('/v1/vector_stores', 'assistants'),
  ...storedObjects('/v1/threads', 'assistants'),
  { ...RUN, path: '/v1/threads/runs' },
  { ...RUN, path: '/v1/threads/:thread/runs' },
  { ...RUN, path: '/v1/threads/:thread/runs/:run/submit_tool_outputs' },
];

/** Objects that are kept upstream, with all that is below them. */
function storedObjects(
  path: string,
  group: EndpointGroup,
  { body = 'json or none', bulk = false }: { readonly body?: BodyRule; readonly bulk?: boolean } = {},
): Endpoint[] {
  return [
    { ...GET, path, group },
    { ...POST, path, group, body },
    { ...GET, path: `${path}/*`, group, bulk },
    { ...POST, path: `${path}/*`, group, body },
    { ...DELETE, path: `${path}/*`, group },
  ];
}

/**
 * Whether a path that was routed to an endpoint is that of another one, which has other rules: by dot segments, which the router
 * does not resolve, or for a server that does not tell `RUNS` from `runs`.
 */
export function isOfAnother(endpoint: Endpoint, path: string): boolean {
  const given = path.toLowerCase().split('/');
  return ENDPOINTS.some((other) => {
    if (other === endpoint || other.method !== endpoint.method || other.path.endsWith('*')) return false;
    const expected = other.path.split('/');
    return expected.length === given.length && expected.every((part, i) => part[0] === ':' || part === given[i]);
  });
}
