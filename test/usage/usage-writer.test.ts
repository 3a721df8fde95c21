import { expect, test } from 'bun:test';
import { SQL } from 'bun';
import { createKey, hashKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { StoreError } from '../../src/store/store-error.ts';
import type { UsageTrouble } from '../../src/usage/trouble-report.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { type UsageSink, UsageWriter } from '../../src/usage/usage-writer.ts';
import { countByFinish } from '../store/count-by-finish.ts';
import { tempDatabase, usageRecord } from '../store/temp-database.ts';

/** Keeps what it is given; `answer` decides what a write does. */
class MemorySink implements UsageSink {
  readonly batches: UsageRecord[][] = [];
  lastUsedAt = new Map<string, number>();
  answer: (batch: readonly UsageRecord[]) => Promise<void> = async () => {};

  async insertUsage(records: readonly UsageRecord[], lastUsedAt: ReadonlyMap<string, number>): Promise<void> {
    await this.answer(records);
    this.batches.push([...records]);
    this.lastUsedAt = new Map(lastUsedAt);
  }

  get requestIds(): string[] {
    return this.batches.flat().map((record) => record.requestId);
  }
}

const NOTHING_LEFT = { spilled: 0, lost: 0 };

function recordRows(writer: UsageWriter, count: number): string[] {
  const ids = Array.from({ length: count }, (_, i) => `request-${i}`);
  for (const requestId of ids) writer.record(usageRecord({ requestId }));
  return ids;
}

test('records are written by themselves, together, in order', async () => {
  const sink = new MemorySink();
  const written = Promise.withResolvers<void>();
  sink.answer = async () => written.resolve();
  const writer = new UsageWriter(sink);
  const ids = recordRows(writer, 10);
  expect(sink.batches).toHaveLength(0);
  expect(writer.waiting).toBe(10);
  await written.promise;
  await writer.flush();
  expect(sink.batches).toHaveLength(1);
  expect(sink.requestIds).toEqual(ids);
  expect(writer.waiting).toBe(0);
});

test('a full batch is written without waiting for the interval, but never inside record()', async () => {
  const sink = new MemorySink();
  const written = Promise.withResolvers<void>();
  sink.answer = async () => written.resolve();
  const writer = new UsageWriter(sink, { flushIntervalMs: 1_000_000, flushRows: 20 });
  recordRows(writer, 20);
  expect(writer.waiting).toBe(20);
  await written.promise;
  await writer.close();
});

test('a backlog is written in small transactions, and the event loop runs between them', async () => {
  const sink = new MemorySink();
  const writer = new UsageWriter(sink, { transactionRows: 100 });
  let iterations = 0;
  const iterationsAtWrite: number[] = [];
  sink.answer = async () => {
    iterationsAtWrite.push(iterations);
    setImmediate(() => iterations++);
  };
  const ids = recordRows(writer, 950);
  expect(await writer.flush()).toBe(true);
  expect(sink.batches.map((batch) => batch.length)).toEqual([100, 100, 100, 100, 100, 100, 100, 100, 100, 50]);
  expect(iterationsAtWrite).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(sink.requestIds).toEqual(ids);
});

test('a record that comes in during a slow write does not wait for that and a whole interval', async () => {
  const sink = new MemorySink();
  const writer = new UsageWriter(sink, { flushIntervalMs: 400 });
  const slowEnd = Promise.withResolvers<number>();
  const second = Promise.withResolvers<number>();
  sink.answer = async () => {
    sink.answer = async () => second.resolve(performance.now());
    writer.record(usageRecord({ requestId: 'during' }));
    await Bun.sleep(400);
    slowEnd.resolve(performance.now());
  };
  writer.record(usageRecord({ requestId: 'first' }));
  const endedAt = await slowEnd.promise;
  expect((await second.promise) - endedAt).toBeLessThan(300);
  expect(await writer.close()).toEqual(NOTHING_LEFT);
  expect(sink.requestIds).toEqual(['first', 'during']);
});

test('the last use of a key is its latest request', async () => {
  const sink = new MemorySink();
  const writer = new UsageWriter(sink);
  for (const [keyId, startedAt] of [
    ['a', 5],
    ['b', 9],
    ['a', 7],
    ['a', 6],
  ] as const) {
    writer.record(usageRecord({ keyId, startedAt }));
  }
  await writer.flush();
  expect(sink.lastUsedAt).toEqual(
    new Map([
      ['a', 7],
      ['b', 9],
    ]),
  );
});

test('rows wait while the database is locked and are written when it is free', async () => {
  using db = tempDatabase();
  const store = await openStore(db.url);
  const { key, secret } = createKey({ name: 'k' }, 1);
  await store.insertKey(key, hashKey(secret, 'pepper-for-tests'));
  const other = new SQL({ adapter: 'sqlite', filename: db.path });
  await other.unsafe('BEGIN IMMEDIATE');
  const trouble = Promise.withResolvers<UsageTrouble>();
  const writer = new UsageWriter(store, { onTrouble: trouble.resolve });
  for (let i = 0; i < 700; i++) writer.record(usageRecord({ keyId: key.id, startedAt: 1_000 + i }));
  const flushed = writer.flush();
  expect(await trouble.promise).toMatchObject({ dropped: 0, waiting: 700, error: { kind: 'busy' } });
  expect(await store.recentUsage({ limit: 1 })).toEqual([]);
  await other.unsafe('ROLLBACK');
  expect(await flushed).toBe(true);
  expect(await countByFinish(store, key.id)).toEqual({ complete: 700 });
  expect((await store.getKey(key.id))?.lastUsedAt).toBe(1_699);
  await other.close();
  await store.close();
});

test('a lock that is gone at the second try is not reported, one that stays is', async () => {
  for (const failures of [1, 2]) {
    const sink = new MemorySink();
    let left = failures;
    sink.answer = async () => {
      if (left-- > 0) throw new StoreError('busy', 'locked');
    };
    const reports: UsageTrouble[] = [];
    const writer = new UsageWriter(sink, { retryMs: 1, onTrouble: (trouble) => reports.push(trouble) });
    const ids = recordRows(writer, 3);
    expect(await writer.flush()).toBe(true);
    // What is to be reported is reported now.
    expect(await writer.close()).toEqual(NOTHING_LEFT);
    expect(sink.requestIds).toEqual(ids);
    expect(writer.dropped).toBe(0);
    expect(reports).toMatchObject(failures === 1 ? [] : [{ dropped: 0, error: { kind: 'busy' } }]);
  }
});

test('when the queue is full rows are dropped and counted, and reported once', async () => {
  const sink = new MemorySink();
  const free = Promise.withResolvers<void>();
  sink.answer = () => free.promise;
  const reports: UsageTrouble[] = [];
  const reported = Promise.withResolvers<void>();
  const writer = new UsageWriter(sink, {
    queueRowsMax: 10,
    onTrouble: (trouble) => {
      reports.push(trouble);
      reported.resolve();
    },
  });
  const ids = recordRows(writer, 15);
  expect(writer.waiting).toBe(10);
  expect(writer.dropped).toBe(5);
  await reported.promise;
  expect(reports).toEqual([{ dropped: 5, waiting: 10, spilled: 0, error: null, spillError: null }]);
  free.resolve();
  expect(await writer.flush()).toBe(true);
  expect(sink.requestIds).toEqual(ids.slice(0, 10));
  recordRows(writer, 1);
  expect(writer.waiting).toBe(1);
  expect(await writer.close()).toEqual({ spilled: 0, lost: 5 });
});

test('a flush during the pause after a failure tries again at once', async () => {
  const sink = new MemorySink();
  let failures = 0;
  sink.answer = () =>
    failures++ === 0 ? Promise.reject(new StoreError('unavailable', 'disk full')) : Promise.resolve();
  const failed = Promise.withResolvers<UsageTrouble>();
  const writer = new UsageWriter(sink, { retryMs: 1_000_000, onTrouble: failed.resolve });
  const ids = recordRows(writer, 3);
  expect((await failed.promise).error?.message).toBe('disk full');
  expect(await writer.flush()).toBe(true);
  expect(sink.requestIds).toEqual(ids);
});

test('a write that is under way at the deadline of close() counts as lost, whatever becomes of it', async () => {
  for (const end of ['resolve', 'reject'] as const) {
    const sink = new MemorySink();
    const write = Promise.withResolvers<void>();
    sink.answer = () => write.promise;
    const writer = new UsageWriter(sink);
    recordRows(writer, 4);
    expect(await writer.close(1)).toEqual({ spilled: 0, lost: 4 });
    expect([writer.waiting, writer.dropped]).toEqual([0, 4]);
    write[end](new StoreError('unavailable', 'disk full') as never);
    await write.promise.catch(() => {});
    await Bun.sleep(0);
    expect([writer.waiting, writer.dropped]).toEqual([0, 4]);
  }
});

test('one row the database refuses is dropped, all others are written', async () => {
  using db = tempDatabase();
  const store = await openStore(db.url);
  const writer = new UsageWriter(store);
  for (let i = 0; i < 100; i++) writer.record(usageRecord({ durationMs: i === 37 ? Number.NaN : i }));
  expect(await writer.flush()).toBe(true);
  expect(writer.dropped).toBe(1);
  expect(writer.waiting).toBe(0);
  expect(await countByFinish(store)).toEqual({ complete: 99 });
  await writer.close();
  await store.close();
});

test('a write whose outcome is unknown is tried again and leaves no second copy', async () => {
  using db = tempDatabase();
  const store = await openStore(db.url);
  let answersLost = 1;
  const writer = new UsageWriter({
    insertUsage: async (records, lastUsedAt) => {
      await store.insertUsage(records, lastUsedAt);
      if (answersLost-- > 0) throw new Error('connection lost after COMMIT');
    },
  });
  recordRows(writer, 5);
  expect(await writer.flush()).toBe(true);
  expect(await countByFinish(store)).toEqual({ complete: 5 });
  await writer.close();
  await store.close();
});

test('records that come in during a flush are written too', async () => {
  const sink = new MemorySink();
  const writer = new UsageWriter(sink);
  let more = 3;
  sink.answer = async () => {
    if (more-- > 0) writer.record(usageRecord({ requestId: `late-${more}` }));
  };
  writer.record(usageRecord({ requestId: 'first' }));
  expect(await writer.flush()).toBe(true);
  expect(await writer.close()).toEqual(NOTHING_LEFT);
  expect(sink.requestIds[0]).toBe('first');
  expect(sink.requestIds).toContain('late-2');
});

test('closing writes what waits, then takes nothing more', async () => {
  const sink = new MemorySink();
  const writer = new UsageWriter(sink, { flushIntervalMs: 1_000_000 });
  const ids = recordRows(writer, 3);
  expect(await writer.close()).toEqual(NOTHING_LEFT);
  expect(sink.requestIds).toEqual(ids);
  expect(() => writer.record(usageRecord())).not.toThrow();
  expect(await writer.close()).toEqual({ spilled: 0, lost: 1 });
});

test('closing gives up at its deadline and says how many rows are lost', async () => {
  const sink = new MemorySink();
  sink.answer = () => Promise.reject(new StoreError('unavailable', 'disk full'));
  const reports: UsageTrouble[] = [];
  const writer = new UsageWriter(sink, { onTrouble: (trouble) => reports.push(trouble) });
  recordRows(writer, 7);
  expect(await writer.close(1)).toEqual({ spilled: 0, lost: 7 });
  expect(reports.reduce((sum, report) => sum + report.dropped, 0)).toBe(7);
});

test('ids are ascending, so that the order of recording is the order in the database', () => {
  const ids = Array.from({ length: 10_000 }, () => Bun.randomUUIDv7());
  expect(ids).toEqual(ids.toSorted());
});
