/** What real providers sent, in every split: see ../shared/streams. */
import { describe, expect, test } from 'bun:test';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Format } from '../../src/formats/format.ts';
import { Meter } from '../../src/gateway/meter.ts';
import { FORMATS } from './metered.ts';

/** What index.json does not have: cached and reasoning tokens, as the streams themselves report them. */
const DETAILS: Record<string, readonly [cached: number | null, reasoning: number | null]> = {
  'chat-openai-text.sse': [0, 0],
  'chat-deepseek-reasoning.sse': [0, 205],
  'chat-xai-tool-call.sse': [306, 227],
  'responses-openai-web-search.sse': [3712, 3712],
  'messages-anthropic-text.sse': [0, null],
  'messages-anthropic-web-search.sse': [0, null],
};

interface RecordedStream {
  file: string;
  endpoint: string;
  usage: { prompt: number; completion: number; total: number } | null;
}

const FOLDER = join(import.meta.dir, '../../../shared/streams');
const present = existsSync(join(FOLDER, 'index.json'));
if (!present) console.warn('recorded streams skipped: there is no ../shared/streams beside this checkout');

const streams: RecordedStream[] = present ? await Bun.file(join(FOLDER, 'index.json')).json() : [];

function formatOf(endpoint: string): Format {
  if (endpoint === '/v1/responses') return FORMATS.responses;
  return endpoint === '/v1/messages' ? FORMATS.messages : FORMATS.chat;
}

describe.skipIf(!present)('recorded streams', () => {
  for (const { file, endpoint, usage } of streams) {
    const expected = usage && {
      promptTokens: usage.prompt,
      cachedTokens: DETAILS[file]?.[0] ?? null,
      completionTokens: usage.completion,
      reasoningTokens: DETAILS[file]?.[1] ?? null,
      totalTokens: usage.total,
    };
    const check = (meter: Meter, length: number) => {
      expect(meter.usage()).toEqual(expected);
      expect(meter.sawTerminalEvent).toBe(true);
      expect(meter.atEventBoundary).toBe(true);
      expect(meter.bytes).toBe(length);
    };

    for (const lineEnd of ['\n', '\r\n', '\r']) {
      test(`${file} with ${JSON.stringify(lineEnd)}, in reads of every size`, async () => {
        const bytes = new TextEncoder().encode((await Bun.file(join(FOLDER, file)).text()).replaceAll('\n', lineEnd));
        for (const size of [bytes.length, 1, 7, 64, 1_500, 65_536]) {
          const meter = new Meter(formatOf(endpoint), 'sse');
          for (let at = 0; at < bytes.length; at += size) meter.push(bytes.subarray(at, at + size));
          check(meter, bytes.length);
        }
      });
    }

    test(`${file} cut in two at each of its first 2,048 and last 512 bytes`, async () => {
      const bytes = new Uint8Array(await Bun.file(join(FOLDER, file)).arrayBuffer());
      for (let cut = 0; cut <= bytes.length; cut++) {
        if (cut > 2_048 && cut < bytes.length - 512) continue;
        const meter = new Meter(formatOf(endpoint), 'sse');
        meter.push(bytes.subarray(0, cut));
        meter.push(bytes.subarray(cut));
        check(meter, bytes.length);
      }
    });

    test(`${file} cut short in its last event has no terminal event`, async () => {
      const bytes = new Uint8Array(await Bun.file(join(FOLDER, file)).arrayBuffer());
      // Without the last byte of the data: the two line ends and that.
      const meter = new Meter(formatOf(endpoint), 'sse');
      meter.push(bytes.subarray(0, bytes.length - 3));
      expect(meter.sawTerminalEvent).toBe(file === 'responses-openai-error.sse'); // `event: error` came before
      expect(meter.atEventBoundary).toBe(false);
    });
  }
});
