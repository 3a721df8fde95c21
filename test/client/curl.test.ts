/** The commands of the README and of every bug report: curl against a gateway in its own process. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { pair } from '../support/pair.ts';
import { RECORDED_STREAMS, sha256 } from '../support/streams.ts';
import { CURL_MISSING, curl, headsOf } from './curl.ts';

setDefaultTimeout(30_000);

/** Milliseconds: far more than it takes, far less than curl waits for a permission that never comes. */
const PROMPT_MS = 15_000;
const EXPECT_WAIT_S = 60;
const MB = 1024 * 1024;
const BODY = { model: 'gpt-4o', stream: true, messages: [{ role: 'user', content: 'Hello' }] };

describe.skipIf(CURL_MISSING)('curl', () => {
  const bench = pair();
  const authorization = () => `Authorization: Bearer ${bench.gateway.key}`;
  const chat = (...args: string[]) => [
    `${bench.gateway.url}/v1/chat/completions`,
    ...['-H', authorization(), '-H', 'Content-Type: application/json'],
    ...args,
  ];

  test('-N prints a stream byte for byte as upstream sent it', async () => {
    const mock = { text: 'caf\u00e9 \u{1f30d}, event by event', pace_ms: 1 };
    const data = JSON.stringify({ ...BODY, stream_options: { include_usage: true }, mock });
    const gated = await curl(['-N', ...chat('-d', data)]);
    const direct = await curl(['-N', `${bench.mock.url}/chat/completions`, '-d', data]);
    expect([gated.exitCode, gated.stderr, gated.text]).toEqual([0, '', direct.text]);
    expect(sha256(gated.stdout)).toBe(sha256(direct.stdout));
    expect(gated.text).toEndWith('data: [DONE]\n\n');
  });

  for (const stream of RECORDED_STREAMS) {
    test(`-N prints ${stream.file} byte for byte`, async () => {
      const endpoint = stream.endpoint === '/v1/completions' ? '/v1/chat/completions' : stream.endpoint;
      bench.mock.script({
        body_base64: Buffer.from(stream.content).toString('base64'),
        content_type: 'text/event-stream',
        framing: 'chunked',
        split: 101,
      });
      const { exitCode, stdout } = await curl([
        '-N',
        bench.gateway.url + endpoint,
        '-H',
        authorization(),
        '-d',
        JSON.stringify(BODY),
      ]);
      expect([exitCode, stdout.length, sha256(stdout)]).toEqual([0, stream.bytes, stream.sha256]);
    });
  }

  test('-i shows what is on the allow-list, the latency, the framing and nothing else', async () => {
    bench.mock.script({
      text: 'Hi',
      headers: [
        ['x-request-id', 'req_1'],
        ['x-quota-allowed', '100'],
        ['x-quota-available', '99'],
        ['x-quota-reset', '60'],
        ['server', 'upstream'],
        ['set-cookie', 'session=1'],
        ['via', '1.1 proxy'],
        ['openai-organization', 'org'],
        ['x-ratelimit-remaining-requests', '1'],
      ],
    });
    const { exitCode, text } = await curl(['-i', '-N', ...chat('-d', JSON.stringify(BODY))]);
    const { heads, body } = headsOf(text);
    const [status, ...lines] = heads[0]!;
    const fields = Object.fromEntries(lines.map((line) => [line.split(': ')[0]!.toLowerCase(), line.split(': ')[1]]));
    expect([exitCode, heads.length, status]).toEqual([0, 1, 'HTTP/1.1 200 OK']);
    const { date, 'transfer-encoding': framing, 'x-bve-latency': latency, ...others } = fields;
    expect(others).toEqual({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      'x-request-id': 'req_1',
      'x-quota-allowed': '100',
      'x-quota-available': '99',
      'x-quota-reset': '60',
    });
    expect([Number.isNaN(Date.parse(date!)), framing]).toEqual([false, 'chunked']);
    expect(latency).toMatch(/^\d+$/);
    expect(body).toEndWith('data: [DONE]\n\n');
  });

  test('a refusal exits 0 with the envelope, or 22 with --fail', async () => {
    const args = [`${bench.gateway.url}/v1/chat/completions`, '-d', JSON.stringify(BODY)];
    const plain = await curl(args);
    expect([plain.exitCode, JSON.parse(plain.text)]).toEqual([
      0,
      { error: { message: 'Missing API key', type: 'invalid_request_error', code: 'missing_api_key' } },
    ]);
    expect((await curl(['--fail', ...args])).exitCode).toBe(22);
  });

  test('a stream that breaks off ends properly (exit 0) with the error event, without [DONE]', async () => {
    const body = 'data: {"choices":[]}\n\n'.repeat(3);
    bench.mock.script({
      body,
      content_type: 'text/event-stream',
      framing: 'chunked',
      fault: { kind: 'end_early', after_bytes: body.length },
    });
    const { exitCode, text } = await curl(['-N', ...chat('-d', JSON.stringify(BODY))]);
    const last = JSON.parse(text.trimEnd().split('\n').at(-1)!.replace('data: ', ''));
    expect([exitCode, last.error.code]).toEqual([0, 'upstream_stream_interrupted']);
    expect(text).not.toContain('[DONE]');
  });

  test('a JSON answer that breaks off is no complete answer: curl fails', async () => {
    bench.mock.script({ json: { text: 'x'.repeat(100_000) }, fault: { kind: 'end_early', after_bytes: 50_000 } });
    const { exitCode } = await curl(chat('-d', JSON.stringify({ ...BODY, stream: false })));
    // 18: transfer closed with bytes outstanding, 52: empty reply, 56: connection reset.
    expect([18, 52, 56]).toContain(exitCode);
  });

  test('--max-time ends the request upstream, too', async () => {
    bench.mock.script({ fault: { kind: 'hang' } });
    // Long enough for the request to get there first, also on a machine that stands still for a while.
    const { exitCode } = await curl(['--max-time', '2.5', ...chat('-d', JSON.stringify(BODY))]);
    expect(exitCode).toBe(28);
    expect(await (await bench.mock.waitForRequest()).closed).toBe('client_closed');
  });

  test('Expect: 100-continue is answered, and the body arrives whole', async () => {
    const body = JSON.stringify({ ...BODY, stream: false, padding: 'p'.repeat(3 * MB) });
    const startedAtMs = performance.now();
    const { exitCode, text } = await curl(
      [
        '-i',
        '--expect100-timeout',
        String(EXPECT_WAIT_S),
        ...chat('-H', 'Expect: 100-continue', '--data-binary', '@-'),
      ],
      Buffer.from(body),
    );
    expect(performance.now() - startedAtMs).toBeLessThan(PROMPT_MS);
    const { heads } = headsOf(text);
    expect([exitCode, ...heads.map(([status]) => status)]).toEqual([0, 'HTTP/1.1 100 Continue', 'HTTP/1.1 200 OK']);
    expect(bench.mock.requests[0]!.text === body).toBe(true);
  });

  for (const [how, ...flags] of [
    ['a length'],
    ['no length', '-H', 'Transfer-Encoding: chunked'],
    ['a length and Expect: 100-continue', '-H', 'Expect: 100-continue', '--expect100-timeout', String(EXPECT_WAIT_S)],
    ['a length and no expectation', '-H', 'Expect:'],
  ]) {
    test(`11 MB with ${how} are refused with 413, and curl can read why`, async () => {
      const body = Buffer.from(JSON.stringify({ ...BODY, padding: 'p'.repeat(11 * MB) }));
      const { text } = await curl(['-w', '\n%{http_code}', ...chat(...flags, '--data-binary', '@-')], body);
      const [envelope, status] = text.split('\n');
      expect([status, JSON.parse(envelope!)]).toEqual([
        '413',
        {
          error: {
            message: 'The request body is larger than 10 MB (MAX_BODY_BYTES)',
            type: 'invalid_request_error',
            code: 'request_too_large',
          },
        },
      ]);
      expect(bench.mock.requests.length).toBe(0);
    });
  }

  test('--compressed changes nothing: the answer is not compressed', async () => {
    bench.mock.script({ text: 'Hi', gzip: true });
    const { exitCode, text } = await curl(['-i', '--compressed', ...chat('-d', JSON.stringify(BODY))]);
    const { heads, body } = headsOf(text);
    expect([exitCode, body.endsWith('data: [DONE]\n\n')]).toEqual([0, true]);
    expect(heads[0]!.some((line) => /^content-encoding/i.test(line))).toBe(false);
  });

  test('two requests of one curl use one connection', async () => {
    const url = `${bench.gateway.url}/v1/models`;
    const { exitCode, text } = await curl([
      '-H',
      authorization(),
      '-o',
      '/dev/null',
      '-w',
      '%{num_connects} ',
      url,
      url,
    ]);
    expect([exitCode, text.split('\n').at(-1)]).toEqual([0, expect.stringMatching(/0 $/)]);
  });
});
