/** Upstream that cannot be reached, breaks HTTP, or frames its answer oddly: an answer every time, never a hang or a crash. */
import { describe, expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { jsonOf, PLAIN, pair, STREAM, startPair, textOf } from '../support/pair.ts';
import { expectOpenAi, expectOpenAiCode, UPSTREAM_BROKE } from '../support/refusals.ts';

describe('upstream trouble', () => {
  const p = pair();

  test('nobody listens: 502, and again 200 when somebody does', async () => {
    // Idle pooled connections would still be served, so this gateway must never have had one.
    await using q = await startPair();
    q.mock.refuseConnections();
    for (const body of [STREAM, PLAIN]) {
      const answer = await q.call({ body });
      expectOpenAi(answer, { status: 502, message: 'Upstream cannot be reached', ...UPSTREAM_BROKE });
    }
    const lines = () => q.gateway.logLines().filter((line) => line.msg === 'request');
    await eventually(() => lines().length === 2);
    expect(lines()[0]).toMatchObject({ status: 502, finish: 'error', cause: expect.stringMatching(/refused/i) });
    q.mock.acceptConnections();
    expect((await q.call({ body: PLAIN })).status).toBe(200);
  });

  test('a reset instead of an answer: 502', async () => {
    p.mock.script({ fault: { kind: 'refuse' } });
    for (const body of [STREAM, PLAIN]) {
      expectOpenAi(await p.call({ body }), {
        status: 502,
        message: 'Upstream closed the connection',
        ...UPSTREAM_BROKE,
      });
    }
  });

  test('a pooled connection that upstream closes while it is idle is not an error', async () => {
    p.mock.script({ fault: { kind: 'close_idle' } });
    for (let round = 0; round < 10; round++) expect((await p.call({ body: PLAIN })).status).toBe(200);
  });

  test('a pooled connection that is reset by the request on it: 502, unless the request may be repeated', async () => {
    p.mock.script((request) => (request.text.includes('first') ? { fault: { kind: 'reset_next' } } : {}));
    const onSuch = async (call: Parameters<typeof p.call>[0]) => {
      expect((await p.call({ body: { model: 'first', messages: [] } })).status).toBe(200);
      return p.call(call);
    };
    expectOpenAi(await onSuch({ body: PLAIN }), {
      status: 502,
      message: 'Upstream closed the connection',
      ...UPSTREAM_BROKE,
    });
    const startedAt = performance.now();
    const { status } = await onSuch({ body: PLAIN, headers: { 'idempotency-key': 'k-1' } });
    // One that breaks a second later is not sent again: on a machine that stopped in between there is nothing to see.
    if (performance.now() - startedAt < 1000) expect(status).toBe(200);
  });

  test('something that is not HTTP: 502', async () => {
    p.mock.script({ framing: 'garbage' });
    for (const body of [STREAM, PLAIN]) {
      const answer = await p.call({ body });
      expectOpenAi(answer, { status: 502, message: 'Upstream sent an invalid answer', ...UPSTREAM_BROKE });
    }
  });

  const EVENTS = 'data: {"choices":[]}\n\ndata: [DONE]\n\n';
  const JSON_BODY = JSON.stringify({ object: 'chat.completion', text: 'x'.repeat(300) });

  for (const framing of ['bad_chunk_size', 'short_chunk', 'length_short'] as const) {
    test(`${framing}: a stream says that it is broken, and ends`, async () => {
      p.mock.script({ body: EVENTS.replace('data: [DONE]\n\n', ''), content_type: 'text/event-stream', framing });
      const answer = await p.call({ headers: { 'x-request-id': `framing-${framing}` } });
      if (answer.status === 502) {
        expectOpenAiCode(answer, 'upstream_error');
      } else {
        expect(answer.status).toBe(200);
        expect(answer.complete).toBe(true);
        expect(textOf(answer)).toContain('"code":"upstream_stream_interrupted"');
        expect(textOf(answer)).not.toContain('[DONE]');
        expect((await p.recordOf(`framing-${framing}`)).finish).toBe('upstream_interrupted');
      }
      p.mock.reset();
      expect((await p.call()).status).toBe(200);
    });

    test(`${framing}: JSON never looks complete`, async () => {
      p.mock.script({ body: JSON_BODY, content_type: 'application/json', framing });
      const answer = await p.call({ body: PLAIN, headers: { 'x-request-id': `plain-${framing}` } });
      expect(answer.status === 502 || !answer.complete).toBe(true);
      expect(['error', 'upstream_interrupted']).toContain((await p.recordOf(`plain-${framing}`)).finish);
      p.mock.reset();
      expect((await p.call({ body: PLAIN })).status).toBe(200);
    });
  }

  for (const framing of ['length_long', 'both'] as const) {
    for (const body of [STREAM, PLAIN]) {
      const how = 'stream' in body ? 'streamed' : 'not streamed';
      test(`${framing}, ${how}: answered, and what is left over never reaches another request`, async () => {
        const sent = 'stream' in body ? EVENTS : JSON_BODY;
        p.mock.script({
          body: sent,
          content_type: 'stream' in body ? 'text/event-stream' : 'application/json',
          framing,
        });
        const answer = await p.call({ body });
        expect([200, 502]).toContain(answer.status);
        if (answer.status === 200 && !textOf(answer).includes('upstream_stream_interrupted'))
          expect(sent).toStartWith(textOf(answer));
        p.mock.reset();
        for (let round = 0; round < 5; round++) {
          const next = await p.call({ body: PLAIN });
          expect(next.status).toBe(200);
          expect(jsonOf(next)).toMatchObject({ object: 'chat.completion' });
        }
      });
    }
  }

  for (const framing of ['trailers', 'chunk_extensions', 'http10', 'close'] as const) {
    test(`unusual but valid framing passes: ${framing}`, async () => {
      for (const [body, sent, content_type] of [
        [STREAM, EVENTS, 'text/event-stream'],
        [PLAIN, JSON_BODY, 'application/json'],
      ] as const) {
        p.mock.script({ body: sent, content_type, framing });
        const answer = await p.call({ body });
        expect([answer.status, textOf(answer), answer.complete]).toEqual([200, sent, true]);
        expect(answer.header('x-mock-trailer')).toBeNull();
      }
    });
  }

  test('bare line feeds in the framing: answered or refused, never a hang', async () => {
    p.mock.script({ body: EVENTS, content_type: 'text/event-stream', framing: 'lf_only' });
    const answer = await p.call();
    if (answer.status === 502) expectOpenAiCode(answer, 'upstream_error');
    else if (textOf(answer) !== EVENTS) expect(textOf(answer)).toContain('upstream_stream_interrupted');
    expect(answer.complete).toBe(true);
  });

  for (const headers of [
    [['content-length', 'abc']],
    [['transfer-encoding', 'gzip, chunked']],
    [['x-long', 'x'.repeat(200_000)]],
    [['content-encoding', 'gzip']],
    [['content-encoding', 'br']],
    [['x-request-id', 'bad\u0001id']],
    [['x-quota-allowed', 'caf\u00e9 \u0007']],
  ] as const) {
    test(`a broken head (${headers[0]![0]}: ${JSON.stringify(headers[0]![1].slice(0, 20))}): an answer, never a hang`, async () => {
      for (const body of [STREAM, PLAIN]) {
        p.mock.script({ body: EVENTS, content_type: 'text/event-stream', framing: 'chunked', headers });
        const answer = await p.call({ body });
        expect([200, 502]).toContain(answer.status);
        if (answer.status === 502) expectOpenAiCode(answer, 'upstream_error');
        else if (textOf(answer) !== EVENTS) expect(textOf(answer)).toContain('upstream_stream_interrupted');
      }
      p.mock.reset();
      expect((await p.call()).status).toBe(200);
    });
  }
});
