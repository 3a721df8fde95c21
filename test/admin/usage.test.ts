/** What the admin API tells of usage: roll-ups, records, and that `bve usage` tells the same. */
import { beforeEach, describe, expect, test } from 'bun:test';
import OpenAI from 'openai';
import { openStore } from '../../src/store/open-store.ts';
import { usageRecord } from '../store/temp-database.ts';
import { runBve } from '../support/gateway.ts';
import { clearOfMidnight } from '../support/limited-key.ts';
import { pair, UUID } from '../support/pair.ts';
import { RECORDED_STREAMS, type RecordedStream } from '../support/streams.ts';
import { ADMIN_KEY, admin, adminCall, statusWith, storedKey } from './admin-client.ts';

const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY } });
beforeEach(clearOfMidnight);
const DAY_MS = 86_400_000;
const newKey = async (name = 'n') =>
  (await admin(bench.gateway, '/api-keys', { body: { name, rpm_limit: null, rpd_limit: null } })) as {
    id: string;
    key: string;
  };
const usage = (query: string) => admin(bench.gateway, `/usage${query}`);
const requests = (query: string) => admin(bench.gateway, `/requests${query}`);
const today = () => new Date().toISOString().slice(0, 10);

/** Records of the past, as a gateway would have written them. */
async function writePast(keyId: string, days: readonly string[]): Promise<void> {
  const store = await openStore(bench.gateway.databaseUrl);
  const records = days.map((day) => {
    const admittedAt = Date.parse(`${day}T12:00:00Z`);
    return usageRecord({ keyId, startedAt: admittedAt, admittedAt });
  });
  for (let i = 0; i < records.length; i += 500) await store.insertUsage(records.slice(i, i + 500), new Map());
  await store.close();
}

const daysAgo = (count: number) => new Date(Date.now() - count * DAY_MS).toISOString().slice(0, 10);

describe.skipIf(RECORDED_STREAMS.length === 0)('recorded streams, streamed by the real OpenAI SDK', () => {
  const known = RECORDED_STREAMS.filter((stream) => stream.usage !== null);
  const replayOf = (stream: RecordedStream) => ({
    body_base64: Buffer.from(stream.content).toString('base64'),
    content_type: 'text/event-stream',
    framing: 'chunked' as const,
    split: 61,
  });

  async function stream(client: OpenAI, recorded: RecordedStream): Promise<void> {
    const messages = [{ role: 'user' as const, content: 'Hello' }];
    if (recorded.endpoint === '/v1/responses') {
      const events = await client.responses.create({ model: 'm', input: 'Hello', stream: true });
      for await (const _ of events);
    } else if (recorded.endpoint === '/v1/messages') {
      // The SDK has no Messages API; its own transport has.
      const answer = client.post('/messages', { body: { model: 'm', stream: true, messages }, stream: true });
      for await (const _ of (await answer) as AsyncIterable<unknown>);
    } else {
      for await (const _ of await client.chat.completions.create({ model: 'm', messages, stream: true }));
    }
  }

  test('give their totals in /admin/usage, for the day and for the month', async () => {
    const { id, key } = await newKey('recorded');
    const client = new OpenAI({ apiKey: key, baseURL: `${bench.gateway.url}/v1`, maxRetries: 0 });
    const total = { prompt: 0, completion: 0, total: 0 };
    for (const recorded of known) {
      bench.mock.script(replayOf(recorded));
      await stream(client, recorded);
      total.prompt += recorded.usage!.prompt;
      total.completion += recorded.usage!.completion;
      total.total += recorded.usage!.total;
      const { daily, monthly } = await usage(`?key_id=${id}`);
      const expected = { promptTokens: total.prompt, completionTokens: total.completion, totalTokens: total.total };
      expect({ file: recorded.file, daily }).toMatchObject({ file: recorded.file, daily: [expected] });
      expect(monthly).toMatchObject([expected]);
    }
    const report = await usage(`?key_id=${id}`);
    expect(report.daily[0].requestCount).toBe(known.length);
    const sources = (await requests(`?key_id=${id}`)).map((record: { usageSource: string }) => record.usageSource);
    expect(sources).toEqual(known.map(() => 'upstream'));
  });
});

test('rows have the fields of the contract, and the answer knows of a request that has just ended', async () => {
  const { id, key } = await newKey();
  bench.mock.script({ text: 'hi' });
  const before = Date.now();
  expect(await statusWith(bench.gateway, key)).toBe(200);
  const { daily, monthly } = await usage(`?key_id=${id}`);
  expect(Object.keys(daily[0]).join(' ')).toBe(
    'id keyId date requestCount promptTokens completionTokens totalTokens updatedAt',
  );
  expect(Object.keys(monthly[0]).join(' ')).toBe(
    'id keyId yearMonth requestCount promptTokens completionTokens totalTokens updatedAt',
  );
  expect(daily).toMatchObject([{ id: expect.stringMatching(UUID), keyId: id, date: today(), requestCount: 1 }]);
  expect(monthly).toMatchObject([{ id: expect.stringMatching(UUID), keyId: id, yearMonth: today().slice(0, 7) }]);
  expect(daily[0].totalTokens).toBe(daily[0].promptTokens + daily[0].completionTokens);
  const updatedAt = Date.parse(daily[0].updatedAt);
  expect(updatedAt).toBeGreaterThanOrEqual(before);
  expect(updatedAt).toBeLessThanOrEqual(Date.now() + 1);
  // The id of a row stays the same while its counts grow.
  expect(await statusWith(bench.gateway, key)).toBe(200);
  const later = await usage(`?key_id=${id}`);
  expect(later.daily[0]).toMatchObject({ id: daily[0].id, requestCount: 2, totalTokens: 2 * daily[0].totalTokens });
});

test('failed requests count when they were admitted, refused ones have a record only', async () => {
  const { id, key } = await newKey();
  await admin(bench.gateway, `/api-keys/${id}`, { method: 'PATCH', body: { rpm_limit: 1, allowed_models: ['m'] } });
  bench.mock.script({ status: 400, json: { error: { message: 'bad', type: 'x', code: 'y' } } });
  expect(await statusWith(bench.gateway, key)).toBe(400);
  expect(await statusWith(bench.gateway, key)).toBe(429);
  expect((await usage(`?key_id=${id}`)).daily).toMatchObject([{ requestCount: 1, totalTokens: 0 }]);
  const records = await requests(`?key_id=${id}`);
  expect(records.map((record: { status: number; finish: string }) => [record.status, record.finish])).toEqual([
    [429, 'error'],
    [400, 'error'],
  ]);
});

test('without dates a key has its last 30 days and 12 months', async () => {
  const { id } = await newKey();
  const old = Array.from({ length: 40 }, (_, i) => daysAgo(i));
  const months = Array.from({ length: 15 }, (_, i) => {
    const now = new Date();
    return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - i, 1)).toISOString().slice(0, 10);
  });
  await writePast(id, [...old, ...months]);
  const { daily, monthly } = await usage(`?key_id=${id}`);
  expect(daily.map((row: { date: string }) => row.date)).toEqual(old.slice(0, 30));
  expect(monthly.map((row: { yearMonth: string }) => row.yearMonth)).toEqual(
    months.slice(0, 12).map((day) => day.slice(0, 7)),
  );
});

test('with dates: days from the first to the last, both included, and the whole months they touch', async () => {
  const { id } = await newKey();
  await writePast(id, [
    '2024-01-31',
    '2024-02-01',
    '2024-02-28',
    '2024-02-29',
    '2024-02-29',
    '2024-03-01',
    '2024-05-01',
  ]);
  const ask = async (query: string) => {
    const { daily, monthly } = await usage(`?key_id=${id}&${query}`);
    return {
      daily: daily.map((row: { date: string; requestCount: number }) => `${row.date} ${row.requestCount}`),
      monthly: monthly.map(
        (row: { yearMonth: string; requestCount: number }) => `${row.yearMonth} ${row.requestCount}`,
      ),
    };
  };
  expect(await ask('from=2024-02-28&to=2024-03-01')).toEqual({
    daily: ['2024-03-01 1', '2024-02-29 2', '2024-02-28 1'],
    monthly: ['2024-03 1', '2024-02 4'],
  });
  expect(await ask('to=2024-01-31')).toEqual({ daily: ['2024-01-31 1'], monthly: ['2024-01 1'] });
  expect(await ask('from=2024-04-01')).toEqual({ daily: ['2024-05-01 1'], monthly: ['2024-05 1'] });
  expect(await ask('from=2024-04-01&to=')).toEqual(await ask('from=2024-04-01'));
  expect(await ask('from=2023-01-01&to=2023-12-31')).toEqual({ daily: [], monthly: [] });
});

test('all keys have their last 100 days and 50 months as rows; an unknown key has none', async () => {
  const { id } = await newKey();
  const days = Array.from({ length: 120 }, (_, i) => daysAgo(i));
  const months = Array.from(
    { length: 60 },
    (_, i) => `${2000 + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, '0')}-01`,
  );
  await writePast(id, [...days, ...months]);
  const { daily, monthly } = await usage('?key_id=&from=&to=');
  expect([daily.length, monthly.length]).toEqual([100, 50]);
  for (const rows of [
    daily.map((row: { date: string }) => row.date),
    monthly.map((row: { yearMonth: string }) => row.yearMonth),
  ]) {
    expect(rows).toEqual(rows.toSorted().toReversed());
  }
  expect(new Set([...daily, ...monthly].map((row: { id: string }) => row.id)).size).toBe(150);
  expect(await usage(`?key_id=${crypto.randomUUID()}`)).toEqual({ daily: [], monthly: [] });
});

test('more rows than an answer may have are refused, not cut', async () => {
  const store = await openStore(bench.gateway.databaseUrl);
  const admittedAt = Date.parse('1999-01-01T00:00:00Z');
  for (let part = 0; part < 11; part++) {
    const records = Array.from({ length: 1000 }, (_, i) => usageRecord({ keyId: `old-${part}-${i}`, admittedAt }));
    await store.insertUsage(records, new Map());
  }
  await store.close();
  const { status, json } = await adminCall(bench.gateway, '/usage?to=1999-12-31');
  expect(status).toBe(400);
  expect(json.error.message).toBe("More than 10000 rows: narrow 'from' and 'to', or 'key_id'");
  expect((await usage('?to=1999-12-31&key_id=old-3-7')).daily).toHaveLength(1);
});

test('requests are records, newest first, page by page', async () => {
  const { id, key } = await newKey();
  bench.mock.script({ text: 'hi' });
  const started = new Date().toISOString();
  for (let i = 0; i < 5; i++) expect(await statusWith(bench.gateway, key, { model: `m${i}` })).toBe(200);
  const all = await requests(`?key_id=${id}`);
  expect(all.map((record: { model: string }) => record.model)).toEqual(['m4', 'm3', 'm2', 'm1', 'm0']);
  expect(Object.keys(all[0]).join(' ')).toBe(
    'id requestId upstreamRequestId keyId endpoint model status streamed startedAt sentMs headMs ttfbMs durationMs ' +
      'cancelMs bytesOut finish errorCode target attempts promptTokens cachedTokens completionTokens reasoningTokens ' +
      'totalTokens usageSource',
  );
  expect(all[0]).toMatchObject({
    id: expect.stringMatching(UUID),
    requestId: expect.stringMatching(UUID),
    keyId: id,
    endpoint: '/v1/chat/completions',
    status: 200,
    streamed: false,
    finish: 'complete',
    usageSource: 'upstream',
  });
  const first = await requests(`?key_id=${id}&limit=2`);
  expect(first).toEqual(all.slice(0, 2));
  expect(await requests(`?key_id=${id}&limit=2&before=${first[1].id}`)).toEqual(all.slice(2, 4));
  expect(await requests(`?key_id=${id}&before=${all[4].id}`)).toEqual([]);
  expect(await requests(`?key_id=${id}&before=${started}`)).toEqual([]);
  expect(await requests(`?key_id=${id}&before=2099-01-01T00:00:00%2B01:00`)).toEqual(all);
  expect((await requests('?limit=3')).length).toBe(3);
});

test('the command line and the API tell the same, and see what the other does', async () => {
  const bve = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await runBve(args, bench.gateway.env);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return JSON.parse(stdout);
  };
  const { id, key } = await newKey('both');
  expect(await statusWith(bench.gateway, key)).toBe(200);
  const report = await usage(`?key_id=${id}`);
  expect(await bve('usage', '--key', id, '--json')).toEqual(report);
  expect(await bve('usage', '--json')).toEqual(await usage(''));
  expect(await bve('usage', '--from', today(), '--json')).toEqual(await usage(`?from=${today()}`));
  expect(await bve('keys', 'list', '--json')).toEqual(await admin(bench.gateway, '/api-keys'));
  const created = await bve('keys', 'create', '--name', 'by command', '--inject-stream-usage', '--json');
  const { key: secret, ...object } = created;
  expect(await storedKey(bench.gateway, created.id)).toEqual(object);
  expect(object.inject_stream_usage).toBe(true);
  expect(await statusWith(bench.gateway, secret)).toBe(200);
  const rotated = await bve('keys', 'rotate', created.id, '--grace-seconds', '60', '--json');
  expect(Object.keys(rotated)).toEqual(Object.keys(created));
  expect([await statusWith(bench.gateway, secret), await statusWith(bench.gateway, rotated.key)]).toEqual([200, 200]);
});

describe('summaries', () => {
  /** Of two keys with a tag, on two days of two months. */
  async function writeUsage() {
    const make = async (name: string, team: string) =>
      (await admin(bench.gateway, '/api-keys', { body: { name, tags: { team } } })) as { id: string };
    const a = await make('a', 'search');
    const b = await make('b', 'batch');
    const store = await openStore(bench.gateway.databaseUrl);
    const record = (keyId: string, day: string, fields: object) => {
      const admittedAt = Date.parse(`${day}T12:00:00Z`);
      const tokens = { promptTokens: 10, cachedTokens: 4, completionTokens: 5, reasoningTokens: 2, totalTokens: 15 };
      return usageRecord({ keyId, startedAt: admittedAt, admittedAt, ...tokens, ...fields });
    };
    await store.insertUsage(
      [
        record(a.id, '1990-01-31', { model: 'gpt-4o', finish: 'complete' }),
        record(a.id, '1990-02-01', { model: 'claude', finish: 'error', status: 502 }),
        record(b.id, '1990-02-01', { model: 'gpt-4o', finish: 'client_closed' }),
        record(b.id, '1990-02-01', { model: null, finish: 'upstream_interrupted' }),
        record(b.id, '1990-02-01', { model: 'gpt-4o', admittedAt: null, status: 429, finish: 'error' }),
      ],
      new Map(),
    );
    await store.close();
    return { a: a.id, b: b.id };
  }
  const counts = (requests: number, errors: number) => ({
    requests,
    errors,
    prompt_tokens: 10 * requests,
    cached_tokens: 4 * requests,
    completion_tokens: 5 * requests,
    reasoning_tokens: 2 * requests,
    total_tokens: 15 * requests,
  });
  const summary = (query: string) => admin(bench.gateway, `/usage/summary?from=1990-01-01&to=1990-12-31&${query}`);

  test('are by key, model, day, month, tag or two of them; refused requests are in none', async () => {
    const { a, b } = await writeUsage();
    const total = counts(4, 2);
    expect(await summary('')).toEqual(await summary('group_by=key'));
    const byKey = await summary('group_by=key');
    expect(byKey.total).toEqual(total);
    expect(byKey.rows).toHaveLength(2);
    expect(byKey.rows).toContainEqual({ group: a, ...counts(2, 1) });
    expect(byKey.rows).toContainEqual({ group: b, ...counts(2, 1) });
    const byModel = await summary('group_by=model');
    expect(byModel.rows).toContainEqual({ group: 'gpt-4o', ...counts(2, 0) });
    expect(byModel.rows).toContainEqual({ group: null, ...counts(1, 1) });
    expect((await summary('group_by=day')).rows).toEqual([
      { group: '1990-02-01', ...counts(3, 2) },
      { group: '1990-01-31', ...counts(1, 0) },
    ]);
    expect((await summary('group_by=month')).rows).toEqual([
      { group: '1990-02', ...counts(3, 2) },
      { group: '1990-01', ...counts(1, 0) },
    ]);
    expect((await summary('group_by=month,tag:team')).rows).toEqual([
      { group: ['1990-02', 'batch'], ...counts(2, 1) },
      { group: ['1990-02', 'search'], ...counts(1, 1) },
      { group: ['1990-01', 'search'], ...counts(1, 0) },
    ]);
    expect((await summary('group_by=tag:nobody')).rows).toEqual([{ group: null, ...total }]);
    expect(await summary(`group_by=month&key_id=${a}`)).toEqual({
      rows: [
        { group: '1990-02', ...counts(1, 1) },
        { group: '1990-01', ...counts(1, 0) },
      ],
      total: counts(2, 1),
    });
    expect(await admin(bench.gateway, '/usage/summary?to=1989-01-01')).toEqual({ rows: [], total: counts(0, 0) });
  });

  test('know of a request that has just ended', async () => {
    const { id, key } = await newKey();
    expect(await statusWith(bench.gateway, key, { model: 'just-now' })).toBe(200);
    const { rows } = await admin(bench.gateway, `/usage/summary?group_by=model&key_id=${id}`);
    expect(rows).toMatchObject([{ group: 'just-now', requests: 1, errors: 0 }]);
  });
});

test('records are found by each of their fields, and by all of them together', async () => {
  const { id, key } = await newKey();
  const ask = (requestId: string, model: string) =>
    fetch(`${bench.gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'x-request-id': requestId },
      body: JSON.stringify({ model, messages: [] }),
    }).then((response) => response.arrayBuffer());
  await ask('find-me', 'model-a');
  bench.mock.script({ status: 404, json: {} });
  await ask('other', 'model-b');
  const found = async (query: string) =>
    (await requests(`?key_id=${id}&${query}`)).map((record: { requestId: string }) => record.requestId);
  expect(await found('')).toEqual(['other', 'find-me']);
  expect(await found('request_id=find-me')).toEqual(['find-me']);
  expect(await found('model=model-b')).toEqual(['other']);
  expect(await found('endpoint=/v1/chat/completions&limit=1')).toEqual(['other']);
  expect(await found('endpoint=/v1/messages')).toEqual([]);
  expect(await found('finish=complete')).toEqual(['find-me']);
  expect(await found('status=404')).toEqual(['other']);
  expect(await found('min_duration_ms=3600000')).toEqual([]);
  expect(await found('min_duration_ms=0&status=200&finish=complete&model=model-a&request_id=find-me')).toEqual([
    'find-me',
  ]);
  expect((await requests('?request_id=find-me'))[0].keyId).toBe(id);
});
