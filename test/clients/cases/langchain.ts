/** `@langchain/openai`. */
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { type Access, type Case, collected, failing } from './case.ts';

function chat({ baseUrl, apiKey }: Access, options: object = {}): ChatOpenAI {
  return new ChatOpenAI({ model: 'gpt-4o', apiKey, maxRetries: 0, configuration: { baseURL: baseUrl }, ...options });
}

const WEATHER = {
  type: 'function',
  function: { name: 'weather', parameters: { type: 'object', properties: {} } },
} as const;

export const langchainCases: Readonly<Record<string, Case>> = {
  chat: async (access) => {
    const { content, usage_metadata } = await chat(access).invoke('Hello');
    return [content, usage_metadata];
  },
  'chat, streamed': async (access) =>
    (await collected(await chat(access).stream('Hello'))).map(({ content }) => content),
  'chat, with tools': async (access) => (await chat(access).bindTools([WEATHER]).invoke('Hello')).content,
  'chat over the responses API': async (access) =>
    (await chat(access, { useResponsesApi: true }).invoke('Hello')).content,
  embeddings: ({ baseUrl, apiKey }) =>
    new OpenAIEmbeddings({ apiKey, configuration: { baseURL: baseUrl } }).embedQuery('Hello'),
  ...Object.fromEntries(
    [400, 404, 429].map((status) => [
      `status ${status}`,
      (access: Access) => chat(access, { modelKwargs: { mock: failing(status) } }).invoke('Hello'),
    ]),
  ),
};
