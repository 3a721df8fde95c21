/** Log lines for people. */
import { expect, test } from 'bun:test';
import { startMock } from '../../src/mock/server.ts';
import { prettyLine } from '../../src/observe/pretty-line.ts';
import { eventually } from '../support/eventually.ts';
import { startGatewayProcess } from '../support/gateway.ts';

const line = (fields: object) =>
  prettyLine(JSON.stringify({ level: 'warn', time: '2026-01-02T03:04:05.678Z', ...fields }));

test('a line has time, level, message and fields', () => {
  expect(line({ status: 200, model: 'gpt-4o', streamed: true, reason: 'two words', msg: 'request' })).toBe(
    '2026-01-02 03:04:05.678 WARN  request status=200 model=gpt-4o streamed=true reason="two words"\n',
  );
});

test('nothing a client sends begins a line of its own or reaches the terminal as a command', () => {
  const text = line({ msg: 'a\nb', model: 'x\n2026-01-01 INFO forged', path: '\u001b[2J', quoted: 'say "=" ' });
  expect(text).toBe(
    '2026-01-02 03:04:05.678 WARN  a\\nb model="x\\n2026-01-01 INFO forged" path="\\u001b[2J" quoted="say \\"=\\" "\n',
  );
});

test('an error has its stack below the line', () => {
  const err = { name: 'Error', code: 'EPIPE', message: 'gone', stack: 'Error: gone\n    at f (a.ts:1)' };
  expect(line({ msg: 'internal error', err })).toBe(
    '2026-01-02 03:04:05.678 WARN  internal error\n    Error: gone (EPIPE)\n        at f (a.ts:1)\n',
  );
});

test('LOG_FORMAT=pretty makes every line of a gateway such a line', async () => {
  const mock = startMock();
  const gateway = await startGatewayProcess({ upstreamUrl: mock.url, env: { LOG_FORMAT: 'pretty' } });
  await (await fetch(`${gateway.url}/v1/models`)).text();
  await eventually(() => gateway.output().includes('endpoint=/v1/models'));
  for (const each of gateway.output().trimEnd().split('\n'))
    expect(each).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (INFO |WARN ) /);
  await gateway.stop();
  await mock.stop();
});
