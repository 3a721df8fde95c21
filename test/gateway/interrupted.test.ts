/** Contract, section 1: a stream that upstream breaks off never looks complete, and its record says what happened. */
import { describe, expect, test } from 'bun:test';
import type { Fault, Scenario } from '../../src/mock/scenario.ts';
import { eventsOf } from '../support/events.ts';
import { CHAT, jsonOf, PLAIN, pair, STREAM, textOf } from '../support/pair.ts';
import type { RawAnswer } from '../support/raw-client.ts';

const p = pair({ env: { UPSTREAM_IDLE_TIMEOUT_MS: '300' }, requestsMax: 2000 });

const ERROR = {
  message: 'The upstream connection broke before the answer was complete',
  type: 'upstream_error',
  code: 'upstream_stream_interrupted',
};
const CHAT_ERROR = `data: ${JSON.stringify({ error: ERROR })}\n\n`;

let calls = 0;

/** Streams a text as it is, breaks it off, and returns what the client got with the record of it. */
async function broken(scenario: Scenario, path: string = CHAT) {
  const mock = { content_type: 'text/event-stream', ...scenario };
  const id = `broken-${++calls}`;
  const answer = await p.call({ path, body: { ...STREAM, mock }, headers: { 'x-request-id': id } });
  return { answer, text: textOf(answer), record: await p.recordOf(id) };
}

/** One complete HTTP answer, although the stream in it is not complete. */
function expectWholeAnswer(answer: RawAnswer): void {
  expect(answer.status).toBe(200);
  expect(answer.header('content-type')).toBe('text/event-stream');
  expect([answer.complete, answer.ended]).toEqual([true, 'keep-alive']);
}

/** The connection broke as it would have without a gateway: no error event, and nothing that looks whole. */
function expectReset(answer: RawAnswer, sent: Uint8Array): void {
  expect([answer.status, answer.complete, answer.ended]).toEqual([200, false, 'reset']);
  expect(Buffer.from(answer.body).toString('latin1')).toBe(Buffer.from(sent).toString('latin1'));
}

const FIRST = 'data: {"choices":[{"delta":{"content":"héllo 👋 wörld"}}]}\n\n';
const CRLF = FIRST.replaceAll('\n', '\r\n');
const THREE = FIRST.repeat(3);
const emojiAt = Buffer.byteLength(FIRST.slice(0, FIRST.indexOf('👋')));
const oneEvent = Buffer.byteLength(FIRST);
const oneCrlf = Buffer.byteLength(CRLF);

/** Where a stream may be cut: its text, after how many bytes, and whether that is inside an event. */
const CUTS: Record<string, readonly [text: string, afterBytes: number, midEvent: boolean]> = {
  'after the head': [THREE, 0, false],
  'after one byte': [THREE, 1, true],
  'within "data"': [THREE, 3, true],
  'within an event': [THREE, oneEvent + 20, true],
  'within a UTF-8 character': [THREE, emojiAt + 2, true],
  'behind the first line end of an event': [THREE, oneEvent - 1, true],
  'at an event boundary': [THREE, oneEvent, false],
  'between CR and LF of a data line': [CRLF.repeat(3), oneCrlf - 3, true],
  'behind the CRLF of a data line': [CRLF.repeat(3), oneCrlf - 2, true],
  'at a CRLF event boundary': [CRLF.repeat(3), oneCrlf, false],
  'within a comment': [': keep-alive\n\n'.repeat(5), 5, true],
  'behind a comment line': [': keep-alive\n\n'.repeat(5), 13, false],
  'behind an event name': ['event: delta\ndata: x\n\n'.repeat(5), 13, true],
  'within the done marker': [`${FIRST}data: [DONE]\n\n`, oneEvent + 9, true],
};

describe('a stream', () => {
  async function expectEnd(cut: keyof typeof CUTS, kind: Fault['kind']): Promise<void> {
    const [text, after_bytes, midEvent] = CUTS[cut]!;
    const { answer, record } = await broken({ body: text, framing: 'chunked', fault: { kind, after_bytes } });
    expect(record).toMatchObject({
      finish: 'upstream_interrupted',
      errorCode: kind === 'silence' ? 'upstream_timeout' : ERROR.code,
      status: 200,
      streamed: true,
      usageSource: 'none',
      totalTokens: null,
    });
    const sent = Buffer.from(text).subarray(0, after_bytes);
    if (midEvent) {
      expectReset(answer, sent);
    } else {
      expectWholeAnswer(answer);
      expect(Buffer.from(answer.body).toString('latin1')).toBe(sent.toString('latin1') + CHAT_ERROR);
    }
    expect(record.bytesOut).toBe(after_bytes);
  }

  for (const kind of ['reset', 'end_early'] as const) {
    for (const cut of Object.keys(CUTS)) {
      const ends = CUTS[cut]![2] ? 'is reset' : 'ends with one error event and no [DONE]';
      test(`broken off by ${kind} ${cut} ${ends}`, () => expectEnd(cut, kind));
    }
  }

  test('that falls silent, at any of these cuts, ends in the same way', async () => {
    await Promise.all(Object.keys(CUTS).map((cut) => expectEnd(cut, 'silence')));
  });

  test('between the CR and the LF of the blank line: the parsed events are the whole ones and the error', async () => {
    const { answer } = await broken({
      body: CRLF.repeat(3),
      framing: 'chunked',
      fault: { kind: 'reset', after_bytes: oneCrlf - 1 },
    });
    expectWholeAnswer(answer);
    // A line feed more, for those who read lines by LF.
    expect(textOf(answer)).toBe(`${CRLF.slice(0, -1)}\n${CHAT_ERROR}`);
    expect(eventsOf(textOf(answer)).map(({ data }) => data)).toEqual([
      FIRST.slice(6, -2),
      JSON.stringify({ error: ERROR }),
    ]);
  });

  test('cut at every byte: exactly the bytes sent, then a reset inside an event, else the error event on a line of its own', async () => {
    const text = `event: a\r\ndata: 1\r\n\r\n: c\n\ndata: é👋\ndata: 2\n\nid: 7\rdata: 3\r\rdata:${' '}[DO`;
    const bytes = Buffer.from(text);
    const one = async (after_bytes: number) => {
      const answer = await p.call({
        body: {
          ...STREAM,
          mock: {
            body: text,
            content_type: 'text/event-stream',
            framing: 'chunked',
            fault: { kind: 'reset', after_bytes },
          },
        },
      });
      const sent = bytes.subarray(0, after_bytes);
      if (!endsAtBoundary(sent.toString('latin1'))) return expectReset(answer, sent);
      expectWholeAnswer(answer);
      expect(textOf(answer)).toBe(sent.toString() + (sent.at(-1) === 0x0d ? '\n' : '') + CHAT_ERROR);
      expect(eventsOf(textOf(answer)).at(-1)?.data).toBe(JSON.stringify({ error: ERROR }));
    };
    await Promise.all(Array.from({ length: bytes.length + 1 }, (_, cut) => one(cut)));
  });

  for (const framing of ['length', 'length_short'] as const) {
    test(`shorter than its content-length (${framing}) ends with the error event`, async () => {
      const fault: Fault | undefined = framing === 'length' ? { kind: 'end_early', after_bytes: oneEvent } : undefined;
      const { answer, text, record } = await broken({
        body: FIRST,
        framing,
        ...(fault ? { body: THREE, fault } : {}),
      });
      expectWholeAnswer(answer);
      expect(text).toBe(FIRST + CHAT_ERROR);
      expect(record.finish).toBe('upstream_interrupted');
    });
  }

  for (const framing of ['close', 'http10'] as const) {
    test(`delimited by the end of the connection (${framing}) counts as broken off without its terminal event`, async () => {
      for (const [body, midEvent] of [
        [FIRST, false],
        [FIRST.slice(0, -1), true],
        ['', false],
      ] as const) {
        const { answer, text, record } = await broken({ body, framing });
        if (midEvent) {
          expectReset(answer, Buffer.from(body));
        } else {
          expectWholeAnswer(answer);
          expect(text).toBe(body + CHAT_ERROR);
        }
        expect(record.finish).toBe('upstream_interrupted');
      }
    });

    test(`delimited by the end of the connection (${framing}) is complete with its terminal event`, async () => {
      for (const body of [`${FIRST}data: [DONE]\n\n`, `${FIRST}data:[DONE]\r\n\r\n`]) {
        const { answer, text, record } = await broken({ body, framing });
        expectWholeAnswer(answer);
        expect(text).toBe(body);
        expect(record.finish).toBe('complete');
      }
    });
  }

  test('that ends in order without a terminal event is passed on as it is, and on record as interrupted', async () => {
    const { answer, text, record } = await broken({ body: THREE, framing: 'chunked' });
    expectWholeAnswer(answer);
    expect(text).toBe(THREE);
    expect(record).toMatchObject({ finish: 'upstream_interrupted', errorCode: ERROR.code });
  });

  test('that ends in order behind its finish_reason is complete', async () => {
    const body = `${FIRST}data: {"choices":[{"delta":{},"finish_reason": "stop"}]}\n\n`;
    const { text, record } = await broken({ body, framing: 'chunked' });
    expect(text).toBe(body);
    expect(record).toMatchObject({ finish: 'complete', errorCode: null });
  });

  test('that comes compressed and breaks off is never taken for complete', async () => {
    for (const kind of ['reset', 'end_early'] as const) {
      const { answer, text, record } = await broken({
        body: THREE.repeat(100),
        gzip: true,
        framing: 'chunked',
        fault: { kind, after_bytes: 60 },
      });
      expect(text.includes(ERROR.code) || !answer.complete || answer.status === 502).toBe(true);
      expect(['upstream_interrupted', 'error']).toContain(record.finish);
    }
  });

  test('broken off before the blank line of its terminal event is interrupted', async () => {
    const body = `${FIRST}data: [DONE]\n`;
    const { answer, record } = await broken({
      body,
      framing: 'chunked',
      fault: { kind: 'reset', after_bytes: Buffer.byteLength(body) },
    });
    expect(record.finish).toBe('upstream_interrupted');
    expectReset(answer, Buffer.from(body));
  });

  test('broken off behind its terminal event is complete: the client has had everything', async () => {
    const body = `data: {"choices":[]}\n\ndata: [DONE]\n\n`;
    p.mock.script({
      body,
      content_type: 'text/event-stream',
      framing: 'chunked',
      fault: { kind: 'reset', after_bytes: body.length },
    });
    const answer = await p.call({ body: STREAM, headers: { 'x-request-id': 'behind-done' } });
    expect([Buffer.from(answer.body).toString(), answer.complete]).toEqual([body, true]);
    expect(await p.recordOf('behind-done')).toMatchObject({ finish: 'complete', status: 200 });
  });

  test('of a status other than 200 says so too', async () => {
    const { answer, text } = await broken({
      status: 429,
      body: THREE,
      framing: 'chunked',
      fault: { kind: 'reset', after_bytes: oneEvent },
    });
    expect(answer.status).toBe(429);
    expect(text).toBe(FIRST + CHAT_ERROR);
  });
});

const RESPONSES = [
  '{"type":"response.created","sequence_number":0,"response":{"usage":null}}',
  '{"type":"response.output_text.delta","sequence_number": 17,"delta":"\\"sequence_number\\":99"}',
]
  .map((data) => `event: x\ndata: ${data}\n\n`)
  .join('');
const MESSAGES =
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}\n\n';

describe('the form of the error event', () => {
  test('on /v1/responses is that of the Responses API', async () => {
    const { answer, text, record } = await broken(
      { body: RESPONSES, framing: 'chunked', fault: { kind: 'reset', after_bytes: RESPONSES.length } },
      '/v1/responses',
    );
    expectWholeAnswer(answer);
    const last = text.slice(text.lastIndexOf('event: '));
    const [name, data] = last.split('\n');
    expect(name).toBe('event: error');
    expect(JSON.parse(data!.slice('data: '.length))).toMatchObject({
      type: 'error',
      code: ERROR.code,
      message: ERROR.message,
      param: null,
      sequence_number: 18,
      error: ERROR,
    });
    expect(last).toEndWith('}\n\n');
    expect(text).not.toContain('response.completed');
    expect(record).toMatchObject({ finish: 'upstream_interrupted', usageSource: 'none' });
  });

  test('on /v1/messages is that of Anthropic, and what message_start reported is kept as partial usage', async () => {
    const { answer, text, record } = await broken(
      { body: MESSAGES, framing: 'chunked', fault: { kind: 'reset', after_bytes: MESSAGES.length } },
      '/v1/messages',
    );
    expectWholeAnswer(answer);
    const last = text.slice(text.lastIndexOf('event: '));
    const [name, data] = last.split('\n');
    expect(name).toBe('event: error');
    expect(JSON.parse(data!.slice('data: '.length))).toEqual({
      type: 'error',
      error: { type: 'api_error', message: ERROR.message, code: ERROR.code },
    });
    expect(text).not.toContain('message_stop');
    expect(record).toMatchObject({ finish: 'upstream_interrupted', usageSource: 'partial', promptTokens: 9 });
  });

  for (const path of ['/v1/responses', '/v1/messages'] as const) {
    test(`inside an event on ${path} there is none`, async () => {
      const body = 'event: x\ndata: {"type":"x"}\n\nevent: y\ndata: {"ty';
      const { answer } = await broken(
        { body, framing: 'chunked', fault: { kind: 'reset', after_bytes: body.length } },
        path,
      );
      expectReset(answer, Buffer.from(body));
    });
  }
});

describe('usage of a stream that broke off', () => {
  const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
  const usageEvent = `data: ${JSON.stringify({ choices: [], usage })}\n\n`;

  test('after its usage event is partial, with what was reported', async () => {
    const body = FIRST + usageEvent;
    const { record } = await broken({
      body,
      framing: 'chunked',
      fault: { kind: 'reset', after_bytes: Buffer.byteLength(body) },
    });
    expect(record).toMatchObject({
      finish: 'upstream_interrupted',
      usageSource: 'partial',
      promptTokens: 3,
      completionTokens: 4,
      totalTokens: 7,
    });
  });

  test('within its usage event is none: half an event reports nothing', async () => {
    const body = FIRST + usageEvent;
    const { record } = await broken({
      body,
      framing: 'chunked',
      fault: { kind: 'reset', after_bytes: Buffer.byteLength(body) - 4 },
    });
    expect(record).toMatchObject({
      finish: 'upstream_interrupted',
      usageSource: 'none',
      promptTokens: null,
      completionTokens: null,
      totalTokens: null,
    });
  });
});

describe('an answer that is no event stream', () => {
  const JSON_BODY = { object: 'chat.completion', choices: [{ message: { content: 'x'.repeat(2000) } }] };

  for (const kind of ['reset', 'end_early', 'silence'] as const) {
    for (const framing of ['length', 'chunked'] as const) {
      for (const after_bytes of [0, 500]) {
        test(`broken off by ${kind} after ${after_bytes} bytes (${framing}) never looks complete`, async () => {
          p.mock.script({ json: JSON_BODY, framing, fault: { kind, after_bytes } });
          const id = `json-${kind}-${framing}-${after_bytes}`;
          const answer = await p.call({ body: PLAIN, headers: { 'x-request-id': id } });
          const record = await p.recordOf(id);
          if (answer.status === 502 || answer.status === 504) {
            expect(jsonOf(answer)).toMatchObject({ error: { type: 'upstream_error' } });
            expect(record.finish).toBe('error');
          } else {
            expect(answer.complete).toBe(false);
            expect(answer.ended).not.toBe('keep-alive');
            expect(textOf(answer)).toBe(JSON.stringify(JSON_BODY).slice(0, answer.body.length));
            expect(record).toMatchObject({ finish: 'upstream_interrupted', usageSource: 'none' });
          }
        });
      }
    }
  }

  test('a fetch of it rejects', async () => {
    p.mock.script({ json: JSON_BODY, fault: { kind: 'reset', after_bytes: 500 } });
    const response = fetch(p.gateway.url + CHAT, {
      method: 'POST',
      headers: { authorization: `Bearer ${p.gateway.key}` },
      body: JSON.stringify(PLAIN),
    }).then((answer) => (answer.status === 502 ? Promise.reject(new Error('502')) : answer.json()));
    await expect(response).rejects.toThrow();
  });
});

describe('many at once', () => {
  const TOTAL = 1000;
  const BATCH = 100;

  test(`${TOTAL} resets mid-stream: each client is told, each record says so, and the process lives`, async () => {
    p.mock.script({ events: 1000, event_bytes: 200, fault: { kind: 'reset', after_bytes: 50 * 200 } });
    const one = async (n: number) => {
      const answer = await p.call({ headers: { 'x-request-id': `mass-${n}` } });
      expectWholeAnswer(answer);
      expect(textOf(answer)).toEndWith(`\n\n${CHAT_ERROR}`);
      expect(textOf(answer).split(ERROR.code).length).toBe(2);
      expect(textOf(answer)).not.toContain('[DONE]');
    };
    for (let start = 0; start < TOTAL; start += BATCH) {
      await Promise.all(Array.from({ length: BATCH }, (_, i) => one(start + i)));
    }
    await p.recordOf(`mass-${TOTAL - 1}`);
    const records = (await p.gateway.waitForUsage(TOTAL)).filter((record) => record.requestId.startsWith('mass-'));
    expect(records.length).toBe(TOTAL);
    expect(new Set(records.map((record) => record.requestId)).size).toBe(TOTAL);
    expect(records.filter((record) => record.finish !== 'upstream_interrupted')).toEqual([]);
    p.mock.reset();
    expect(textOf(await p.call())).toEndWith('data: [DONE]\n\n');
  });
});

/** Whether what follows is read as an event of its own: at the start, or behind a blank line and whole comment lines. */
function endsAtBoundary(text: string): boolean {
  const lines = text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n');
  if (lines.pop() !== '') return false;
  while (lines.at(-1)?.startsWith(':')) lines.pop();
  return lines.length === 0 || lines.at(-1) === '';
}

describe('a stream of /v1/messages that upstream ends in order', () => {
  const start =
    'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9,"output_tokens":1}}}\n\n';
  const delta = 'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":5}}\n\n';
  const stop = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
  const error = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n';

  test.each([
    ['with an error event before its final usage is partial', start + error, 'partial', 10, 'error'],
    ['without its final usage is partial', start, 'partial', 10, 'upstream_interrupted'],
    ['with it is reported by upstream', start + delta + stop, 'upstream', 14, 'complete'],
    ['with it, but for the last line end, too', (start + delta).slice(0, -1), 'upstream', 14, 'upstream_interrupted'],
    ['with an error event behind it, too', start + delta + error, 'upstream', 14, 'error'],
    ['with a message_stop after a start that said all, too', start + stop, 'upstream', 10, 'complete'],
  ])('%s', async (what, body, usageSource, totalTokens, finish) => {
    p.mock.script({ body, content_type: 'text/event-stream', framing: 'chunked' });
    const id = what.replace(/\W/g, '-');
    const answer = await p.call({ path: '/v1/messages', body: STREAM, headers: { 'x-request-id': id } });
    expect(textOf(answer)).toBe(body);
    const errorCode = { complete: null, error: 'overloaded_error', upstream_interrupted: ERROR.code }[finish];
    expect(await p.recordOf(id)).toMatchObject({ finish, errorCode, usageSource, totalTokens });
  });
});
