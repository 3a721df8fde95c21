/** What one event of a stream says: text, token counts, an error. Each of the three APIs has its own form. */
import type { ApiName } from './prompt.ts';

export interface TokenCounts {
  readonly prompt: number | null;
  readonly completion: number | null;
  readonly total: number | null;
}

interface EventContent {
  readonly text: string;
  readonly tokens: Partial<TokenCounts> | null;
  readonly error: string | null;
}

const NOTHING: EventContent = { text: '', tokens: null, error: null };

interface Usage {
  readonly prompt_tokens?: number;
  readonly completion_tokens?: number;
  readonly total_tokens?: number;
  readonly input_tokens?: number;
  readonly output_tokens?: number;
}

interface AnyEvent {
  readonly type?: string;
  readonly error?: { readonly message?: string };
  readonly message?: unknown;
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly usage?: Usage | null;
  readonly delta?: unknown;
  readonly response?: { readonly usage?: Usage | null };
}

export function readEvent(api: ApiName, data: string): EventContent {
  const event = parse(data);
  if (event === null) return NOTHING;
  const error = errorOf(event);
  if (error !== null) return { ...NOTHING, error };
  switch (api) {
    case 'chat':
      return {
        text: event.choices?.[0]?.delta?.content ?? '',
        tokens: event.usage ? countsOf(event.usage) : null,
        error: null,
      };
    case 'responses':
      return {
        text: event.type === 'response.output_text.delta' && typeof event.delta === 'string' ? event.delta : '',
        tokens: event.response?.usage ? countsOf(event.response.usage) : null,
        error: null,
      };
    default:
      return { text: textOfDelta(event.delta), tokens: messageTokens(event), error: null };
  }
}

function parse(data: string): AnyEvent | null {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}

function errorOf({ error, type, message }: AnyEvent): string | null {
  if (error?.message !== undefined) return error.message;
  return type === 'error' && typeof message === 'string' ? message : null;
}

function textOfDelta(delta: unknown): string {
  const { type, text } = (delta ?? {}) as { type?: string; text?: string };
  return type === 'text_delta' && text !== undefined ? text : '';
}

/** Prompt tokens come at the start of a message, completion tokens, growing, later. */
function messageTokens({ message, usage }: AnyEvent): Partial<TokenCounts> | null {
  const first = (message as { usage?: Usage } | undefined)?.usage;
  if (first !== undefined) return { prompt: first.input_tokens ?? null };
  return usage?.output_tokens === undefined ? null : { completion: usage.output_tokens };
}

function countsOf(usage: Usage): TokenCounts {
  const prompt = usage.prompt_tokens ?? usage.input_tokens ?? null;
  const completion = usage.completion_tokens ?? usage.output_tokens ?? null;
  return { prompt, completion, total: usage.total_tokens ?? null };
}
