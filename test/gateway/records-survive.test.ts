/** Usage records are not lost: not when the gateway is killed or stopped under load, not while its database is locked. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQL } from 'bun';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';

/** What a crash may cost (contract, section 6). */
const LOST_AT_MOST_MS = 100;
/** A transaction takes 4 ms, and 20 ms when SQLite moves its log into the file. */
const PAUSE_MAX_MS = 25;
/** A request that waited for a lock as the admin API does would take 5 s. */
const HELD_UP_MS = 4_500;
const CLIENTS = 24;
const KILLS = 4;

let mock: MockServer;
let folder: string;

beforeAll(() => {
  mock = startMock({ port: 0, requestsMax: 10 });
});
beforeEach(() => {
  mock.reset();
  folder = mkdtempSync(join(tmpdir(), 'bve-test-'));
});
afterAll(() => mock.stop());

interface Load {
  /** When each request was complete at its client, by request id, milliseconds since 1970. */
  readonly completed: ReadonlyMap<string, number>;
  /** Resolves when `count` requests are complete. */
  reached(count: number): Promise<void>;
  /** Resolves when no client sends any more. */
  readonly over: Promise<unknown>;
  end(): void;
}

/** Clients that send one request after the other, every second one streamed, until one fails or they are told to end. */
function load(gateway: GatewayProcess): Load {
  const completed = new Map<string, number>();
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  let ended = false;
  async function client(name: number): Promise<void> {
    for (let i = 0; !ended; i++) {
      const requestId = `request-${name}-${i}`;
      try {
        const response = await fetch(`${gateway.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${gateway.key}`, 'x-request-id': requestId },
          body: JSON.stringify({ model: 'm', messages: [], stream: i % 2 === 0 }),
        });
        await response.arrayBuffer();
        // Turned away while stopping.
        if (response.status !== 200) return;
      } catch {
        return;
      }
      completed.set(requestId, Date.now());
      for (const { count, resolve } of waiting) if (completed.size >= count) resolve();
    }
  }
  const over = Promise.all(Array.from({ length: CLIENTS }, (_, name) => client(name)));
  return {
    completed,
    reached: (count) => new Promise((resolve) => waiting.push({ count, resolve })),
    over,
    end: () => {
      ended = true;
    },
  };
}

async function recordedIds(databaseUrl: string): Promise<Set<string>> {
  const store = await openStore(databaseUrl);
  try {
    const records = await store.recentUsage({ limit: 1_000_000 });
    const ids = new Set(records.map((record) => record.requestId));
    expect(ids.size).toBe(records.length);
    const days = await store.recentUsageDays({ first: 0, last: 1_000_000, limit: 10 });
    // Refused ones, as all are while it stops, have records and are no use of the key.
    const admitted = records.filter((record) => record.admittedAt !== null);
    expect(days.reduce((sum, day) => sum + day.requests, 0)).toBe(admitted.length);
    return ids;
  } finally {
    await store.close();
  }
}

/**
 * For how long the gateway went on from a moment until it was killed. Under this load something is complete every millisecond
 * or two; where nothing was for longer than PAUSE_MAX_MS the machine had stopped it, and with it the clock of what it promises.
 */
function liveTime(completedAt: readonly number[], killedAt: number): (atMs: number) => number {
  const times = [...completedAt, killedAt].toSorted((a, b) => a - b);
  const livedMs = new Map<number, number>();
  let sumMs = 0;
  for (let i = times.length - 1; i >= 0; i--) {
    sumMs += Math.min((times[i + 1] ?? killedAt) - times[i]!, PAUSE_MAX_MS);
    livedMs.set(times[i]!, sumMs);
  }
  return (atMs) => livedMs.get(atMs)!;
}

for (let kill = 1; kill <= KILLS; kill++) {
  test(`kill -9 under load loses at most the last ${LOST_AT_MOST_MS} ms, and days agree with records (${kill} of ${KILLS})`, async () => {
    const gateway = await startGatewayProcess({ upstreamUrl: mock.url, folder, env: { LOG_LEVEL: 'warn' } });
    const running = load(gateway);
    // At another point between two writes each time.
    await running.reached(400 * kill + 37 * kill);
    const killedAt = Date.now();
    gateway.signal('SIGKILL');
    await running.over;
    await gateway.stop();
    const ids = await recordedIds(gateway.databaseUrl);
    const lives = liveTime([...running.completed.values()], killedAt);
    const lost = [...running.completed].filter(([id]) => !ids.has(id)).map(([, at]) => lives(at));
    expect(Math.max(0, ...lost)).toBeLessThanOrEqual(LOST_AT_MOST_MS);
    rmSync(folder, { recursive: true });
  });
}

test('SIGTERM under load loses none', async () => {
  const gateway = await startGatewayProcess({ upstreamUrl: mock.url, folder, env: { LOG_LEVEL: 'warn' } });
  const running = load(gateway);
  await running.reached(500);
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toBe(0);
  running.end();
  await running.over;
  await gateway.stop();
  const ids = await recordedIds(gateway.databaseUrl);
  expect([...running.completed.keys()].filter((id) => !ids.has(id))).toEqual([]);
  rmSync(folder, { recursive: true });
});

test('a locked database neither fails nor holds up a request, and all records are there when it is free', async () => {
  const gateway = await startGatewayProcess({ upstreamUrl: mock.url, folder, env: { LOG_LEVEL: 'warn' } });
  const lock = new SQL({ adapter: 'sqlite', filename: join(folder, 'bve.db') });
  await lock.unsafe('BEGIN IMMEDIATE');
  const running = load(gateway);
  await running.reached(1_000);
  // The writer has met the lock, and said so.
  while (!gateway.output().includes('usage records wait or are lost'))
    await running.reached(running.completed.size + 50);
  await running.reached(running.completed.size + 500);
  running.end();
  await running.over;
  expect(await gateway.usage()).toEqual([]);
  await lock.unsafe('ROLLBACK');
  await lock.close();
  const records = await gateway.waitForUsage(running.completed.size);
  expect(new Set(records.map((record) => record.requestId))).toEqual(new Set(running.completed.keys()));
  expect(Math.max(...records.map((record) => record.durationMs))).toBeLessThan(HELD_UP_MS);
  const waits = gateway.logLines().filter((line) => line.msg === 'usage records wait or are lost');
  expect(waits.every((line) => line.dropped === 0)).toBe(true);
  await gateway.stop();
  rmSync(folder, { recursive: true });
});
