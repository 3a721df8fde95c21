/** `bve bench` as a user calls it: exit codes, one clear line per error, reports, recordings. */
import { afterEach, expect, test } from 'bun:test';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GatewayProcess, runBve, startGatewayProcess } from '../support/gateway.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { mockServer, temporaryFolder } from './fixture.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const SHORT = ['--rate', '100', '--duration', '0.2s'];
const NUMBERED = ['--body', '{"mock":{"events":5}}'];

async function startGateway(upstreamUrl: string): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({ upstreamUrl });
  stops.push(() => gateway.stop());
  return gateway;
}

test.each([
  [['http://127.0.0.1:9', '--bogus'], "Unknown option '--bogus'"],
  [[], 'URL is missing'],
  [['127.0.0.1:9'], 'is no'],
  [['ftp://127.0.0.1'], 'is not an http or https URL'],
  [['http://user:secret@127.0.0.1'], 'use --key'],
  [['http://127.0.0.1:9', 'x'], "unexpected argument 'x'"],
  [['http://127.0.0.1:9', '--rate', '0'], '--rate takes streams a second above 0'],
  [['http://127.0.0.1:9', '--rate', 'x'], "not 'x'"],
  [['http://127.0.0.1:9', '--rate', '1', '--streams', '1'], 'cannot be combined'],
  [['http://127.0.0.1:9', '--streams', '0'], '--streams takes a whole number from 1'],
  [['http://127.0.0.1:9', '--duration', '0'], '--duration takes a time above 0'],
  [['http://127.0.0.1:9', '--duration', '3days'], "not '3days'"],
  [['http://127.0.0.1:9', '--abandon', '101%'], '--abandon takes 0% to 100%'],
  [['http://127.0.0.1:9', '--abandon', '60', '--slow-readers', '60'], 'exceed 100%'],
  [['http://127.0.0.1:9', '--path', 'v1'], 'must begin with /'],
  [['http://127.0.0.1:9', '--key', 'a b'], 'a key must not be empty'],
  [['http://127.0.0.1:9', '--key', 'a', '--key-file', 'b'], 'cannot be combined'],
  [['http://127.0.0.1:9', '--body', '[1]'], '--body takes a JSON object'],
  [['http://127.0.0.1:9', '--body', '{"stream":false}'], 'only streams are measured'],
  [['http://127.0.0.1:9', '--record-max', '3'], '--record-max needs --record'],
  [['http://127.0.0.1:9', '--assert', 'ttfb_p99'], 'is not of the form'],
  [['http://127.0.0.1:9', '--assert', 'ttfb_p98<1ms'], "unknown field 'ttfb_p98'"],
  [['http://127.0.0.1:9', '--assert', 'ttfb_p99<200'], 'takes a unit: us, ms or s'],
  [['http://127.0.0.1:9', '--assert', 'errors=0', '--assert', 'errors<1ms'], 'takes no unit'],
] as const)('%j ends with exit code 2 and one clear line', async (args, message) => {
  const { exitCode, stdout, stderr } = await runBve(['bench', ...args]);
  const [first, ...rest] = stderr.trim().split('\n');
  expect(first).toContain(message);
  expect([exitCode, stdout, rest]).toEqual([2, '', ["Try 'bve bench --help'."]]);
});

test.each([
  [['--key-file', '/does/not/exist'], "--key-file: cannot read '/does/not/exist': there is no such file"],
  [['--prompt-file', '/does/not/exist'], 'there is no such file'],
  [['--body', '@/does/not/exist'], 'there is no such file'],
  [['--record', '/dev/null/x'], '--record: cannot create the folder'],
  [[], 'http://127.0.0.1:9/v1/chat/completions: connection refused: nothing listens there'],
] as const)('%j against a closed port ends with exit code 1 and one clear line', async (args, message) => {
  const { exitCode, stdout, stderr } = await runBve(['bench', 'http://127.0.0.1:9', ...args]);
  expect(stderr).toContain(message);
  expect([exitCode, stdout, stderr.trim().split('\n').length]).toEqual([1, '', 1]);
});

test.each([
  [{ status: 404, json: { error: { code: 'route_not_found', message: 'Route not found' } } }, '404 route_not_found'],
  [{ content_type: 'text/html', body: '<html>' }, 'the answer is text/html, not text/event-stream'],
  [{ framing: 'garbage' }, 'not valid HTTP'],
  [{ fault: { kind: 'hang' } }, 'no byte for 0.3 s'],
] as const)('a target that answers with %j is told in one line before any load', async (mock, message) => {
  const server = mockServer();
  // Short only where it is to pass: a machine that is slow for once must not make silence of an answer.
  const timeout = 'fault' in mock ? '300ms' : '20s';
  const args = [...SHORT, '--timeout', timeout, '--body', JSON.stringify({ mock })];
  const { exitCode, stdout, stderr } = await runBve(['bench', server.url, ...args]);
  expect(stderr).toContain(message);
  expect([exitCode, stdout, stderr.trim().split('\n').length, server.requests.length]).toEqual([1, '', 1, 1]);
});

test('through a gateway: a wrong key is one line, the right one a report', async () => {
  const gateway = await startGateway(mockServer().url);
  const wrong = await runBve(['bench', gateway.url, ...SHORT, '--key', 'sk-bve-wrong']);
  expect([wrong.exitCode, wrong.stdout]).toEqual([1, '']);
  expect(wrong.stderr).toBe(`bve bench: ${gateway.url}/v1/chat/completions: 401 invalid_api_key: Invalid API key\n`);
  const keyFile = join(temporaryFolder(), 'key');
  writeFileSync(keyFile, `${gateway.key}\n`);
  const asserts = ['--assert', 'errors=0', '--assert', 'order_violations = 0', '--assert', 'ttfb_p50<20s'];
  const right = await runBve(['bench', gateway.url, ...SHORT, ...NUMBERED, '--key-file', keyFile, ...asserts]);
  expect([right.exitCode, right.stdout]).toEqual([0, expect.stringContaining('0 violations in 20 streams')]);
  expect(right.stdout + right.stderr).not.toContain(gateway.key);
});

test('failed assertions are reported one by one, with exit code 1', async () => {
  const asserts = [
    '--assert',
    'ttfb_p50<1us',
    '--assert',
    'complete=20',
    '--assert',
    'dropped>3',
    '--assert',
    'errors_reset=0',
  ];
  const { exitCode, stderr } = await runBve(['bench', mockServer().url, ...SHORT, ...NUMBERED, ...asserts]);
  const failed = stderr.split('\n').filter((line) => line.includes('FAILED'));
  expect(exitCode).toBe(1);
  expect(failed).toEqual([
    expect.stringMatching(/^bve bench: FAILED {2}ttfb_p50<1us {2}\(is [\d.]+ us\)$/),
    'bve bench: FAILED  dropped>3  (is 0)',
  ]);
});

test('when no stream is complete the exit code is 1, with or without assertions, and assertions on what was not measured fail', async () => {
  const args = [...SHORT, '--body', '{"mock":{"events":3,"truncate_after_event":1}}', '--assert', 'total_p50<10s'];
  const { exitCode, stderr } = await runBve(['bench', mockServer().url, ...args]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('no stream was complete: the answer ended without [DONE]');
  expect(stderr).toContain('FAILED  total_p50<10s  (nothing was measured)');
});

test('the JSON report keeps its form, and the HTML page stands alone', async () => {
  const server = mockServer();
  const folder = temporaryFolder();
  const htmlFile = join(folder, 'report.html');
  const args = [...SHORT, ...NUMBERED, '--key', 'sk-secret-1', '--assert', 'errors=0'];
  const shown = await runBve(['bench', '--json', server.url, ...args]);
  const written = await runBve(['bench', server.url, ...args, '--html', htmlFile]);
  expect([shown.exitCode, written.exitCode]).toEqual([0, 0]);
  expect(written.stdout).toContain('streams/s');
  const times = ['count', 'min', 'p50', 'p90', 'p99', 'p999', 'max', 'mean'];
  const report = JSON.parse(shown.stdout) as Record<string, object>;
  const keys = Object.fromEntries(
    Object.entries(report).map(([name, value]) => [name, value && typeof value === 'object' ? Object.keys(value) : []]),
  );
  expect(report.schema as unknown).toBe(1);
  expect(report.assertions as unknown).toEqual([{ assert: 'errors=0', holds: true, value: 0 }]);
  expect(keys).toEqual({
    schema: [],
    version: [],
    started_at: [],
    elapsed_s: [],
    interrupted: [],
    target: [],
    load: [
      'mode',
      'rate_per_s',
      'streams',
      'ramp_s',
      'warmup_s',
      'duration_s',
      'slow_readers',
      'abandon',
      'model',
      'seed',
      'insecure',
    ],
    machine: ['cpus', 'cpu', 'platform', 'bun'],
    streams: ['started', 'complete', 'failed', 'abandoned', 'interrupted', 'dropped', 'truncated', 'slow', 'retried'],
    ttfb_us: times,
    first_event_us: times,
    gap_us: times,
    jitter_us: times,
    total_us: times,
    rates: ['streams_per_s', 'events_per_s', 'tokens_per_s', 'bytes_per_s', 'tokens_from'],
    errors: ['total', 'by_kind'],
    order: ['checked_streams', 'ends_checked', 'bad_streams', 'violations', 'reordered', 'dropped', 'duplicated'],
    bodies: [],
    harness: ['loop_lag_us', 'arrival_lag_us', 'cpu_share', 'bottlenecks'],
    seconds: expect.anything(),
    assertions: ['0'],
  } as never);
  expect(shown.stdout).not.toContain('sk-secret');
  const html = readFileSync(htmlFile, 'utf8');
  expect(html).toContain('<svg');
  expect(html).not.toMatch(/sk-secret|<script|https?:\/\/(?!127\.0\.0\.1|www\.w3\.org)/);
});

test('prompts of a .jsonl file are used round-robin, and the given body replaces the default one', async () => {
  const server = mockServer();
  const file = join(temporaryFolder(), 'prompts.jsonl');
  writeFileSync(file, '"first prompt"\n{"messages":[{"role":"user","content":"second prompt"}],"seed":7}\n');
  const args = [...SHORT, '--no-check', '--prompt-file', file, '--model', 'm1', '--body', '{"temperature":0}'];
  expect((await runBve(['bench', server.url, ...args])).exitCode).toBe(0);
  const bodies = server.requests.slice(0, 3).map((request) => request.json as Record<string, unknown>);
  expect(bodies.map(({ messages }) => (messages as { content: string }[])[0]!.content)).toEqual([
    'first prompt',
    'second prompt',
    'first prompt',
  ]);
  expect(bodies[1]).toMatchObject({ model: 'm1', temperature: 0, seed: 7, stream: true });
});

test('TLS is verified unless told otherwise, and then with a warning', async () => {
  const tls = startTlsServer();
  const refused = await runBve(['bench', tls.url, ...SHORT]);
  expect([refused.exitCode, refused.stdout, refused.stderr.trim().split('\n').length]).toEqual([1, '', 1]);
  expect(refused.stderr).toMatch(/self.signed|certificate/i);
  const taken = await runBve(['bench', tls.url, ...SHORT, '--insecure']);
  expect([taken.exitCode, taken.stdout]).toEqual([0, expect.stringContaining('20 complete')]);
  expect(taken.stderr).toContain('NOT verified');
});

test('what was recorded is replayed byte for byte, at its pace; keys and prompts are not in it', async () => {
  const server = mockServer();
  const prompt = 'tell me all about the secret garden';
  const promptFile = join(temporaryFolder(), 'prompt.txt');
  writeFileSync(promptFile, prompt);
  const body = JSON.stringify({ mock: { text: 'one two three four', first_delay_ms: 60, pace_ms: 30 } });
  const args = [...SHORT, '--key', 'sk-secret-1', '--prompt-file', promptFile, '--body', body];
  const record = async (url: string, ...more: string[]) => {
    const folder = join(temporaryFolder(), 'recordings');
    const { exitCode, stderr } = await runBve(['bench', url, ...more, '--record', folder, '--record-max', '2']);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('2 streams recorded')]);
    return { folder, timing: timingOf(join(folder, 'stream-001.timing.json')) };
  };
  /** Reads merge while a machine stands still, all of them at the worst: then once more. */
  const recordApart = async (url: string, ...more: string[]) => {
    let recorded = await record(url, ...more);
    for (let tries = 1; recorded.timing.length === 1 && tries < 5; tries++) recorded = await record(url, ...more);
    return recorded;
  };
  const { folder } = await recordApart(server.url, ...args);
  const files = readdirSync(folder).sort();
  expect(files).toEqual(['stream-001.sse', 'stream-001.timing.json', 'stream-002.sse', 'stream-002.timing.json']);
  for (const file of files) {
    expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(/secret|garden|first_delay_ms/);
  }
  const replaying = mockServer({ replayDir: folder, rotate: true });
  const { folder: again, timing: second } = await recordApart(replaying.url, ...SHORT);
  expect(readFileSync(join(again, 'stream-001.sse'))).toEqual(readFileSync(join(folder, 'stream-001.sse')));
  // A replay counts from when it got the request, and no wait ends early. Either of the two recordings may have been used.
  const ends = ['001', '002'].map((number) => timingOf(join(folder, `stream-${number}.timing.json`)).at(-1)!);
  expect(second.length).toBeGreaterThan(1);
  expect(second.at(-1)!).toBeGreaterThanOrEqual(Math.min(...ends) - 1);
});

test('an answer that repeats the prompt or the key is not recorded', async () => {
  const server = mockServer();
  const folder = join(temporaryFolder(), 'recordings');
  const promptFile = join(temporaryFolder(), 'prompt.txt');
  writeFileSync(promptFile, 'a prompt that is "repeated"');
  server.script(() => ({
    content_type: 'text/event-stream',
    body: `data: ${JSON.stringify({ instructions: 'a prompt that is "repeated"' })}\n\ndata: [DONE]\n\n`,
  }));
  const { exitCode, stderr } = await runBve([
    'bench',
    server.url,
    ...SHORT,
    '--prompt-file',
    promptFile,
    '--record',
    folder,
  ]);
  expect([exitCode, readdirSync(folder)]).toEqual([0, []]);
  expect(stderr).toContain('repeats the key or a prompt was not recorded');
});

function timingOf(path: string): number[] {
  return (JSON.parse(readFileSync(path, 'utf8')) as { reads: [number, number][] }).reads.map(([atMs]) => atMs);
}

function startTlsServer(): { url: string } {
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: SELF_SIGNED,
    fetch: () => new Response('data: {}\n\ndata: [DONE]\n\n', { headers: { 'content-type': 'text/event-stream' } }),
  });
  stops.push(() => server.stop(true));
  return { url: `https://127.0.0.1:${server.port}` };
}
