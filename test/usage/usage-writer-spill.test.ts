/** What becomes of records that the store does not take, with files to put them into. */
import { Database } from 'bun:sqlite';
import { afterEach, beforeEach, expect, test } from 'bun:test';
import { readdirSync, rmSync } from 'node:fs';
import { openStore } from '../../src/store/open-store.ts';
import type { Store } from '../../src/store/store.ts';
import { StoreError } from '../../src/store/store-error.ts';
import { RecordedUse } from '../../src/usage/recorded-use.ts';
import { DiskSpillFolder } from '../../src/usage/spill-folder.ts';
import type { UsageTrouble } from '../../src/usage/trouble-report.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { UsageSpill } from '../../src/usage/usage-spill.ts';
import { UsageWriter } from '../../src/usage/usage-writer.ts';
import type { UsageWriterOptions } from '../../src/usage/usage-writer-options.ts';
import { countByFinish } from '../store/count-by-finish.ts';
import { type TempDatabase, tempDatabase, usageRecord } from '../store/temp-database.ts';
import { eventually } from '../support/eventually.ts';

let db: TempDatabase;
let store: Store;
const writers: UsageWriter[] = [];

beforeEach(async () => {
  db = tempDatabase();
  store = await openStore(db.url);
});
afterEach(async () => {
  for (const writer of writers.splice(0)) await writer.close(1);
  await store.close();
  db[Symbol.dispose]();
});

function writerOf(options: UsageWriterOptions & { bytesMax?: number } = {}): UsageWriter {
  const spill = new UsageSpill(new DiskSpillFolder(db.folder, 'db'), options.bytesMax ?? 10_000_000);
  const writer = new UsageWriter(store, { spill, ...options });
  writers.push(writer);
  return writer;
}

const files = () => readdirSync(db.folder).filter((name) => name.endsWith('.jsonl'));
const recordRows = (writer: UsageWriter, count: number, changes: Partial<UsageRecord> = {}) => {
  for (let i = 0; i < count; i++) writer.record(usageRecord(changes));
};

/** As another process does it. */
function lock(): { free(): void } {
  const other = new Database(db.path);
  other.run('BEGIN IMMEDIATE');
  return {
    free: () => {
      other.run('ROLLBACK');
      other.close();
    },
  };
}

test('while the store is locked records go into a file within a tenth of a second, and into the store when it is free', async () => {
  const reports: UsageTrouble[] = [];
  const writer = writerOf({ onTrouble: (trouble) => reports.push(trouble) });
  const locked = lock();
  const startedAtMs = performance.now();
  recordRows(writer, 700);
  await eventually(() => files().length > 0);
  expect(performance.now() - startedAtMs).toBeLessThan(500);
  recordRows(writer, 50);
  expect(writer.waiting).toBe(750);
  await eventually(() => reports.some(({ spilled }) => spilled > 0));
  expect(reports.at(-1)).toMatchObject({ dropped: 0, spillError: null });
  locked.free();
  await eventually(() => writer.waiting === 0);
  expect(await countByFinish(store)).toEqual({ complete: 750 });
  expect(files()).toEqual([]);
  expect(writer.dropped).toBe(0);
});

test('what is in files when the process is killed is taken up by the next one, once', async () => {
  const killed = writerOf();
  const locked = lock();
  recordRows(killed, 300);
  await eventually(() => files().length > 0 && killed.waiting === 300);
  await eventually(() => new UsageSpill(new DiskSpillFolder(db.folder, 'db'), 0).takeUp() === 300);
  locked.free();
  const next = writerOf();
  expect(next.takeUpSpilled()).toBe(300);
  expect(await next.flush()).toBe(true);
  expect(await countByFinish(store)).toEqual({ complete: 300 });
  await store.recentUsageDays({ first: 0, last: 1e6, limit: 9 }).then((days) => {
    expect(days).toMatchObject([{ requests: 300, totalTokens: 9_000 }]);
  });
});

test('closing with a store in trouble puts everything into a file: nothing is lost', async () => {
  const writer = writerOf();
  const locked = lock();
  recordRows(writer, 600);
  expect(await writer.close(30)).toEqual({ spilled: 600, lost: 0 });
  locked.free();
  const next = writerOf();
  expect(next.takeUpSpilled()).toBe(600);
  expect(await next.close()).toEqual({ spilled: 0, lost: 0 });
  expect(await countByFinish(store)).toEqual({ complete: 600 });
});

test('a write that never ends is put into a file at the deadline, and behind it what waits long before', async () => {
  const spill = new UsageSpill(new DiskSpillFolder(db.folder, 'db'), 1_000_000);
  const writer = new UsageWriter({ insertUsage: () => new Promise(() => {}) }, { spill, slowWriteMs: 20 });
  recordRows(writer, 3);
  await eventually(() => writer.writesBegun === 1);
  recordRows(writer, 4);
  await eventually(() => spill.rows === 4);
  expect(await writer.close(10)).toEqual({ spilled: 7, lost: 0 });
});

test('what neither the store nor a file takes waits in memory, and is counted when that is full or the end comes', async () => {
  const reports: UsageTrouble[] = [];
  const writer = writerOf({ bytesMax: 100, queueRowsMax: 20, onTrouble: (trouble) => reports.push(trouble) });
  const locked = lock();
  recordRows(writer, 25);
  expect([writer.waiting, writer.dropped]).toEqual([20, 5]);
  await eventually(() => reports.length > 0);
  expect(await writer.close(1)).toEqual({ spilled: 0, lost: 25 });
  expect(reports.reduce((sum, { dropped }) => sum + dropped, 0)).toBe(25);
  expect(String(reports.at(-1)!.spillError)).toContain('full');
  locked.free();
});

test('a record that the store refuses is dropped from a file as it is from memory, and nothing else is', async () => {
  let refuse: string | null = null;
  let away = true;
  const spill = new UsageSpill(new DiskSpillFolder(db.folder, 'db'), 1_000_000);
  const sink = {
    insertUsage: async (records: readonly UsageRecord[], used: ReadonlyMap<string, number>) => {
      if (away) throw new StoreError('unavailable', 'away');
      if (records.some(({ id }) => id === refuse)) throw new StoreError('rejected', 'refused');
      await store.insertUsage(records, used);
    },
  };
  const writer = new UsageWriter(sink, { spill, retryMs: 1 });
  writers.push(writer);
  const records = Array.from({ length: 100 }, () => usageRecord());
  refuse = records[37]!.id;
  for (const record of records) writer.record(record);
  await eventually(() => spill.rows === 100);
  away = false;
  expect(await writer.flush()).toBe(true);
  expect([writer.dropped, writer.waiting, files()]).toEqual([1, 0, []]);
  expect(await countByFinish(store)).toEqual({ complete: 99 });
});

test('a deleted database file: records go into a file from the next write on', async () => {
  const writer = writerOf();
  recordRows(writer, 5);
  expect(await writer.flush()).toBe(true);
  for (const end of ['', '-wal', '-shm']) rmSync(db.path + end);
  recordRows(writer, 40);
  await eventually(() => files().length > 0);
  expect(writer.waiting).toBe(40);
});

test('what a key used is the same while its records wait in memory, in files, and when they are in the store', async () => {
  const writer = writerOf();
  const use = new RecordedUse(store, writer);
  const used = async (keyId = 'a') => {
    let total: number[] = [];
    await use.usedDays(keyId, 0, 1e6, (days) => {
      total = [days.length, ...days.map(({ requests }) => requests), ...days.map(({ totalTokens }) => totalTokens)];
    });
    return total;
  };
  recordRows(writer, 3, { keyId: 'a', totalTokens: 7 });
  await writer.flush();
  expect(await used()).toEqual([1, 3, 21]);
  const locked = lock();
  recordRows(writer, 2, { keyId: 'a', totalTokens: 5 });
  recordRows(writer, 9, { keyId: 'b' });
  recordRows(writer, 1, { keyId: 'a', admittedAt: null });
  expect(await used()).toEqual([1, 5, 31]);
  await eventually(() => files().length > 0);
  recordRows(writer, 1, { keyId: 'a', totalTokens: 1 });
  expect(await used()).toEqual([1, 6, 32]);
  locked.free();
  await eventually(() => writer.waiting === 0);
  expect(await used()).toEqual([1, 6, 32]);
  expect(await used('b')).toEqual([1, 9, 270]);
  expect(await used('c')).toEqual([0]);
});
