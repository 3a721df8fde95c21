/**
 * Random admin bodies: none may give a 500, and none may leave a key that is not what was answered.
 * `bun run fuzz` makes 100,000, FUZZ_SEED has a run again.
 */
import { expect, test } from 'bun:test';
import { SQL } from 'bun';
import { pair } from '../support/pair.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';
import { ADMIN_KEY, admin, adminCall } from './admin-client.ts';
import { randomBody } from './random-bodies.ts';

const CASES = Number(process.env.ADMIN_FUZZ_CASES ?? 10_000);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() & 0xfffffff);
const WORKERS = 8;
const STATUSES = new Set([200, 201, 400, 404, 409, 413]);

const bench = pair({ env: { ADMIN_API_KEY: ADMIN_KEY, LOG_LEVEL: 'error' } });

interface KeyObject {
  readonly id: string;
  readonly key?: string;
}

test(
  `${CASES} random bodies, seed ${SEED}`,
  async () => {
    const random = randomFrom(SEED);
    const targets = await Promise.all(
      Array.from({ length: WORKERS }, () => admin(bench.gateway, '/api-keys', { body: { name: 'target' } })),
    );
    const known = new Map<string, KeyObject>(targets.map(({ key, ...object }) => [object.id, object]));
    const counts = new Map<number, number>();
    let left = CASES;

    async function worker(own: KeyObject): Promise<void> {
      while (left-- > 0) {
        const { method, path } = randomRoute(random, own.id);
        const body = randomBody(random);
        const { status, text, json } = await adminCall(bench.gateway, path, { method, body });
        counts.set(status, (counts.get(status) ?? 0) + 1);
        if (!STATUSES.has(status)) throw new Error(`seed ${SEED}: ${status} ${text} for ${method} ${path} ${body}`);
        if (status >= 400) {
          expect(Object.keys(json.error)).toEqual(['message', 'type', 'code']);
          if (json.error.code === 'invalid_request') expect(json.error.message).toContain("'");
        } else {
          const { key: _, ...object } = json;
          known.set(object.id, object);
        }
      }
    }

    // Each worker changes a key of its own: what it was answered last is how that key must be in the end.
    await Promise.all(targets.map(worker));
    const list = (await admin(bench.gateway, '/api-keys')) as KeyObject[];
    const listed = new Map(list.map((object) => [object.id, object]));
    for (const [id, object] of known) expect({ seed: SEED, object: listed.get(id) }).toEqual({ seed: SEED, object });
    // One more is the key of the test's own gateway.
    expect(listed.size).toBe(known.size + 1);
    expect(counts.get(201)).toBeGreaterThan(CASES / 50);
    expect(counts.get(400)).toBeGreaterThan(CASES / 10);
    await expectConsistent();
  },
  30_000 + CASES * 10,
);

function randomRoute(random: Random, id: string): { method: string; path: string } {
  const target = random(40) === 0 ? pick(random, ['x', '%00', '%zz', crypto.randomUUID()]) : id;
  switch (random(8)) {
    case 0:
    case 1:
      return { method: 'POST', path: '/api-keys' };
    case 2:
      return { method: 'POST', path: `/api-keys/${target}/rotate` };
    case 3:
      return { method: 'POST', path: `/api-keys/${target}/${pick(random, ['suspend', 'activate'])}` };
    default:
      return { method: 'PATCH', path: `/api-keys/${target}` };
  }
}

/** What SQLite itself says, and that every key has exactly one secret that does not end. */
async function expectConsistent(): Promise<void> {
  const sql = new SQL({ adapter: 'sqlite', filename: bench.gateway.databaseUrl.slice('sqlite://'.length) });
  try {
    expect(await sql.unsafe('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }] as never);
    expect([...(await sql.unsafe('PRAGMA foreign_key_check'))]).toEqual([]);
    const [odd] = await sql.unsafe(`SELECT COUNT(*) AS keys FROM api_keys k WHERE
      (SELECT COUNT(*) FROM key_secrets s WHERE s.key_id = k.id AND s.expires_at IS NULL) <> 1`);
    expect(odd.keys).toBe(0);
  } finally {
    await sql.close();
  }
}
