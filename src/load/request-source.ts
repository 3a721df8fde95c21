/**
 * The requests of a run, built once as bytes: one per prompt, used round-robin.
 * Keys and prompts are here and nowhere else; nothing of this file is printed, recorded or reported.
 */
import type { LoadTarget } from './target.ts';

export interface RequestOptions {
  readonly model: string;
  readonly key?: string;
  /** Used round-robin. A string is the user's message; the fields of an object go into the body. */
  readonly prompts?: readonly (string | Readonly<Record<string, unknown>>)[];
  /** Its fields replace those of the default body. */
  readonly body?: Readonly<Record<string, unknown>>;
}

const DEFAULT_PROMPT = 'Count from 1 to 5, slowly, and explain each number in one sentence please.';

export class RequestSource {
  readonly #requests: readonly Buffer[];
  readonly #bodies: readonly Readonly<Record<string, unknown>>[];
  readonly #key: string | undefined;
  #next = 0;

  constructor(target: LoadTarget, options: RequestOptions) {
    const prompts = options.prompts?.length ? options.prompts : [DEFAULT_PROMPT];
    this.#key = options.key;
    this.#bodies = prompts.map((prompt) => bodyOf(target, options, prompt));
    this.#requests = this.#bodies.map((body) => requestBytes(target, options.key, JSON.stringify(body)));
  }

  next(): Buffer {
    const request = this.#requests[this.#next]!;
    this.#next = (this.#next + 1) % this.#requests.length;
    return request;
  }

  /** Removes the key from a text of the server. */
  redact(text: string): string {
    return this.#key ? text.replaceAll(this.#key, '[key]') : text;
  }

  /**
   * Whether an answer repeats the key or a text of a request, as the /responses API does with `instructions`. Texts of
   * less than 12 characters are not searched: an answer may contain them by chance.
   */
  isRepeatedBy(answer: Buffer): boolean {
    if (this.#key && answer.includes(this.#key)) return true;
    return this.#bodies.some((body) =>
      textsOf(body).some((text) => answer.includes(JSON.stringify(text).slice(1, -1)) || answer.includes(text)),
    );
  }
}

function bodyOf(
  { api }: LoadTarget,
  { model, body }: RequestOptions,
  prompt: string | Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const given = typeof prompt === 'string' ? {} : prompt;
  const content = typeof prompt === 'string' ? prompt : DEFAULT_PROMPT;
  const messages = [{ role: 'user', content }];
  const start = { model, stream: true };
  if (api === 'responses') return { ...start, input: content, ...given, ...body };
  if (api === 'messages') return { ...start, max_tokens: 1024, messages, ...given, ...body };
  // Without this field a chat stream does not report usage.
  return { ...start, stream_options: { include_usage: true }, messages, ...given, ...body };
}

function requestBytes({ api, host, path }: LoadTarget, key: string | undefined, body: string): Buffer {
  const lines = [
    `POST ${path} HTTP/1.1`,
    `host: ${host}`,
    'content-type: application/json',
    'accept: text/event-stream',
    'accept-encoding: identity',
    'user-agent: bve-bench',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  if (key !== undefined) lines.push(`authorization: Bearer ${key}`);
  if (api === 'messages') {
    lines.push('anthropic-version: 2023-06-01');
    if (key !== undefined) lines.push(`x-api-key: ${key}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}

const TEXT_CHARS_MIN = 12;
/** The fields with prompts, in all forms of the three APIs. */
const PROMPT_FIELDS = ['messages', 'input', 'instructions', 'system', 'prompt', 'metadata'];

function textsOf(body: Readonly<Record<string, unknown>>): string[] {
  const texts: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === 'string') {
      if (value.length >= TEXT_CHARS_MIN) texts.push(value);
    } else if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect);
  };
  for (const field of PROMPT_FIELDS) collect(body[field]);
  return texts;
}
