/** curl, also for what the gateway answers itself and no SDK calls. */
import { afterAll, expect, test } from 'bun:test';
import { CURL_MISSING, curl } from '../client/curl.ts';
import { pair } from '../support/pair.ts';
import { endpointsOf, RUNS, writeRuns } from './harness.ts';

const ADMIN_KEY = 'admin-key-of-the-client-tests';
const METRICS_TOKEN = 'metrics-token-of-the-client-tests';
const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY, METRICS_TOKEN } });
/** Both tests are one row. */
const DONE = { cases: [] as string[], endpoints: [] as string[] };

const bearer = (key: string) => ['-H', `Authorization: Bearer ${key}`];
const json = (body: object) => ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)];
const messages = [{ role: 'user', content: 'Hello' }];

/** What the gateway answers itself: its path, what is in the answer, and more arguments. */
const OWN: readonly (readonly [call: string, part: string, args?: readonly string[]])[] = [
  ['GET /', 'BVE'],
  ['HEAD /', '200 OK', ['-I']],
  ['GET /health', '"ok"'],
  ['GET /ready', '"'],
  ['GET /openapi.json', '"openapi"'],
  ['GET /docs', '<html'],
  ['GET /dashboard', '<html'],
  ['GET /metrics', '# HELP', bearer(METRICS_TOKEN)],
  ['GET /admin/api-keys', '"prefix"', bearer(ADMIN_KEY)],
  ['POST /admin/api-keys', '"sk-bve-', [...bearer(ADMIN_KEY), ...json({ name: 'curl' })]],
  ['GET /admin/usage', '"daily"', bearer(ADMIN_KEY)],
  ['GET /admin/usage/summary?group_by=model', '"rows"', bearer(ADMIN_KEY)],
  ['GET /admin/requests?limit=1', '[', bearer(ADMIN_KEY)],
  ['GET /admin/targets', '"fuelix"', bearer(ADMIN_KEY)],
  ['GET /admin/config', '{', bearer(ADMIN_KEY)],
];

test.skipIf(CURL_MISSING)('curl reads everything that the gateway answers itself', async () => {
  for (const [call, part, args = []] of OWN) {
    const { exitCode, text, stderr } = await curl(['-f', bench.gateway.url + call.split(' ')[1]!, ...args]);
    expect([call, exitCode, stderr, text.includes(part) ? part : text.slice(0, 300)]).toEqual([call, 0, '', part]);
  }
  const key = await curl(['-f', `${bench.gateway.url}/v1/key`, ...bearer(bench.gateway.key)]);
  expect(key.text).toContain('requests_per_minute');
  DONE.cases.push('the gateway’s own endpoints');
  DONE.endpoints.push(...OWN.map(([call]) => call.split('?')[0]!), 'GET /v1/key');
});

test.skipIf(CURL_MISSING)(
  'curl gets what it gets without the gateway: chat, streams, forms, downloads, HEAD',
  async () => {
    const calls: readonly (readonly string[])[] = [
      ['/chat/completions', ...json({ model: 'gpt-4o', messages })],
      ['/chat/completions', '-N', ...json({ model: 'gpt-4o', messages, stream: true })],
      ['/responses', '-N', ...json({ model: 'gpt-4o', input: 'Hello', stream: true })],
      ['/messages', '-N', ...json({ model: 'claude-sonnet-4', max_tokens: 9, messages, stream: true })],
      ['/messages/count_tokens', ...json({ model: 'claude-sonnet-4', messages })],
      ['/audio/transcriptions', '-F', 'model=whisper-1', '-F', 'response_format=text', '-F', 'file=@/proc/version'],
      ['/audio/speech', ...json({ model: 'tts-1', voice: 'alloy', input: 'Hello' })],
      ['/models/gpt-4o'],
      ['/models', '-I', '-o', '/dev/null', '-w', '%{http_code} %{content_type}'],
    ];
    for (const [path, ...args] of calls) {
      const get = async (base: string) => {
        const { exitCode, stdout } = await curl([base + path, ...bearer(bench.gateway.key), ...args]);
        return [path, exitCode, Buffer.from(stdout).toString('base64')];
      };
      expect(await get(`${bench.gateway.url}/v1`)).toEqual(await get(bench.mock.url));
    }
    DONE.cases.push('chat, streams, a form up, speech down, HEAD');
    DONE.endpoints.push(...endpointsOf(bench));
  },
);

afterAll(async () => {
  if (DONE.endpoints.length === 0) return;
  const { text } = await curl(['--version']);
  RUNS.push({ client: 'curl', version: /\d+(?:\.\d+)+/.exec(text)![0], runsOn: 'a shell', ...DONE });
  writeRuns();
});
