import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitEvents } from '../../src/mock/split-events.ts';
import { clientOf, mockServer } from './fixture.ts';

const FOLDER = join(import.meta.dir, '../../../shared/streams');
const recorded = existsSync(FOLDER);
if (!recorded) console.warn('replay.test.ts: ../shared/streams is missing, recorded streams are not tested');
const index: { file: string; sha256: string; bytes: number; events: number }[] = recorded
  ? JSON.parse(readFileSync(join(FOLDER, 'index.json'), 'utf8'))
  : [];

describe.skipIf(!recorded)('recorded streams', () => {
  test.each(index.map((entry) => [entry.file, entry] as const))('%s arrives byte for byte', async (file, entry) => {
    const server = mockServer({ replayDir: FOLDER });
    const client = await clientOf(server);
    // Byte by byte only where that takes no second.
    const finest = entry.bytes < 5_000 ? 1 : 64;
    for (const more of [{}, { split: finest }, { split: 101 }, { framing: 'length' }, { wire_split: finest }]) {
      const answer = await client.post({ mock: { replay: file, ...more } }).answer();
      expect(answer.header('content-type')).toBe('text/event-stream');
      expect(new Bun.CryptoHasher('sha256').update(answer.body).digest('hex')).toBe(entry.sha256);
      if (Object.keys(more).length === 0) expect(answer.chunks.length).toBe(entry.events);
    }
    expect(server.requests.map((request) => request.bytesSent)).toEqual(Array(5).fill(entry.bytes));
  });

  test('a model named replay:FILE chooses the file, the default scenario how it is sent', async () => {
    const server = mockServer({ replayDir: FOLDER, scenario: { text: 'not this', split: 500 } });
    const file = index[0]!.file;
    const answer = await (await clientOf(server)).post({ model: `replay:${file}`, stream: true }).answer();
    expect(answer.body).toEqual(readFileSync(join(FOLDER, file)));
    expect(answer.chunks[0]!.length).toBe(500);
  });
});

test('a file that is not in the folder, or not a plain name, is refused', async () => {
  const withFolder = mockServer({ replayDir: import.meta.dir });
  for (const replay of ['missing.sse', '../package.json', '/etc/passwd', '..', '.hidden', '', 'a/b.sse', 'a\\b.sse']) {
    const answer = await (await clientOf(withFolder)).post({ model: `replay:${replay}` }).answer();
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('replay')]);
  }
  const answer = await (await clientOf(mockServer())).post({ model: 'replay:a.sse' }).answer();
  expect(answer.text).toContain('no replay folder');
});

test('events are cut at blank lines of every kind, and nothing is lost', () => {
  const cases: [string, string[]][] = [
    ['', []],
    ['data: 1\n\ndata: 2\n\n', ['data: 1\n\n', 'data: 2\n\n']],
    ['data: 1\r\n\r\ndata: 2\r\n\r\n', ['data: 1\r\n\r\n', 'data: 2\r\n\r\n']],
    ['data: 1\r\rdata: 2\r\r', ['data: 1\r\r', 'data: 2\r\r']],
    ['a: 1\ndata: 2\n\ncut', ['a: 1\ndata: 2\n\n', 'cut']],
    ['data: 1\n\n\ndata: 2', ['data: 1\n\n', '\ndata: 2']],
  ];
  for (const [text, events] of cases) expect(splitEvents(Buffer.from(text)).map(String)).toEqual(events);
});
