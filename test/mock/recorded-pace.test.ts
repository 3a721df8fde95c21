/** Recordings with a timing file: when they are sent, and their rotation. */
import { afterEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseScenario } from '../../src/mock/scenario-parser.ts';
import { startMock } from '../../src/mock/server.ts';
import { splitEvents } from '../../src/mock/split-events.ts';
import { paceOf, parseTiming, timingFileOf, timingText } from '../../src/mock/timing.ts';
import { clientOf, mockServer } from './fixture.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const BODY = 'data: 1\n\ndata: 2\n\ndata: 3\n\n';
const EVENT_BYTES = 9;

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'bve-pace-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

/** Head at once, the first event after 20 ms, the two others together 100 ms later. */
const TIMING = timingText({
  api: 'chat',
  head_ms: 0,
  reads: [
    [20, EVENT_BYTES],
    [120, 2 * EVENT_BYTES],
  ],
});
const RECORDED = { 'one.sse': BODY, 'one.timing.json': TIMING };

test('an event is due when the read that completed it came', () => {
  const events = splitEvents(Buffer.from(BODY));
  const timing = {
    api: 'chat',
    head_ms: 3,
    reads: [
      [5, 4],
      [7, 10],
      [9, 13],
    ],
  } as const;
  const pace = paceOf(timing, events, 'x.timing.json');
  // The 4 bytes of the first read complete nothing, the 14 of two reads the first event, all 27 the rest.
  expect([pace.headMs, ...pace.eventsMs]).toEqual([3, 7, 9, 9]);
  expect(() => paceOf({ ...timing, reads: [[5, 4]] }, events, 'x.timing.json')).toThrow('has the times of 4 bytes');
});

test('timing survives being written and read', () => {
  const timing = {
    api: 'messages',
    head_ms: 1.5,
    reads: [
      [1.5, 10],
      [20.25, 3],
    ],
  } as const;
  expect(parseTiming(timingText(timing), 'x')).toEqual(timing as never);
  expect(timingFileOf('a.b.sse')).toBe('a.b.timing.json');
});

test.each([
  ['{', 'is not JSON'],
  ['{}', 'api is wrong'],
  ['{"api":"chat","head_ms":-1,"reads":[]}', 'head_ms'],
  ['{"api":"chat","head_ms":0,"reads":[[1]]}', 'reads takes'],
  ['{"api":"chat","head_ms":0,"reads":[[1,9]]}', 'has the times of 9 bytes'],
])('a broken timing file is told in the answer: %s', async (text, message) => {
  const server = mockServer({ replayDir: folderOf({ 'one.sse': BODY, 'one.timing.json': text }) });
  const answer = await (await clientOf(server)).post({ mock: { replay: 'one.sse' } }).answer();
  expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(message)]);
});

test('a recording is sent at its pace: events of one read are sent together', async () => {
  const server = mockServer({ replayDir: folderOf(RECORDED) });
  const startMs = performance.now();
  const answer = await (await clientOf(server)).post({ mock: { replay: 'one.sse' } }).answer();
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(119);
  expect(answer.text).toBe(BODY);
});

test('speed and pace change it; order faults and framings go with it', async () => {
  const server = mockServer({
    replayDir: folderOf({ 'one.sse': BODY, 'one.timing.json': TIMING.replace('120', '30000') }),
  });
  const ask = async (mock: object) =>
    (await (await clientOf(server)).post({ mock: { replay: 'one.sse', ...mock } }).answer()).text;
  // Each of these would take half a minute at the recorded pace.
  expect(await ask({ speed: 1000 })).toBe(BODY);
  expect(await ask({ pace: 'none' })).toBe(BODY);
  expect(await ask({ pace_ms: 1 })).toBe(BODY);
  expect(await ask({ split: 4 })).toBe(BODY);
  expect(await ask({ pace: 'recorded', speed: 1000, duplicate: 2, framing: 'length' })).toBe(`${BODY}data: 3\n\n`);
  expect(await ask({ pace: 'recorded', speed: 1000, drop: 0 })).toBe(BODY.slice(EVENT_BYTES));
});

test.each([
  [{ pace: 'recorded' }, 'needs a replay'],
  [{ replay: 'a.sse', pace: 'recorded', pace_ms: 1 }, 'pace_ms cannot be combined'],
  [{ replay: 'a.sse', pace: 'recorded', split: 1 }, 'split cannot be combined'],
  [{ replay: 'a.sse', speed: 0 }, 'speed takes 0.001 to 1000'],
])('%j is refused', (scenario, message) => {
  expect(() => parseScenario(scenario)).toThrow(message);
});

test('without a timing file the recorded pace is refused, and everything else as before', async () => {
  const server = mockServer({ replayDir: folderOf({ 'one.sse': BODY }) });
  const client = await clientOf(server);
  const refused = await client.post({ mock: { replay: 'one.sse', pace: 'recorded' } }).answer();
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('has no timing file')]);
  expect((await client.post({ mock: { replay: 'one.sse' } }).answer()).text).toBe(BODY);
});

test('recordings are used round-robin for streams of their API, unless the request says otherwise', async () => {
  const timing = (api: 'chat' | 'messages') => timingText({ api, head_ms: 0, reads: [[0, EVENT_BYTES]] });
  const replayDir = folderOf({
    'a.sse': 'data: a\n\n',
    'a.timing.json': timing('chat'),
    'b.sse': 'data: b\n\n',
    'b.timing.json': timing('chat'),
    'c.sse': 'data: c\n\n',
    'c.timing.json': timing('messages'),
  });
  const server = mockServer({ replayDir, rotate: true, scenario: { text: 'default' } });
  const client = await clientOf(server);
  const stream = async (path?: string) => (await client.post({ stream: true }, path).answer()).text;
  expect([await stream(), await stream(), await stream()]).toEqual(['data: a\n\n', 'data: b\n\n', 'data: a\n\n']);
  expect(await stream('/v1/messages')).toBe('data: c\n\n');
  expect(await stream('/v1/responses')).toContain('default');
  expect((await client.post({}).answer()).text).toContain('default');
  expect((await client.post({ stream: true, mock: { body: 'own' } }).answer()).text).toBe('own');
});

test('there must be something to rotate', () => {
  expect(() => startMock({ replayDir: folderOf({ 'a.txt': '' }), rotate: true })).toThrow('no .sse file');
});
