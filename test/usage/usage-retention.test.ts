import { expect, test } from 'bun:test';
import { openStore } from '../../src/store/open-store.ts';
import { StoreError } from '../../src/store/store-error.ts';
import { UsageRetention } from '../../src/usage/usage-retention.ts';
import { tempDatabase, usageRecord } from '../store/temp-database.ts';

const DAY_MS = 86_400_000;

test('records older than the days to keep are deleted in small batches, younger ones stay', async () => {
  using db = tempDatabase();
  const store = await openStore(db.url);
  const at = (ageDays: number) => ({ ...usageRecord(), id: Bun.randomUUIDv7('hex', Date.now() - ageDays * DAY_MS) });
  const old = Array.from({ length: 600 }, (_, i) => at(31 + i / 100));
  const young = [at(29), at(1), at(0)];
  await store.insertUsage([...old, ...young], new Map());
  const round = Promise.withResolvers<[number, unknown]>();
  const batches: number[] = [];
  const retention = new UsageRetention(
    {
      deleteUsageBefore: async (timeMs, limit) => {
        const deleted = await store.deleteUsageBefore(timeMs, limit);
        batches.push(deleted);
        return deleted;
      },
    },
    { keepDays: 30, firstRoundMs: 1, pauseMs: 1, onRound: (...result) => round.resolve(result) },
  );
  expect(await round.promise).toEqual([600, undefined]);
  expect(batches).toEqual([250, 250, 100]);
  expect((await store.recentUsage({ limit: 10 })).map(({ id }) => id)).toEqual(young.map(({ id }) => id).toReversed());
  await retention.stop();
  await store.close();
});

test('a database in trouble ends a round, and the next one tries again', async () => {
  const rounds: [number, unknown][] = [];
  const twice = Promise.withResolvers<void>();
  let calls = 0;
  const retention = new UsageRetention(
    {
      deleteUsageBefore: async () => {
        if (++calls === 1) throw new StoreError('busy', 'locked');
        return 7;
      },
    },
    {
      keepDays: 1,
      firstRoundMs: 1,
      intervalMs: 1,
      onRound: (...result) => {
        if (rounds.push(result) === 2) twice.resolve();
      },
    },
  );
  await twice.promise;
  await retention.stop();
  expect(rounds[0]).toEqual([0, expect.any(StoreError)]);
  expect(rounds[1]).toEqual([7, undefined]);
});

test('stopping waits for the batch under way and begins no other', async () => {
  const batch = Promise.withResolvers<number>();
  const begun = Promise.withResolvers<void>();
  let calls = 0;
  const retention = new UsageRetention(
    {
      deleteUsageBefore: (_, limit) => {
        calls++;
        begun.resolve();
        return batch.promise.then(() => limit);
      },
    },
    { keepDays: 1, firstRoundMs: 1, pauseMs: 1 },
  );
  await begun.promise;
  let stopped = false;
  const stopping = retention.stop().then(() => {
    stopped = true;
  });
  await Promise.resolve();
  expect(stopped).toBe(false);
  batch.resolve(0);
  await stopping;
  expect(calls).toBe(1);
});
