/** The database file is taken away from a running gateway, and put back. */
import { describe, expect, test } from 'bun:test';
import { renameSync } from 'node:fs';
import { newSecret } from '../../src/keys/key.ts';
import { eventually } from '../support/eventually.ts';
import type { GatewayProcess } from '../support/gateway.ts';
import { jsonOf, PLAIN, pair } from '../support/pair.ts';

const CHAT_CALL = { body: PLAIN };
const unknownKey = () => ({ ...CHAT_CALL, headers: { authorization: `Bearer ${newSecret()}` } });

/** Runs something while the file is not there. */
async function withoutDatabase(gateway: GatewayProcess, run: () => Promise<void>): Promise<void> {
  const path = gateway.databaseUrl.slice('sqlite://'.length);
  renameSync(path, `${path}.away`);
  try {
    await run();
  } finally {
    renameSync(`${path}.away`, path);
  }
}

describe('by default', () => {
  const t = pair();

  test('known keys are served, unknown ones get 503, nothing of it is lost, and the log stays short', async () => {
    expect((await t.call(CHAT_CALL)).status).toBe(200);
    await t.gateway.waitForUsage(1);
    const startedAtMs = performance.now();
    await withoutDatabase(t.gateway, async () => {
      const refused = await eventually(async () => {
        const answer = await t.call(unknownKey());
        return answer.status === 503 ? answer : null;
      });
      expect(jsonOf(refused)).toMatchObject({ error: { type: 'api_error', code: 'overloaded' } });
      expect(refused.header('retry-after')).toBe('1');
      for (let i = 0; i < 200; i++) {
        expect((await t.call(i % 2 === 0 ? CHAT_CALL : unknownKey())).status).toBe(i % 2 === 0 ? 200 : 503);
      }
      const status = await t.call({ method: 'GET', path: '/v1/key' });
      expect([status.status, status.header('retry-after')]).toEqual([503, '1']);
      expect((await t.call({ method: 'GET', path: '/ready' })).status).toBe(200);
    });
    await eventually(async () => (await t.call(unknownKey())).status === 401);
    expect(await t.gateway.waitForUsage(101)).toHaveLength(101);
    const isUnreadable = ({ msg }: Record<string, unknown>) => msg === 'keys cannot be read from the store';
    await t.gateway.logLine(isUnreadable);
    const lines = t.gateway.logLines().filter(isUnreadable);
    expect(lines.length).toBeLessThanOrEqual(2 + (performance.now() - startedAtMs) / 1000);
    expect(t.gateway.output()).not.toContain('    at ');
    expect(t.gateway.output()).not.toContain('"stack"');
  });
});

describe('with KEY_CACHE_STALE_MS=0 and READY_REQUIRES_STORE=true', () => {
  const t = pair({ env: { KEY_CACHE_STALE_MS: '0', READY_REQUIRES_STORE: 'true' } });

  test('known keys get 503 too, and so does who asks for readiness', async () => {
    expect((await t.call(CHAT_CALL)).status).toBe(200);
    expect((await t.call({ method: 'GET', path: '/ready' })).status).toBe(200);
    await withoutDatabase(t.gateway, async () => {
      expect((await t.call({ method: 'GET', path: '/ready' })).status).toBe(503);
      await eventually(async () => (await t.call(CHAT_CALL)).status === 503);
      expect((await t.call({ method: 'GET', path: '/health' })).status).toBe(200);
    });
    await eventually(async () => (await t.call(CHAT_CALL)).status === 200);
    await eventually(async () => (await t.call({ method: 'GET', path: '/ready' })).status === 200);
  });
});
