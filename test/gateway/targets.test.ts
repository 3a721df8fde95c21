/** Two targets, one of which fails: what clients see of it, and how soon it has its share again. */
import { describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scenario } from '../../src/mock/scenario.ts';
import { startMock } from '../../src/mock/server.ts';
import { ADMIN_KEY, admin } from '../admin/admin-client.ts';
import { eventually } from '../support/eventually.ts';
import { runBve, startGatewayProcess } from '../support/gateway.ts';
import { startTwoTargets, type TwoTargets } from '../support/two-targets.ts';

const JSON_ERROR = { error: { message: 'no', type: 'x', code: 'y' } };

/** So many requests, some at a time; the statuses that were not 200. */
async function errorsOf(two: TwoTargets, requests: number, fields: object = {}): Promise<number[]> {
  const statuses: number[] = [];
  const worker = async (_: unknown, index: number) => {
    for (let i = index; i < requests; i += 5) {
      const answer = await two.chat(fields);
      await answer.arrayBuffer();
      statuses.push(answer.status);
    }
  };
  await Promise.all(Array.from({ length: 5 }, worker));
  return statuses.filter((status) => status !== 200);
}

describe('failures that are made good on another target', () => {
  test.each([
    ['503', { status: 503, json: JSON_ERROR }],
    ['502', { status: 502, json: JSON_ERROR }],
    ['504', { status: 504, json: JSON_ERROR }],
    ['401', { status: 401, json: JSON_ERROR }],
    ['402', { status: 402, json: JSON_ERROR }],
    ['429 with retry-after', { status: 429, headers: [['retry-after', '1']], json: JSON_ERROR }],
    ['429 without', { status: 429, json: JSON_ERROR }],
    ['refused', null],
  ] as [string, Scenario | null][])(
    '%s: no client sees one, and the target has its share again',
    async (_, scenario) => {
      await using two = await startTwoTargets();
      expect(await errorsOf(two, 40)).toEqual([]);
      expect(two.bad.requests.length).toBeGreaterThanOrEqual(10);
      if (scenario) two.bad.script(() => scenario);
      // Open connections would still be served.
      else await two.bad.stop();
      expect(await errorsOf(two, 60)).toEqual([]);
      expect(await errorsOf(two, 60, { stream: true })).toEqual([]);
      expect((await two.status('bad')).state).not.toBe('up');
      const rests = await two.gateway.logLine(({ msg }) => msg === 'target rests');
      expect(rests).toMatchObject({ level: 'warn', target: 'bad' });
      const records = await two.gateway.waitForUsage(160);
      expect(records.every(({ target }) => target === 'good' || target === 'bad')).toBe(true);
      if (scenario) {
        expect(records.some(({ target, attempts }) => target === 'good' && attempts === 2)).toBe(true);
        expect(await two.gateway.logLine(({ attempts }) => attempts === 2)).toMatchObject({
          target: 'good',
          msg: 'request',
        });
      } else expect(records.every(({ attempts }) => attempts === 1)).toBe(true);
      if (!scenario) return;
      two.bad.script(() => undefined);
      const returnsWithinMs = 5000;
      const since = performance.now();
      await eventually(async () => (await errorsOf(two, 5)).length === 0 && (await two.status('bad')).state === 'up');
      expect(performance.now() - since).toBeLessThan(returnsWithinMs);
      expect(await two.gateway.logLine(({ msg }) => msg === 'target returns')).toMatchObject({ target: 'bad' });
      const before = two.bad.requests.length;
      expect(await errorsOf(two, 20)).toEqual([]);
      expect(two.bad.requests.length - before).toBeGreaterThanOrEqual(5);
    },
  );
});

test('resets are not sent again by default: after five the target rests, and probes are requests of our own', async () => {
  await using two = await startTwoTargets();
  two.bad.script(() => ({ fault: { kind: 'refuse' } }));
  const errors = await errorsOf(two, 60);
  expect(errors.length).toBeGreaterThanOrEqual(5);
  expect(errors.length).toBeLessThanOrEqual(10);
  expect(errors.every((status) => status === 502)).toBe(true);
  await eventually(async () => {
    expect(await errorsOf(two, 5)).toEqual([]);
    return two.bad.requests.some(({ path }) => path.endsWith('/models'));
  });
  two.bad.script(() => undefined);
  await eventually(async () => (await errorsOf(two, 5)).length === 0 && (await two.status('bad')).state === 'up');
});

test('a missing answer rests the target, and costs only the requests before', async () => {
  await using two = await startTwoTargets({ UPSTREAM_HEAD_TIMEOUT_MS: '200' });
  two.bad.script(() => ({ fault: { kind: 'hang' } }));
  const errors = await errorsOf(two, 60);
  expect(errors.length).toBeLessThanOrEqual(10);
  expect(errors.every((status) => status === 504)).toBe(true);
  expect((await two.status('bad')).state).not.toBe('up');
  expect(await errorsOf(two, 20)).toEqual([]);
});

test('a reset is made good for a request with an idempotency-key, or for all with RETRY_ON_RESET', async () => {
  await using two = await startTwoTargets();
  two.bad.script(() => ({ fault: { kind: 'refuse' } }));
  for (let i = 0; i < 20; i++) expect((await two.chat({}, { 'idempotency-key': `k${i}` })).status).toBe(200);
  await using all = await startTwoTargets({ RETRY_ON_RESET: 'true' });
  all.bad.script(() => ({ fault: { kind: 'refuse' } }));
  expect(await errorsOf(all, 30)).toEqual([]);
});

test('a used-up quota rests the target until its reset, after an answer that passes on', async () => {
  await using two = await startTwoTargets();
  const headers = [
    ['x-quota-available', '0'],
    ['x-quota-reset', '600'],
  ] as const;
  two.bad.script(() => ({ headers: [...headers], text: 'hi' }));
  expect(await errorsOf(two, 30)).toEqual([]);
  expect(two.bad.requests.length).toBeLessThanOrEqual(5);
  const status = await two.status('bad');
  expect(status).toMatchObject({ state: 'resting', quota_available: 0, failures: 0 });
  expect(Date.parse(status.rests_until!) - Date.now()).toBeGreaterThan(590_000);
  expect(Date.parse(status.quota_reset!) - Date.now()).toBeGreaterThan(590_000);
});

test('403 is about the request: it passes as it is and rests nothing', async () => {
  await using two = await startTwoTargets();
  for (const mock of [two.good, two.bad]) mock.script(() => ({ status: 403, json: JSON_ERROR }));
  expect(await errorsOf(two, 30)).toEqual(Array(30).fill(403));
  expect(two.good.requests.length + two.bad.requests.length).toBe(30);
  expect([(await two.status('good')).state, (await two.status('bad')).state]).toEqual(['up', 'up']);
});

test('the last target never rests: its answers pass on, those of the one before it too', async () => {
  await using two = await startTwoTargets();
  for (const mock of [two.good, two.bad]) mock.script(() => ({ status: 503, json: JSON_ERROR }));
  expect(await errorsOf(two, 40, { stream: true })).toEqual(Array(40).fill(503));
  const states = [(await two.status('good')).state, (await two.status('bad')).state];
  expect(states).toContain('up');
  const sent = two.good.requests.length + two.bad.requests.length;
  expect(sent).toBeLessThanOrEqual(40 + 8);
});

test('when the only target that is up refuses connections, one that rests is asked', async () => {
  await using two = await startTwoTargets();
  two.bad.script(() => ({ status: 429, headers: [['retry-after', '60']], json: JSON_ERROR }));
  expect(await errorsOf(two, 10)).toEqual([]);
  expect((await two.status('bad')).state).toBe('resting');
  two.bad.script(() => undefined);
  await two.good.stop();
  const requestId = 'asks-the-resting';
  expect((await two.chat({}, { 'x-request-id': requestId })).status).toBe(200);
  const records = await two.gateway.waitForUsage(11);
  expect(records.find((record) => record.requestId === requestId)).toMatchObject({ target: 'bad', attempts: 1 });
  // It has answered, so its rest is over.
  expect((await two.status('bad')).state).toBe('up');
  expect(await errorsOf(two, 10)).toEqual([]);
});

test('models, weight and max_concurrent of a target', async () => {
  await using two = await startTwoTargets(
    {},
    { good: 'models = ["a", "b"]\nweight = 3', bad: 'models = ["b", "c"]\nmax_concurrent = 1' },
  );
  const answers = await Promise.all([two.chat({ model: 'a' }), two.chat({ model: 'c' }), two.chat({ model: 'x' })]);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404]);
  expect(await answers[2]!.json()).toMatchObject({
    error: { code: 'model_not_found', message: "Model 'x' not found" },
  });
  expect([two.good.requests.length, two.bad.requests.length]).toEqual([1, 1]);
  for (let i = 0; i < 8; i++) expect((await two.chat({ model: 'b' })).status).toBe(200);
  expect([two.good.requests.length, two.bad.requests.length]).toEqual([7, 3]);
  two.bad.script(() => ({ fault: { kind: 'hang' } }));
  const client = new AbortController();
  const hung = fetch(`${two.gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${two.gateway.key}` },
    body: JSON.stringify({ model: 'c', messages: [] }),
    signal: client.signal,
  }).catch(() => null);
  await eventually(async () => (await two.status('bad')).in_flight === 1);
  const full = await two.chat({ model: 'c' });
  expect([full.status, full.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await full.json()).toMatchObject({ error: { code: 'overloaded' } });
  client.abort();
  await hung;
  await eventually(async () => (await two.status('bad')).in_flight === 0);
});

test('each target gets its own key; a refused one is an error in the log, and neither key is in an answer', async () => {
  await using two = await startTwoTargets();
  const told = (key: string): Scenario => ({ status: 400, json: { error: { message: `bad ${key}` } } });
  two.good.script((request) => told(request.get('authorization')!.slice('Bearer '.length)));
  two.bad.script((request) => told(request.get('authorization')!.slice('Bearer '.length)));
  for (let i = 0; i < 4; i++) expect(await (await two.chat()).text()).not.toContain('fx-key-of');
  expect(two.good.requests.map((request) => request.get('authorization'))).toEqual(
    Array(2).fill('Bearer fx-key-of-good'),
  );
  expect(two.bad.requests.map((request) => request.get('authorization'))).toEqual(
    Array(2).fill('Bearer fx-key-of-bad'),
  );
  two.bad.script(() => ({ status: 401, json: JSON_ERROR }));
  expect(await errorsOf(two, 10)).toEqual(Array(5).fill(400).concat(Array(5).fill(400)));
  const refused = await two.gateway.logLine(({ msg }) => msg === 'upstream refuses the key of this target');
  expect(refused).toMatchObject({ level: 'error', target: 'bad', status: 401 });
});

test('bve targets shows what GET /admin/targets answers', async () => {
  await using two = await startTwoTargets();
  expect(await errorsOf(two, 10)).toEqual([]);
  const env = { ADMIN_API_KEY: ADMIN_KEY };
  const shown = await runBve(['targets', '--url', two.gateway.url, '--json'], env);
  expect(JSON.parse(shown.stdout)).toEqual(await admin(two.gateway, '/targets'));
  // Requests that overlap may be shared out as 6 and 4.
  const { attempts } = JSON.parse(shown.stdout).targets.find(({ name }: { name: string }) => name === 'good');
  const table = await runBve(['targets', '--url', two.gateway.url], env);
  expect(table.stdout).toMatch(new RegExp(`good\\s+up\\s+0\\s+${attempts}\\s+0\\s+-\\s+-\n`));
  const wrong = await runBve(['targets', '--url', two.gateway.url], { ADMIN_API_KEY: 'not-the-admin-key' });
  expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringContaining('401: Invalid admin API key')]);
  expect((await runBve(['targets'], {})).stderr).toContain('ADMIN_API_KEY is required');
});

describe('SIGHUP', () => {
  test('takes over targets and LOG_LEVEL without touching a stream; what needs a restart is named', async () => {
    await using two = await startTwoTargets({}, { top: 'log_level = "info"' });
    two.bad.script(() => ({ events: 200, pace_ms: 10 }));
    two.good.script(() => ({ events: 200, pace_ms: 10 }));
    const streams = await Promise.all([two.chat({ stream: true }), two.chat({ stream: true })]);
    two.configure({ bad: null, top: 'log_level = "debug"\nmax_concurrent_requests = 77' });
    two.gateway.signal('SIGHUP');
    const reloaded = await two.gateway.logLine(({ msg }) => msg === 'configuration reloaded');
    expect(reloaded).toMatchObject({ need_restart: ['MAX_CONCURRENT_REQUESTS'] });
    const { targets } = await admin(two.gateway, '/targets');
    expect(targets.map(({ name }: { name: string }) => name)).toEqual(['good']);
    const config = await admin(two.gateway, '/config');
    expect([config.log_level.value, config.max_concurrent_requests.value]).toEqual(['debug', 10_000]);
    for (const stream of streams) expect(await stream.text()).toEndWith('data: [DONE]\n\n');
    const before = two.bad.requests.length;
    two.good.script(() => undefined);
    expect(await errorsOf(two, 10)).toEqual([]);
    expect(two.bad.requests.length).toBe(before);
  });

  test('a bad file changes nothing and is named', async () => {
    await using two = await startTwoTargets();
    const good = readFileSync(two.configFile, 'utf8');
    writeFileSync(two.configFile, `${good}\nweight = 0\n`);
    two.gateway.signal('SIGHUP');
    expect(await two.gateway.logLine(({ level }) => level === 'error')).toMatchObject({
      problems: [`configuration file '${two.configFile}': targets[1].weight must be a whole number from 1 to 100`],
    });
    expect((await admin(two.gateway, '/targets')).targets.length).toBe(2);
    expect(await errorsOf(two, 4)).toEqual([]);
  });
});

describe('RETRY_STREAM_ERRORS', () => {
  const role = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n';
  const failing = `${role}data: {"error":{"message":"overloaded","code":"server_error"}}\n\n`;
  const stream = (body: string): Scenario => ({ headers: [['content-type', 'text/event-stream']], body });

  test('a stream that begins with an error is tried on another target, byte for byte', async () => {
    await using two = await startTwoTargets({ RETRY_STREAM_ERRORS: 'true' });
    const whole = `${role}data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n`;
    two.good.script(() => stream(whole));
    two.bad.script(() => stream(failing));
    for (let i = 0; i < 10; i++) expect(await (await two.chat({ stream: true })).text()).toBe(whole);
    expect(two.bad.requests.length).toBeGreaterThan(0);
    expect((await two.status('bad')).failures).toBe(two.bad.requests.length);
    // With nobody to turn to, it passes on.
    two.good.script(() => stream(failing));
    expect(await (await two.chat({ stream: true })).text()).toBe(failing);
  });

  test('by default it passes on, and nothing is held', async () => {
    await using two = await startTwoTargets();
    for (const mock of [two.good, two.bad]) mock.script(() => stream(failing));
    expect(await (await two.chat({ stream: true })).text()).toBe(failing);
    expect(two.good.requests.length + two.bad.requests.length).toBe(1);
  });

  test('what stays without content is held for 2 s at most', async () => {
    await using two = await startTwoTargets({ RETRY_STREAM_ERRORS: 'true' });
    for (const mock of [two.good, two.bad])
      mock.script(() => ({ ...stream(role), fault: { kind: 'silence', after_bytes: 90 } }));
    const since = performance.now();
    const client = new AbortController();
    const answer = await fetch(`${two.gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${two.gateway.key}` },
      body: JSON.stringify({ model: 'm', stream: true, messages: [] }),
      signal: client.signal,
    });
    await answer.body!.getReader().read();
    expect(performance.now() - since).toBeGreaterThan(1900);
    client.abort();
  });
});

test('FUELIX_API_KEYS gives a target for each key; a key file that changes is read again on SIGHUP', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bve-keys-'));
  const keyFile = join(folder, 'keys');
  writeFileSync(keyFile, 'fx-first-key,fx-second-key\n');
  const mock = startMock();
  const env = { FUELIX_API_KEY: '', FUELIX_API_KEYS_FILE: keyFile, ADMIN_API_KEY: ADMIN_KEY };
  const gateway = await startGatewayProcess({ upstreamUrl: mock.url, env });
  const ask = async () => {
    const headers = { authorization: `Bearer ${gateway.key}` };
    const body = JSON.stringify({ model: 'm', messages: [] });
    await (await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body })).arrayBuffer();
    return mock.requests.at(-1)!.get('authorization');
  };
  try {
    const names = async () => (await admin(gateway, '/targets')).targets.map(({ name }: { name: string }) => name);
    expect(await names()).toEqual(['fuelix-1', 'fuelix-2']);
    expect([await ask(), await ask()].sort()).toEqual(['Bearer fx-first-key', 'Bearer fx-second-key']);
    writeFileSync(keyFile, 'fx-third-key');
    gateway.signal('SIGHUP');
    await eventually(async () => (await names()).length === 1);
    expect([await ask(), await ask()]).toEqual(['Bearer fx-third-key', 'Bearer fx-third-key']);
    expect(gateway.output()).not.toContain('fx-');
  } finally {
    await gateway.stop();
    await mock.stop();
    rmSync(folder, { recursive: true });
  }
});
