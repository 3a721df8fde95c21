/** Binary answers: their headers, their bytes, and what a client sees when they are cut. */
import { describe, expect, test } from 'bun:test';
import type { Scenario } from '../../src/mock/scenario.ts';
import { pair, startPair } from '../support/pair.ts';
import { sha256 } from '../support/streams.ts';

const CONTENT = '/v1/files/file-1/content';

const download = (bytes: number, more: Scenario = {}): Scenario => ({
  bytes,
  content_type: 'audio/mpeg',
  headers: [
    ['content-disposition', 'attachment; filename="a.mp3"'],
    ['x-ratelimit-limit', '7'],
    ['openai-version', '1'],
    ['set-cookie', 'a=b'],
  ],
  ...more,
});

describe('a download', () => {
  const p = pair();

  for (const bytes of [1, 48_000, 200_000, 3_000_000]) {
    test(`of ${bytes} bytes passes byte for byte, with its type and name`, async () => {
      p.mock.script(download(bytes));
      const direct = await fetch(`${p.mock.url}/files/file-1/content`);
      const answer = await p.call({ method: 'GET', path: CONTENT });
      expect(answer.status).toBe(200);
      expect(answer.header('content-type')).toBe('audio/mpeg');
      expect(answer.header('content-disposition')).toBe('attachment; filename="a.mp3"');
      expect([answer.header('x-ratelimit-limit'), answer.header('set-cookie')]).toEqual([null, null]);
      expect(sha256(answer.body)).toBe(sha256(new Uint8Array(await direct.arrayBuffer())));
      expect(answer.complete).toBe(true);
      // Bun frames what is longer than it is given at once as chunks.
      if (bytes < 256 * 1024) expect(answer.header('content-length')).toBe(String(bytes));
    });
  }

  test('of speech has its length, too', async () => {
    p.mock.script(download(48_000));
    const answer = await p.call({ path: '/v1/audio/speech', body: { model: 'm', input: 'x' } });
    expect([answer.header('content-length'), answer.body.length]).toEqual(['48000', 48_000]);
  });

  test('asked for by HEAD says how long it is', async () => {
    p.mock.script(download(3_000_000));
    const answer = await fetch(`${p.gateway.url}${CONTENT}`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${p.gateway.key}` },
    });
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="a.mp3"');
    expect(answer.headers.get('content-length')).toBe('3000000');
  });

  for (const kind of ['reset', 'end_early'] as const) {
    for (const [bytes, after] of [
      [100_000, 0],
      [100_000, 10_000],
      [100_000, 99_999],
      [5_000_000, 2_000_000],
    ] as const) {
      test(`of ${bytes} bytes cut after ${after} (${kind}) never ends cleanly`, async () => {
        p.mock.script(download(bytes, { fault: { kind, after_bytes: after } }));
        const answer = await p.call({ method: 'GET', path: CONTENT, headers: { 'x-request-id': `${kind}${after}` } });
        expect([answer.complete, answer.ended]).toEqual([false, 'reset']);
        expect(answer.body.length).toBeLessThanOrEqual(after);
        expect((await p.recordOf(`${kind}${after}`)).finish).not.toBe('complete');
      });
    }
  }

  test('that comes slowly is not waited for', async () => {
    p.mock.script(download(3000, { split: 1000, pace_ms: 400 }));
    const answer = await p.call({ method: 'GET', path: CONTENT });
    expect([answer.status, answer.body.length]).toEqual([200, 3000]);
  });
});

test('RESPONSE_HEADERS_EXTRA lets more pass, by name and by the beginning of a name', async () => {
  await using p = await startPair({ env: { RESPONSE_HEADERS_EXTRA: 'OpenAI-Version, x-ratelimit-*' } });
  p.mock.script(download(100));
  const answer = await p.call({ method: 'GET', path: CONTENT });
  expect([answer.header('openai-version'), answer.header('x-ratelimit-limit')]).toEqual(['1', '7']);
  expect(answer.header('set-cookie')).toBeNull();
});
