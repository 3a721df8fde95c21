/**
 * The requests of the soak: all families of endpoints, as their clients send them. Each carries the answer that the mock is to
 * give (`mock`, see src/mock/choose-scenario.ts), so what must come back is known before it is sent.
 */
import type { Scenario } from '../../src/mock/scenario.ts';

/**
 * How an answer is checked:
 * - exact: byte for byte
 * - numbered: events with numbers, whose times cannot be known; their order, and all else byte for byte
 * - echo: it tells what upstream received, with its hash
 * - legacy: a chat completion that was rewritten as a legacy one
 * - own: the gateway's own answer
 */
type Check = 'exact' | 'numbered' | 'echo' | 'legacy' | 'own';

/** sse: a stream; json: a small answer; download: a large one with a length. */
export type AnswerForm = 'sse' | 'json' | 'download';

export interface RequestKind {
  readonly name: string;
  /** Of all requests, relative to the others. */
  readonly weight: number;
  readonly method: 'GET' | 'HEAD' | 'POST';
  /** Without query. */
  readonly path: string;
  /** As records name it; null: it leaves none. */
  readonly endpoint: string | null;
  readonly form: AnswerForm;
  readonly check: Check;
  /** What the mock answers when nothing goes wrong. */
  scenario(random: () => number): Scenario;
  /** Fields of a JSON body besides model, stream and mock; without it there is no body. */
  readonly fields?: (random: () => number) => Readonly<Record<string, unknown>>;
  /** A form with a file of so many bytes instead. */
  readonly fileBytes?: (random: () => number) => number;
  /** The tokens that upstream reports for this scenario; null: none. */
  tokens(scenario: Scenario): number | null;
  /** Its client does not ask for usage, so that of a key with a token limit is asked for by the gateway. */
  readonly usageIsInjected?: true;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What the mock says of every prompt (src/mock/completion.ts). */
const PROMPT_TOKENS = 9;
const IMAGE_TOKENS = 1_056;

const messages = [{ role: 'user', content: 'Count, please.' }];
const ANTHROPIC = { 'anthropic-version': '2023-06-01' };

export const KINDS: readonly RequestKind[] = [
  stream('chat stream', 20, '/v1/chat/completions', words, { messages, stream_options: { include_usage: true } }),
  {
    ...stream('chat stream without usage', 8, '/v1/chat/completions', words, { messages }),
    tokens: () => null,
    usageIsInjected: true,
  },
  {
    ...stream('chat stream, numbered', 10, '/v1/chat/completions', numbered, {
      messages,
      stream_options: { include_usage: true },
    }),
    check: 'numbered',
  },
  stream('responses stream', 10, '/v1/responses', words, { input: 'Count, please.', store: false }),
  { ...stream('messages stream', 10, '/v1/messages', words, { messages, max_tokens: 100 }), headers: ANTHROPIC },
  plain('chat', 8, '/v1/chat/completions', words, { messages }),
  plain('responses', 3, '/v1/responses', words, { input: 'Count, please.', store: false }),
  { ...plain('messages', 3, '/v1/messages', words, { messages, max_tokens: 100 }), headers: ANTHROPIC },
  {
    ...plain('count_tokens', 1, '/v1/messages/count_tokens', none, { messages }),
    tokens: () => null,
    headers: ANTHROPIC,
  },
  { ...plain('embeddings', 3, '/v1/embeddings', none, { input: ['a', 'b'] }), tokens: () => PROMPT_TOKENS },
  { ...plain('legacy completion', 3, '/v1/completions', words, { prompt: 'Count, please.' }), check: 'legacy' },
  {
    ...plain('image', 2, '/v1/images/generations', none, { prompt: 'A cat' }),
    tokens: () => PROMPT_TOKENS + IMAGE_TOKENS,
  },
  ...['/v1/threads', '/v1/assistants', '/v1/vector_stores', '/v1/conversations'].map((path) => ({
    ...plain(`POST ${path}`, 0.7, path, stored, { name: 'soak' }),
    tokens: () => null,
  })),
  get('models', 2, '/v1/models', '/v1/models', none),
  { ...get('HEAD models', 0.5, '/v1/models', '/v1/models', none), method: 'HEAD' },
  get('model', 1, '/v1/models/meta-llama/llama-3.3-70b', '/v1/models/:model', none),
  get('stored response', 1, '/v1/responses/resp_soak', '/v1/responses/:response', stored),
  get('files', 1, '/v1/files', '/v1/files', stored),
  upload('transcription', 3, '/v1/audio/transcriptions', [20_000, 600_000]),
  upload('image edit', 2, '/v1/images/edits', [100_000, 1_000_000]),
  upload('file upload', 3, '/v1/files', [10_000, 3_000_000]),
  {
    ...plain('speech', 4, '/v1/audio/speech', bytes([30_000, 200_000, 700_000]), { input: 'Hello', voice: 'alloy' }),
    form: 'download',
    tokens: () => null,
  },
  {
    ...get('file download', 3, '/v1/files/file-soak/content', '/v1/files/*', bytes([100_000, 2_000_000])),
    form: 'download',
  },
  { ...get('key status', 1, '/v1/key', '', none), endpoint: null, check: 'own' },
];

/** A download of this size does not fit into the buffers of kernels: a client that stops reading stops upstream. */
export const LARGE_DOWNLOAD: RequestKind = {
  ...get('large download', 0, '/v1/files/file-soak/content', '/v1/files/*', bytes([24_000_000])),
  form: 'download',
};

function stream(
  name: string,
  weight: number,
  path: string,
  scenario: RequestKind['scenario'],
  fields: Readonly<Record<string, unknown>>,
): RequestKind {
  return { ...plain(name, weight, path, scenario, fields), form: 'sse', fields: () => ({ ...fields, stream: true }) };
}

function plain(
  name: string,
  weight: number,
  path: string,
  scenario: RequestKind['scenario'],
  fields: Readonly<Record<string, unknown>>,
): RequestKind {
  return {
    name,
    weight,
    method: 'POST',
    path,
    endpoint: path,
    form: 'json',
    check: 'exact',
    scenario,
    fields: () => fields,
    tokens: completionTokens,
  };
}

function get(
  name: string,
  weight: number,
  path: string,
  endpoint: string,
  scenario: RequestKind['scenario'],
): RequestKind {
  return { name, weight, method: 'GET', path, endpoint, form: 'json', check: 'exact', scenario, tokens: () => null };
}

function upload(name: string, weight: number, path: string, sizes: readonly [number, number]): RequestKind {
  return {
    name,
    weight,
    method: 'POST',
    path,
    endpoint: path,
    form: 'json',
    check: 'echo',
    scenario: () => ({ echo: true }),
    fileBytes: (random) => Math.round(sizes[0] + random() ** 2 * (sizes[1] - sizes[0])),
    tokens: () => null,
  };
}

/** Numbered words, each an event of its own: whatever is lost, doubled or moved shows in the bytes. */
function words(random: () => number): Scenario {
  const count = 10 + Math.floor(random() * 70);
  const text = Array.from({ length: count }, (_, i) => `w${i}`).join(' ');
  return { text, pace_ms: 2 + Math.round(random() ** 2 * 60) };
}

function numbered(random: () => number): Scenario {
  return { events: 20 + Math.floor(random() * 100), event_bytes: 220, pace_ms: 2 + Math.round(random() ** 2 * 40) };
}

function bytes(sizes: readonly number[]): RequestKind['scenario'] {
  return (random) => ({ bytes: sizes[Math.floor(random() * sizes.length)]! });
}

/** Upstream's own answer. */
function none(): Scenario {
  return {};
}

/** Objects that are kept upstream are lost when a target restarts, so the request says what they are. */
function stored(): Scenario {
  return { json: { id: 'soak', object: 'soak', metadata: { text: 'ü🙂' } } };
}

export function completionTokens({ events, text = '' }: Scenario): number {
  return PROMPT_TOKENS + (events ?? text.split(' ').length);
}
