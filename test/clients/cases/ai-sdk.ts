/** `ai` with each of the three providers that speak to the gateway. */
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embed, experimental_generateSpeech as generateSpeech, generateText, type LanguageModel, streamText } from 'ai';
import { type Access, type Case, failing, type Mock } from './case.ts';

const MODEL = 'gpt-4o';

/** Adds the scenario to each JSON body: the providers send only fields that they know. */
function fetchWith(mock: Mock | undefined): typeof fetch {
  const send = (url: RequestInfo | URL, init?: RequestInit) =>
    mock && typeof init?.body === 'string'
      ? fetch(url, { ...init, body: JSON.stringify({ ...JSON.parse(init.body), mock }) })
      : fetch(url, init);
  return send as typeof fetch;
}

type Provider = (access: Access, mock?: Mock) => LanguageModel;

const providers: Readonly<Record<string, Provider>> = {
  '@ai-sdk/openai-compatible': ({ baseUrl, apiKey }, mock) =>
    createOpenAICompatible({ name: 'bve', baseURL: baseUrl, apiKey, includeUsage: true, fetch: fetchWith(mock) })(
      MODEL,
    ),
  '@ai-sdk/openai (responses)': ({ baseUrl, apiKey }, mock) =>
    createOpenAI({ baseURL: baseUrl, apiKey, fetch: fetchWith(mock) }).responses(MODEL),
  '@ai-sdk/openai (chat)': ({ baseUrl, apiKey }, mock) =>
    createOpenAI({ baseURL: baseUrl, apiKey, fetch: fetchWith(mock) }).chat(MODEL),
  '@ai-sdk/anthropic': ({ baseUrl, apiKey }, mock) =>
    createAnthropic({ baseURL: baseUrl, apiKey, fetch: fetchWith(mock) })('claude-sonnet-4'),
};

function casesOf([name, model]: [string, Provider]): [string, Case][] {
  return [
    [
      `${name}: text`,
      async (access) => {
        const { text, usage, finishReason } = await generateText({ model: model(access), prompt: 'Hello' });
        return [text, usage, finishReason];
      },
    ],
    [
      `${name}: stream`,
      async (access) => {
        const result = streamText({ model: model(access), prompt: 'Hello' });
        let text = '';
        for await (const delta of result.textStream) text += delta;
        return [text, await result.usage, await result.finishReason];
      },
    ],
    [
      `${name}: a cut stream`,
      async (access) => {
        const errors: unknown[] = [];
        const mock = { text: 'one two three four five six', fault: { kind: 'reset', after_bytes: 700 } };
        const result = streamText({
          model: model(access, mock),
          prompt: 'Hello',
          maxRetries: 0,
          onError: ({ error }) => void errors.push((error as Error).name),
        });
        for await (const _ of result.textStream);
        return errors;
      },
    ],
    ...([400, 429] as const).map((status): [string, Case] => [
      `${name}: status ${status}`,
      (access) => generateText({ model: model(access, failing(status)), prompt: 'Hello', maxRetries: 0 }),
    ]),
  ];
}

export const aiSdkCases: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(Object.entries(providers).flatMap(casesOf)),
  '@ai-sdk/openai: embedding': async ({ baseUrl, apiKey }) => {
    const model = createOpenAI({ baseURL: baseUrl, apiKey }).embedding('text-embedding-3-small');
    const { embedding, usage } = await embed({ model, value: 'Hello' });
    return [embedding, usage];
  },
  '@ai-sdk/openai: speech': async ({ baseUrl, apiKey }) => {
    const model = createOpenAI({ baseURL: baseUrl, apiKey }).speech('tts-1');
    const { audio } = await generateSpeech({ model, text: 'Hello' });
    return audio.uint8Array.byteLength;
  },
};
