import { describe, expect, test } from 'bun:test';
import { CHAT } from '../../src/formats/chat.ts';
import { RESPONSES } from '../../src/formats/responses.ts';
import { Meter } from '../../src/gateway/meter.ts';
import { brief, CONTENT, DONE, event, FAKE, type FormatName, metered } from '../formats/metered.ts';

const encoder = new TextEncoder();

describe('the terminal event', () => {
  const CASES: [format: FormatName, text: string, saw: boolean][] = [
    ['chat', DONE, true],
    ['chat', 'data:[DONE]\r\n\r\n', true],
    // It counts only with its blank line: until then no reader has been told of it.
    ['chat', `${CONTENT}data: [DONE]`, false],
    ['chat', `${CONTENT}data: [DONE]\n`, false],
    ['chat', `${CONTENT}data: [DONE]\r\n`, false],
    ['chat', `${CONTENT}data: [DONE]\r\n\r`, true],
    ['chat', event({ error: { code: 'server_error' } }), true],
    ['chat', event({ error: null, choices: [] }), false],
    ['messages', 'event: message_stop\ndata: {"type":"message_stop"}\n', false],
    ['chat', `${CONTENT}data: [DONE`, false],
    ['chat', event({ choices: [{ delta: { content: '[DONE]' } }] }), false],
    ['chat', ': [DONE]\n\nevent: [DONE]\n\n', false],
    ['chat', 'event: response.completed\ndata: {}\n\nevent: error\ndata: {}\n\n', false],
    ['responses', event({ type: 'response.completed', response: {} }), true],
    ['responses', event({ type: 'response.failed' }), true],
    ['responses', 'event: response.incomplete\ndata: {}\n\n', true],
    ['responses', 'event: error\ndata: oh\n\n', true],
    ['responses', event({ type: 'error' }), true],
    ['responses', event({ type: 'response.output_text.delta', delta: 'response.completed' }), false],
    ['responses', event({ response: { type: 'response.completed' } }), false],
    ['responses', 'event: response.completed\n\n', false], // without data the grammar drops it
    ['responses', 'event: response.completed\ndata: {"type":"response.completed","response":{"id":', false],
    ['responses', DONE, false],
    ['messages', 'event: message_stop\ndata: {"type":"message_stop"}\n\n', true],
    ['messages', event({ type: 'message_stop' }), true],
    ['messages', 'event: error\ndata: {"type":"error","error":{}}\n\n', true],
    ['messages', event({ type: 'content_block_delta', delta: { text: 'message_stop error' } }), false],
    ['opaque', DONE, true],
  ];
  for (const [format, text, saw] of CASES) {
    test(`of ${format} is ${saw ? '' : 'not '}in ${JSON.stringify(text)}`, () => {
      for (const size of [1, 7, 64, 100_000]) expect(metered(format, 'sse', text, size).sawTerminalEvent).toBe(saw);
    });
  }

  test('is not named by a line that is still on its way', () => {
    const usage = { input_tokens: 1, output_tokens: 2 };
    const meter = metered(
      'responses',
      'sse',
      `data: ${JSON.stringify({ response: { usage } })}\nevent: response.completed`,
    );
    expect(meter.sawTerminalEvent).toBe(false);
    expect(meter.usage()).toBeNull();
    meter.push(encoder.encode('\n'));
    expect(brief(meter.usage())).toBe('1+2=3');
    expect(meter.sawTerminalEvent).toBe(false);
    meter.push(encoder.encode('\n'));
    expect(meter.sawTerminalEvent).toBe(true);
  });

  test('stays seen', () => {
    expect(metered('chat', 'sse', `${DONE}${CONTENT}: bye\n\n`).sawTerminalEvent).toBe(true);
  });
});

describe('the meter', () => {
  test('counts every byte and reads nothing when told not to', () => {
    const text = event({ usage: FAKE }) + DONE;
    for (const [format, kind] of [
      ['chat', 'none'],
      ['opaque', 'json'],
      ['opaque', 'sse'],
    ] as const) {
      const meter = metered(format, kind, text, 5);
      expect(meter.bytes).toBe(encoder.encode(text).length);
      expect(meter.usage()).toBeNull();
    }
    expect(new Meter(CHAT, 'none').atEventBoundary).toBe(true);
    expect(metered('chat', 'json', DONE).sawTerminalEvent).toBe(false);
  });

  test('is at an event boundary before the first byte and after empty reads', () => {
    const meter = new Meter(CHAT, 'sse');
    expect(meter.atEventBoundary).toBe(true);
    meter.push(new Uint8Array(0));
    expect(meter.atEventBoundary).toBe(true);
    meter.push(encoder.encode('data: {'));
    meter.push(new Uint8Array(0));
    expect(meter.atEventBoundary).toBe(false);
  });

  test('takes a BOM for one at the start of the stream only, also behind reads it passed by', () => {
    const usage = event({ usage: { prompt_tokens: 3, completion_tokens: 4 } });
    const meter = metered('chat', 'sse', CONTENT);
    meter.push(encoder.encode(`\uFEFF${usage}`));
    expect(meter.usage()).toBeNull();
    expect(brief(metered('chat', 'sse', `\uFEFF${usage}`).usage())).toBe('3+4=7');
  });

  test('knows an event stream without a label by its start, with a BOM or without, however it is cut', () => {
    const usage = event({ usage: { prompt_tokens: 3, completion_tokens: 4 } });
    for (const start of ['', ': hi\n\n', 'event: message\n']) {
      for (const bom of ['', '\uFEFF']) {
        for (const size of [1, 2, 4, 100_000]) {
          const meter = metered('chat', 'unlabelled', bom + start + usage, size);
          expect([meter.isEventStream, brief(meter.usage())]).toEqual([true, '3+4=7']);
        }
      }
    }
    for (const text of ['\uFEFF\uFEFFdata: {}\n\n', '\uFEFF{"data":1}', 'datum: {}\n\n', '\uFEFF'])
      expect(metered('chat', 'unlabelled', text).isEventStream).toBe(false);
  });

  test('takes a text for no sequence number, wherever it stands', () => {
    const delta = (sequence_number: number, text: string) =>
      event({ type: 'response.output_text.delta', sequence_number, delta: text });
    for (const text of ['sequence_number', '"sequence_number', '"sequence_number": 70', 'a']) {
      for (const size of [1, 40, 100_000]) {
        const meter = metered('responses', 'sse', delta(7, 'a') + delta(8, text) + delta(9, text), size);
        expect(meter.nextSequenceNumber).toBe(10);
      }
    }
  });

  test('does not change the bytes it is shown, and may be asked for usage at any time', () => {
    const bytes = encoder.encode(CONTENT + event({ usage: { prompt_tokens: 3, completion_tokens: 4 } }) + DONE);
    const meter = new Meter(CHAT, 'sse');
    for (let at = 0; at < bytes.length; at++) {
      meter.push(bytes.subarray(at, at + 1));
      meter.usage();
    }
    expect(brief(meter.usage())).toBe('3+4=7');
    expect(meter.usage()).toEqual(meter.usage());
    expect(new TextDecoder().decode(bytes)).toBe(
      CONTENT + event({ usage: { prompt_tokens: 3, completion_tokens: 4 } }) + DONE,
    );
  });

  test('reads a huge event without growing', () => {
    const meter = new Meter(RESPONSES, 'sse');
    const read = new Uint8Array(65_536).fill(0x41);
    const reads = (20 * 1024 * 1024) / read.length;
    meter.push(
      encoder.encode('event: response.completed\ndata: {"type":"response.completed","response":{"output":[{"result":"'),
    );
    meter.push(read);
    // What the meter kept would show each time; what else grows in this process (compiled code, other tests' garbage) does not.
    const grown = Array.from({ length: 4 }, () => {
      Bun.gc(true);
      const before = process.memoryUsage().rss;
      for (let count = 0; count < reads; count++) meter.push(read);
      return process.memoryUsage().rss - before;
    });
    expect(Math.min(...grown)).toBeLessThan(2 * 1024 * 1024);
    expect(meter.sawTerminalEvent).toBe(false);
    meter.push(encoder.encode('"}],"usage":{"input_tokens":3,"output_tokens":4}}}\n\n'));
    expect(brief(meter.usage())).toBe('3+4=7');
    expect(meter.sawTerminalEvent).toBe(true);
  });
});
