/** What the playground sends, in the form of each of the three APIs that stream. */

export const APIS = [
  { value: 'chat', label: 'Chat completions', path: '/v1/chat/completions' },
  { value: 'responses', label: 'Responses', path: '/v1/responses' },
  { value: 'messages', label: 'Messages', path: '/v1/messages' },
] as const;
export type ApiName = (typeof APIS)[number]['value'];

export interface Prompt {
  readonly api: ApiName;
  readonly model: string;
  readonly system: string;
  readonly text: string;
  readonly maxTokens: number | null;
}

export function pathOf(api: ApiName): string {
  return APIS.find(({ value }) => value === api)!.path;
}

/** What is sent. */
export function bodyOf({ api, model, system, text, maxTokens }: Prompt): Record<string, unknown> {
  const user = { role: 'user', content: text };
  if (api === 'responses') {
    return {
      model,
      stream: true,
      ...(system ? { instructions: system } : {}),
      input: text,
      ...(maxTokens === null ? {} : { max_output_tokens: maxTokens }),
    };
  }
  if (api === 'messages') {
    return { model, stream: true, max_tokens: maxTokens ?? 1024, ...(system ? { system } : {}), messages: [user] };
  }
  return {
    model,
    stream: true,
    stream_options: { include_usage: true },
    messages: system ? [{ role: 'system', content: system }, user] : [user],
    ...(maxTokens === null ? {} : { max_completion_tokens: maxTokens }),
  };
}
