/** Contract, section 5: day and month counts come from the store, after a crash too, and it may be out of reach. */
import { beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';
import { dayOf } from '../../src/limits/windows.ts';
import { startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import { clearOfMidnight, expectLimit, type KeyJson, LIMIT_REFUSALS } from '../support/limited-key.ts';
import { type Call, callOf, jsonOf, PLAIN, pair } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';

beforeEach(clearOfMidnight);

describe('a restart', () => {
  test('after kill -9 day and month go on from the records that were written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bve-limits-'));
    const mock = startMock({ port: 0 });
    try {
      const before = await startGatewayProcess({ upstreamUrl: mock.url, folder, env: { LOG_LEVEL: 'warn' } });
      const limits = [
        '--rpm-limit',
        '200',
        '--rpd-limit',
        '100',
        '--monthly-limit',
        '1000',
        '--monthly-token-limit',
        '100000',
      ];
      const { id, key } = await before.createKey(...limits);
      const body = { ...PLAIN, mock: { usage: { prompt_tokens: 10, completion_tokens: 10, total_tokens: 20 } } };
      const call = async (port: number, made: Call = { body }) => rawRequest(port, callOf(key, made));
      for (let i = 0; i < 30; i++) expect((await call(before.port)).status).toBe(200);
      expect((await call(before.port, { body: '{' })).status).toBe(400);
      await before.waitForUsage(31);
      // Some of these are still on their way into the store, or in flight.
      const lost = Promise.allSettled(Array.from({ length: 20 }, () => call(before.port)));
      await call(before.port);
      before.signal('SIGKILL');
      await before.exited;
      await lost;
      await before.stop();

      const after = await startGatewayProcess({ upstreamUrl: mock.url, folder, env: { LOG_LEVEL: 'warn' } });
      try {
        const records = (await after.usage()).filter(({ keyId, admittedAt }) => keyId === id && admittedAt !== null);
        const tokens = records.reduce((sum, { totalTokens }) => sum + (totalTokens ?? 0), 0);
        expect(records.length).toBeGreaterThanOrEqual(31);
        const status = async () => jsonOf(await call(after.port, { method: 'GET', path: '/v1/key' })) as KeyJson;
        const restarted = await status();
        expect(restarted.limits).toMatchObject({
          requests_per_minute: { used: 0 },
          requests_per_day: { used: records.length, remaining: 100 - records.length },
          requests_per_month: { used: records.length },
          tokens_per_month: { used: tokens },
          concurrent_requests: { used: 0 },
        });
        expect(restarted.usage.today).toMatchObject({ requests: records.length, total_tokens: tokens });
        const answers = await Promise.all(Array.from({ length: 100 }, () => call(after.port)));
        expect(answers.filter(({ status: code }) => code === 200)).toHaveLength(100 - records.length);
        expectLimit(await call(after.port), LIMIT_REFUSALS.day);
      } finally {
        await after.stop();
      }
    } finally {
      await mock.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('counts that cannot be read from the store', () => {
  const open = pair();
  const strict = pair({ env: { LIMITS_ON_FAILURE: 'deny' } });

  /** Takes the table away that the counts come from; keys can still be looked up. */
  async function withoutCounts(
    databaseUrl: string,
    run: (away: SQL, bringBack: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const sql = new SQL({ adapter: 'sqlite', filename: databaseUrl.slice('sqlite://'.length) });
    await sql.unsafe('PRAGMA busy_timeout = 5000');
    let isAway = true;
    await sql.unsafe('ALTER TABLE usage_days RENAME TO usage_days_away');
    const bringBack = async () => {
      if (isAway) await sql.unsafe('ALTER TABLE usage_days_away RENAME TO usage_days');
      isAway = false;
    };
    try {
      await run(sql, bringBack);
    } finally {
      await bringBack();
      await sql.close();
    }
  }

  test('let requests through, are logged once a second at the most, and are right again once the store is back', async () => {
    const { id, key } = await open.gateway.createKey('--rpm-limit', 'none', '--rpd-limit', '60');
    const headers = { authorization: `Bearer ${key}` };
    const call = () => open.call({ body: PLAIN, headers });
    const warnings = () => open.gateway.logLines().filter(({ msg }) => msg === 'limits cannot be counted');
    await withoutCounts(open.gateway.databaseUrl, async (away, bringBack) => {
      // What the key had used before, in another process.
      await away`INSERT INTO usage_days_away VALUES (${id}, ${dayOf(Date.now())}, 5, 0, 0, 0, 0)`;
      const startedAt = performance.now();
      const answers = await Promise.all(Array.from({ length: 50 }, call));
      expect(answers.every(({ status }) => status === 200)).toBe(true);
      await eventually(() => warnings().length > 0);
      // The first at once, each further one a second later; timers may be a little early.
      expect(warnings().length).toBeLessThanOrEqual(1 + Math.floor((performance.now() - startedAt) / 990));
      expect(warnings()[0]).toMatchObject({ level: 'warn', limits_on_failure: 'allow' });
      await bringBack();
    });
    const used = async () => {
      const answer = await open.call({ method: 'GET', path: '/v1/key', headers });
      return answer.status === 200 ? (jsonOf(answer) as KeyJson) : undefined;
    };
    // The records that waited are written, and the counts are read at the next try.
    await eventually(async () => (await used())?.limits.requests_per_day.used === 55);
    expect((await used())?.usage.today.requests).toBe(55);
    const answers = await Promise.all(Array.from({ length: 20 }, call));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
  });

  test('refuse requests with LIMITS_ON_FAILURE=deny, but not those of a key that does not need them', async () => {
    const { key } = await strict.gateway.createKey('--rpd-limit', '60');
    await withoutCounts(strict.gateway.databaseUrl, async () => {
      const answer = await strict.call({ body: PLAIN, headers: { authorization: `Bearer ${key}` } });
      expect(answer.status).toBe(503);
      expect(answer.header('retry-after')).toBe('1');
      expect(jsonOf(answer)).toEqual({
        error: {
          message: 'The limits of this API key cannot be checked at the moment',
          type: 'api_error',
          code: 'overloaded',
        },
      });
      expect(strict.mock.requests).toHaveLength(0);
      expect((await strict.call({ body: PLAIN })).status).toBe(200);
    });
  });
});
