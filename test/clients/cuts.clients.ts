/**
 * Streams that upstream cuts anywhere, and refusals that last: no SDK meets half an event, none takes a cut answer for a whole
 * one, and none waits for what will not come. CUTS=all cuts at every place; without it a sample that CUT_SEED draws.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { pair } from '../support/pair.ts';
import { randomFrom } from '../support/random.ts';
import { RECORDED_STREAMS, type RecordedStream } from '../support/streams.ts';
import { collected } from './cases/case.ts';

const bench = pair({ requestsMax: 0 });
setDefaultTimeout(Number.POSITIVE_INFINITY);

const AT_ONCE = 16;
const SAMPLE = 150;
const seed = Number(process.env.CUT_SEED ?? Math.floor(Math.random() * 1e9));
const KINDS = ['reset', 'end_early'] as const;

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

/** How its SDK reads a recording; `cut` tells the mock where to stop. */
const READERS: Readonly<Record<string, (cut: object) => Promise<AsyncIterable<unknown>>>> = {
  '/v1/chat/completions': (cut) => openai().chat.completions.create({ model: 'm', messages: [], stream: true, ...cut }),
  '/v1/responses': (cut) => openai().responses.create({ model: 'm', input: 'a', stream: true, ...cut }),
  '/v1/messages': (cut) =>
    anthropic().messages.create({ model: 'm', max_tokens: 9, messages: [], stream: true, ...cut }),
};

/** Where each event ends, the blank line included. */
function endsOf({ content }: RecordedStream): number[] {
  const text = Buffer.from(content).toString('latin1');
  return [...text.matchAll(/\r?\n\r?\n/g)].map((match) => match.index + match[0].length);
}

/** Every byte of the first and the last three events, and two bytes around every other boundary. */
function placesOf(stream: RecordedStream): number[] {
  const ends = endsOf(stream);
  const places = new Set<number>();
  const add = (from: number, to: number) => {
    for (let i = Math.max(0, from); i <= Math.min(to, stream.content.length - 1); i++) places.add(i);
  };
  add(0, ends[2] ?? 0);
  add(ends.at(-4) ?? 0, stream.content.length - 1);
  for (const end of ends) add(end - 2, end + 2);
  return [...places];
}

/** Where the answer is complete: behind its terminal event. The line break that ends it may be missing. */
function completeFrom({ content }: RecordedStream): number {
  const text = Buffer.from(content).toString('latin1');
  const last = Math.max(text.lastIndexOf('[DONE]') + 6, text.trimEnd().length);
  return last;
}

interface Cut {
  readonly at: number;
  readonly kind: (typeof KINDS)[number];
}

/** What is wrong with what an SDK made of a cut stream; null when nothing is. */
async function problemOf(stream: RecordedStream, ends: ReadonlySet<number>, { at, kind }: Cut): Promise<string | null> {
  const place = `${stream.file} cut at ${at} of ${stream.content.length} by ${kind}`;
  try {
    await collected(await READERS[stream.endpoint]!({ cut: { at, kind } }));
    return at < completeFrom(stream) ? `${place}: taken for a whole answer` : null;
  } catch (error) {
    if (error instanceof SyntaxError) return `${place}: ${error.name}: ${error.message}`;
    const isApiError = error instanceof OpenAI.APIError || error instanceof Anthropic.APIError;
    // Between two events the gateway can say it, within one it breaks the connection.
    if (ends.has(at) && !isApiError) return `${place}: ${error} is no error of the API`;
    return null;
  }
}

describe.skipIf(RECORDED_STREAMS.length === 0)('recorded streams, cut by upstream', () => {
  for (const stream of RECORDED_STREAMS.filter(({ endpoint }) => endpoint in READERS)) {
    test(`${stream.file}: raised by the SDK, and never a parser's error (CUT_SEED=${seed})`, async () => {
      const random = randomFrom(seed);
      const all = placesOf(stream).flatMap((at) => KINDS.map((kind): Cut => ({ at, kind })));
      const cuts = process.env.CUTS === 'all' ? all : Array.from({ length: SAMPLE }, () => all[random(all.length)]!);
      bench.mock.script((request) => {
        const { at, kind } = (request.json as { cut: Cut }).cut;
        return {
          body_base64: Buffer.from(stream.content).toString('base64'),
          content_type: 'text/event-stream',
          framing: 'chunked',
          fault: { kind, after_bytes: at },
        };
      });
      const ends = new Set(endsOf(stream));
      const problems: string[] = [];
      const work = cuts[Symbol.iterator]();
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          for (const cut of work) {
            const problem = await problemOf(stream, ends, cut);
            if (problem !== null) problems.push(problem);
          }
        }),
      );
      expect(problems.slice(0, 10)).toEqual([]);
      console.log(`${stream.file}: ${cuts.length} cuts`);
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
