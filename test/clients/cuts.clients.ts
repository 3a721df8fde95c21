/**
 * Streams that upstream cuts anywhere, and refusals that last: no SDK meets half an event, none takes a cut answer for a whole
 * one, and none waits for what will not come. CUTS=all cuts at every place; without it a sample that CUT_SEED draws.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { ChatOpenAI } from '@langchain/openai';
import { AISDKError, type LanguageModel, streamText } from 'ai';
import OpenAI from 'openai';
import { pair } from '../support/pair.ts';
import { RECORDED_STREAMS, type RecordedStream } from '../support/streams.ts';
import { collected } from './cases/case.ts';
import { type Cut, completeFrom, cutStream, cutsOf, endsOf } from './cut-places.ts';

const bench = pair({ requestsMax: 0 });
setDefaultTimeout(Number.POSITIVE_INFINITY);

globalThis.AI_SDK_LOG_WARNINGS = false;
const AT_ONCE = 16;
const seed = Number(process.env.CUT_SEED ?? Math.floor(Math.random() * 1e9));

const openai = (options: object = {}) =>
  new OpenAI({
    apiKey: bench.gateway.key,
    baseURL: `${bench.gateway.url}/v1`,
    maxRetries: 0,
    logLevel: 'off',
    ...options,
  });
const anthropic = (options: object = {}) =>
  new Anthropic({ apiKey: bench.gateway.key, baseURL: bench.gateway.url, maxRetries: 0, logLevel: 'off', ...options });

/** What an SDK makes of a recording; `cut` in the request tells the mock where to stop. */
interface Reader {
  readonly name: string;
  readonly read: (cut: object) => Promise<unknown>;
  /** Whether an error is one of the SDK's own for what an API reports. */
  readonly isOwn: (error: unknown) => boolean;
}

const isApiError = (error: unknown) => error instanceof OpenAI.APIError || error instanceof Anthropic.APIError;
const chatOf = (cut: object) => ({ model: 'm', messages: [] as never[], stream: true as const, ...cut });

/** With the cut in each JSON body: the providers of the AI SDK send only fields that they know. */
function provided(cut: object) {
  const send = (url: string, init: { body: string }) =>
    fetch(url, { ...init, body: JSON.stringify({ ...JSON.parse(init.body), ...cut }) });
  return { baseURL: `${bench.gateway.url}/v1`, apiKey: bench.gateway.key, fetch: send as unknown as typeof fetch };
}

function aiSdk(name: string, model: (cut: object) => LanguageModel): Reader {
  return {
    name,
    read: async (cut) => {
      const { fullStream } = streamText({ model: model(cut), prompt: 'a', maxRetries: 0, onError: () => {} });
      for await (const part of fullStream) if (part.type === 'error') throw part.error;
    },
    isOwn: (error) => AISDKError.isInstance(error),
  };
}

const READERS: Readonly<Record<string, readonly Reader[]>> = {
  '/v1/chat/completions': [
    {
      name: 'openai',
      read: async (cut) => collected(await openai().chat.completions.create(chatOf(cut))),
      isOwn: isApiError,
    },
    {
      name: '@langchain/openai',
      read: async (cut) => {
        const configuration = { baseURL: `${bench.gateway.url}/v1`, logLevel: 'off' } as const;
        const options = {
          model: 'm',
          apiKey: bench.gateway.key,
          maxRetries: 0,
          configuration,
          modelKwargs: { ...cut },
        };
        return collected(await new ChatOpenAI(options).stream('a'));
      },
      isOwn: isApiError,
    },
    aiSdk('@ai-sdk/openai-compatible', (cut) => createOpenAICompatible({ name: 'bve', ...provided(cut) })('m')),
    aiSdk('@ai-sdk/openai (chat)', (cut) => createOpenAI(provided(cut)).chat('m')),
  ],
  '/v1/responses': [
    {
      name: 'openai',
      read: async (cut) =>
        collected(await openai().responses.create({ model: 'm', input: 'a', stream: true, ...cut } as const)),
      isOwn: isApiError,
    },
    aiSdk('@ai-sdk/openai (responses)', (cut) => createOpenAI(provided(cut)).responses('m')),
  ],
  '/v1/messages': [
    {
      name: '@anthropic-ai/sdk',
      read: async (cut) => {
        const body = { model: 'm', max_tokens: 9, messages: [] as never[], stream: true as const, ...cut };
        return collected(await anthropic().messages.create(body));
      },
      isOwn: isApiError,
    },
    aiSdk('@ai-sdk/anthropic', (cut) => createAnthropic(provided(cut))('m')),
  ],
};

/** Of a parser, or of what checks the parsed; also where it is the cause of another error. */
function isOfParser(error: unknown): boolean {
  const { name, cause } = error as Error;
  return /SyntaxError|JSONParse|TypeValidation|ZodError/.test(name) || (cause instanceof Error && isOfParser(cause));
}

/** What is wrong with what an SDK made of a cut stream; null when nothing is. */
async function problemOf(reader: Reader, stream: RecordedStream, ends: ReadonlySet<number>, { at, kind }: Cut) {
  const place = `${reader.name}: ${stream.file} cut at ${at} of ${stream.content.length} by ${kind}`;
  try {
    await reader.read({ cut: { at, kind } });
    return at < completeFrom(stream) ? `${place}: taken for a whole answer` : null;
  } catch (error) {
    if (isOfParser(error)) return `${place}: ${error}, ${(error as Error).cause}`;
    // Between two events the gateway can say it, within one it breaks the connection.
    if (ends.has(at) && !reader.isOwn(error)) return `${place}: ${error} is no error of the API`;
    return null;
  }
}

describe.skipIf(RECORDED_STREAMS.length === 0)('recorded streams, cut by upstream', () => {
  const cases = RECORDED_STREAMS.flatMap((stream) =>
    (READERS[stream.endpoint] ?? []).map((reader) => ({ stream, reader })),
  );
  for (const { stream, reader } of cases) {
    test(`${reader.name} raises, and never an error of its parser: ${stream.file} (CUT_SEED=${seed})`, async () => {
      const cuts = cutsOf(stream, seed);
      bench.mock.script((request) => {
        const { cut } = request.json as { cut: Cut | null };
        return cutStream(stream, cut);
      });
      // A reader that cannot read it at all would pass.
      const whole = await reader.read({ cut: null }).then(
        () => 'read',
        () => 'raised',
      );
      expect(whole).toBe(stream.file.includes('error') ? 'raised' : 'read');
      const ends = new Set(endsOf(stream));
      const problems: string[] = [];
      const work = cuts[Symbol.iterator]();
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (const cut of work) {
            const problem = await problemOf(reader, stream, ends, cut);
            if (problem !== null) problems.push(problem);
          }
        }),
      );
      expect(problems.slice(0, 10)).toEqual([]);
      console.log(`${reader.name}, ${stream.file}: ${cuts.length} cuts`);
    });
  }
});

describe('a refusal of the gateway that lasts longer than a minute', () => {
  const raisesWithinMs = 2_000;
  test.each([
    [
      'openai',
      (key: string) => openai({ apiKey: key, maxRetries: 2 }).chat.completions.create({ model: 'm', messages: [] }),
    ],
    [
      '@anthropic-ai/sdk',
      (key: string) =>
        anthropic({ apiKey: key, maxRetries: 2 }).messages.create({ model: 'm', max_tokens: 9, messages: [] }),
    ],
  ] as const)('is raised by %s at once', async (_, call) => {
    const { key } = await bench.gateway.createKey('--rpd-limit', '1');
    await call(key);
    const since = performance.now();
    const error = await call(key).then(
      () => null,
      (reason: { status?: number }) => reason,
    );
    expect(error?.status).toBe(429);
    expect(performance.now() - since).toBeLessThan(raisesWithinMs);
  });
});
