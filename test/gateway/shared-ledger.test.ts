/**
 * Many mixed requests over four gateways that share Postgres and Redis: one record for each answer, and totals that are the
 * sums of the records. 60,000 by `bun run test:ledger`; a short form always.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { SQL } from 'bun';
import type { Scenario } from '../../src/mock/scenario.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { clearOfMidnight } from '../support/limited-key.ts';
import { type PostgresServer, startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';
import { type Random, randomFrom } from '../support/random.ts';
import { type RedisServer, startRedis, WITHOUT_REDIS } from '../support/redis.ts';

const REQUESTS = Number(process.env.LEDGER_REQUESTS ?? 3_000);
const SEED = Number(process.env.LEDGER_SEED ?? 20_261_126);
const PROCESSES = 4;
const AT_ONCE = 64;
setDefaultTimeout(60_000 + REQUESTS * 10);

const WITHOUT = WITHOUT_POSTGRES ?? WITHOUT_REDIS;

/** How upstream may behave, by what the body of a request says; the mock reads it there. */
const SCENARIOS: readonly Scenario[] = [
  {},
  { events: 5 },
  { text: 'a stream of some words', include_usage: true },
  { status: 400, json: { error: { message: 'no', type: 'invalid_request_error' } } },
  { status: 500, json: { error: { message: 'broken' } } },
  { events: 5, fault: { kind: 'reset', after_bytes: 120 } },
  { events: 5, fault: { kind: 'end_early', after_bytes: 300 } },
  { fault: { kind: 'refuse' } },
];

interface Outcome {
  readonly id: string;
  /** null: there was no head. */
  readonly status: number | null;
  readonly keyId: string;
}

describe.skipIf(WITHOUT !== null)(`${REQUESTS} mixed requests over four gateways`, () => {
  let mock: MockServer;
  let postgres: PostgresServer;
  let redis: RedisServer;
  let gateways: GatewayProcess[] = [];

  beforeAll(async () => {
    await clearOfMidnight();
    mock = startMock({ port: 0, requestsMax: 100 });
    [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    const start = () =>
      startGatewayProcess({
        upstreamUrl: mock.url,
        env: { DATABASE_URL: postgres.url, REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '5000', LOG_LEVEL: 'error' },
      });
    gateways = await Promise.all(Array.from({ length: PROCESSES }, start));
  });
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await redis?.[Symbol.asyncDispose]();
    await postgres?.[Symbol.asyncDispose]();
    await mock?.stop();
  });

  async function send(gateway: GatewayProcess, key: { id: string; key: string }, random: Random): Promise<Outcome> {
    const scenario = SCENARIOS[random(SCENARIOS.length)]!;
    const leaves = random(12) === 0;
    const control = new AbortController();
    const id = crypto.randomUUID();
    const request = fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      signal: control.signal,
      headers: { authorization: `Bearer ${key.key}`, 'content-type': 'application/json', 'x-request-id': id },
      body: JSON.stringify({ model: `m${random(5)}`, messages: [], stream: random(2) === 0, mock: scenario }),
    });
    // A small answer that breaks is a reset without a head.
    const answer = await request.catch(() => null);
    if (leaves) control.abort();
    // A stream that breaks, or one that is left.
    await answer?.arrayBuffer().catch(() => {});
    return { id, status: answer?.status ?? null, keyId: key.id };
  }

  test(`one record for each answer, totals are the sums of the records (seed ${SEED})`, async () => {
    const random = randomFrom(SEED);
    const [first] = gateways as [GatewayProcess];
    const none = ['--rpm-limit', 'none', '--rpd-limit', 'none'];
    const half = Math.floor(REQUESTS / 16);
    const keys = await Promise.all([
      first.createKey(...none),
      first.createKey('--rpm-limit', 'none', '--rpd-limit', String(half)),
      first.createKey(...none, '--max-concurrent', '3'),
      first.createKey(...none, '--monthly-limit', String(half)),
      first.createKey(...none, '--monthly-token-limit', '1000000'),
    ]);
    const outcomes: Outcome[] = [];
    let sent = 0;
    const client = async () => {
      while (sent < REQUESTS) {
        const i = sent++;
        outcomes.push(await send(gateways[i % PROCESSES]!, keys[random(keys.length)]!, random));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    expect(outcomes).toHaveLength(REQUESTS);

    const sql = new SQL(postgres.url, { max: 1 });
    await eventually(async () => {
      const [row] = await sql`SELECT COUNT(*) AS records FROM usage_records`;
      return Number(row.records) === REQUESTS;
    });
    const records = await sql<{ request_id: string; key_id: string; status: string; admitted_at: string | null }[]>`
      SELECT request_id, key_id, status, admitted_at FROM usage_records`;
    const byRequest = new Map(records.map((record) => [record.request_id, record]));
    for (const { id, status, keyId } of outcomes) {
      const record = byRequest.get(id);
      expect([record?.key_id, status === null ? null : Number(record?.status)]).toEqual([keyId, status]);
    }

    const sums = async (from: string) => {
      const [row] = await sql.unsafe(from);
      return Object.values(row as Record<string, unknown>).map(Number);
    };
    const expected =
      await sums(`SELECT COUNT(*), COALESCE(SUM(prompt_tokens), 0) AS p, COALESCE(SUM(completion_tokens), 0) AS c,
      COALESCE(SUM(total_tokens), 0) AS t FROM usage_records WHERE admitted_at IS NOT NULL`);
    for (const table of ['usage_days', 'usage_months', 'usage_by_model']) {
      const columns =
        'SUM(requests) AS r, SUM(prompt_tokens) AS p, SUM(completion_tokens) AS c, SUM(total_tokens) AS t';
      expect([table, await sums(`SELECT ${columns} FROM ${table}`)]).toEqual([table, expected]);
    }
    // Exactly as many as the limits allow were admitted.
    for (const limited of [keys[1]!, keys[3]!]) {
      const [row] = await sql`SELECT COUNT(*) AS admitted FROM usage_records
        WHERE key_id = ${limited.id} AND admitted_at IS NOT NULL`;
      expect(Number(row.admitted)).toBe(half);
    }
    await sql.close();
  });
});
