/** Spill files: what is put into them comes out again, whatever happens to the process, the disk or the files. */
import { afterEach, beforeEach, expect, test } from 'bun:test';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DiskSpillFolder } from '../../src/usage/spill-folder.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { UsageSpill } from '../../src/usage/usage-spill.ts';
import { type TempDatabase, tempDatabase, usageRecord } from '../store/temp-database.ts';

let temp: TempDatabase;
beforeEach(() => {
  temp = tempDatabase();
});
afterEach(() => temp[Symbol.dispose]());

const spillOf = (bytesMax = 1_000_000, id = 'database-1') =>
  new UsageSpill(new DiskSpillFolder(temp.folder, id), bytesMax);
const records = (count: number) => Array.from({ length: count }, (_, i) => usageRecord({ requestId: `request-${i}` }));
const files = () => readdirSync(temp.folder);

function readAll(spill: UsageSpill, max = 100): UsageRecord[] {
  const all: UsageRecord[] = [];
  for (let batch = spill.read(max); batch !== null; batch = spill.read(max)) {
    all.push(...batch.records);
    batch.done();
  }
  return all;
}

test('records come out as they went in, some at a time, and then the file is gone', () => {
  const spill = spillOf();
  const odd = usageRecord({
    model: 'line\nbreak \u2028 "quoted" \u{1F511}',
    ttfbMs: 1.25,
    totalTokens: 2 ** 53,
    cancelMs: 3,
  });
  const all = [...records(30), odd, usageRecord({ model: null, admittedAt: null, ttfbMs: null })];
  expect(spill.append(all.slice(0, 10))).toBe(true);
  expect(spill.append(all.slice(10))).toBe(true);
  expect([spill.rows, files().length]).toEqual([32, 1]);
  expect(statSync(join(temp.folder, files()[0]!)).mode & 0o777).toBe(0o600);
  expect(readAll(spill, 7)).toEqual(all);
  expect([spill.rows, spill.isEmpty, files()]).toEqual([0, true, []]);
});

test('a batch that is not done is read again, by this process or the next', () => {
  const spill = spillOf();
  const all = records(10);
  spill.append(all);
  expect(spill.read(4)!.records).toEqual(all.slice(0, 4));
  spill.read(4)!.done();
  expect(spill.read(4)!.records).toEqual(all.slice(4, 8));
  const next = spillOf();
  expect(next.takeUp()).toBe(10);
  expect(readAll(next)).toEqual(all);
});

test('what is appended while a file is read goes into another one', () => {
  const spill = spillOf();
  const all = records(9);
  spill.append(all.slice(0, 6));
  const first = spill.read(3)!;
  spill.append(all.slice(6));
  expect(files()).toHaveLength(2);
  first.done();
  expect([...first.records, ...readAll(spill)]).toEqual(all);
  expect(files()).toEqual([]);
});

test('a torn last line, and lines that are no records, are skipped and counted; the others are not lost', () => {
  const spill = spillOf();
  const all = records(4);
  spill.append(all);
  const path = join(temp.folder, files()[0]!);
  const [one, two, three, four] = readFileSync(path, 'utf8').trim().split('\n') as [string, string, string, string];
  const bad = ['', '{}', 'null', '{"id":1}', JSON.stringify({ ...all[0], finish: 'gone' }), '\u0000\u0000'];
  writeFileSync(path, [one, ...bad.slice(0, 3), two, ...bad.slice(3), three, four.slice(0, 50)].join('\n'));
  const next = spillOf();
  next.takeUp();
  expect(readAll(next)).toEqual(all.slice(0, 3));
  expect([next.skipped, files()]).toEqual([bad.length + 1, []]);
});

test('a file with nothing but a torn line is read and removed too', () => {
  writeFileSync(join(temp.folder, 'bve-usage-database-1-x.jsonl'), '{"id":');
  const spill = spillOf();
  expect(spill.takeUp()).toBe(0);
  expect(spill.isEmpty).toBe(false);
  expect([spill.read(10), spill.skipped, spill.isEmpty, files()]).toEqual([null, 1, true, []]);
});

test('a record of an older version, without the fields that may be null, is a record', () => {
  const { cachedTokens, errorCode, ...older } = usageRecord();
  writeFileSync(join(temp.folder, 'bve-usage-database-1-x.jsonl'), `${JSON.stringify(older)}\n`);
  const spill = spillOf();
  spill.takeUp();
  expect(readAll(spill)).toEqual([{ ...older, cachedTokens: null, errorCode: null } as UsageRecord]);
});

test('no more bytes than the bound are in files; when some are read there is room again', () => {
  const size = Buffer.byteLength(`${JSON.stringify(records(1)[0])}\n`);
  const spill = spillOf(size * 5 + 10);
  const all = records(8);
  expect(spill.append(all.slice(0, 3))).toBe(true);
  expect(spill.append(all.slice(3, 6))).toBe(false);
  expect(String(spill.error)).toContain('full');
  expect(spill.append(all.slice(3, 5))).toBe(true);
  expect(readAll(spill)).toEqual(all.slice(0, 5));
  expect(spill.append(all.slice(5))).toBe(true);
  expect(spillOf(0).append(all)).toBe(false);
});

test('files of another database are left alone, and counted', () => {
  spillOf(1_000, 'database-2').append(records(1));
  const folder = new DiskSpillFolder(temp.folder, 'database-1');
  expect([folder.names(), folder.others()]).toEqual([[], 1]);
  expect(spillOf().takeUp()).toBe(0);
  expect(files()).toHaveLength(1);
});

test('a folder that is missing, no folder, or not to be written to has a problem', () => {
  expect(new DiskSpillFolder(temp.folder, 'd').problem()).toBeNull();
  expect(new DiskSpillFolder(join(temp.folder, 'missing'), 'd').problem()).toContain('does not exist');
  writeFileSync(join(temp.folder, 'file'), '');
  expect(new DiskSpillFolder(join(temp.folder, 'file'), 'd').problem()).toContain('is not a folder');
});

test('when the folder is gone records are refused, and taken again when it is back', () => {
  const folder = join(temp.folder, 'spill');
  mkdirSync(folder);
  const spill = new UsageSpill(new DiskSpillFolder(folder, 'd'), 1_000_000);
  const all = records(4);
  spill.append(all.slice(0, 1));
  renameSync(folder, `${folder}.away`);
  expect(spill.append(all.slice(1))).toBe(false);
  expect(spill.error).not.toBeNull();
  renameSync(`${folder}.away`, folder);
  expect(spill.append(all.slice(1))).toBe(true);
  expect(spill.error).toBeNull();
  expect(readAll(spill)).toEqual(all);
});

test('who appends to a file that another process takes over at that moment writes elsewhere once more', () => {
  const ours = new DiskSpillFolder(temp.folder, 'd');
  const other = new DiskSpillFolder(temp.folder, 'd');
  const name = ours.newName();
  ours.append(name, Buffer.from('1\n'));
  // The other renames it before we look: as if between our write and our look.
  const stat = ours.size(name);
  const taken = other.take(name);
  expect(other.read(taken, 0, 100).toString()).toBe('1\n');
  ours.append(name, Buffer.from('2\n'));
  expect([stat, other.names().length]).toEqual([2, 2]);
});

test('two processes that take up the same files bring each record in, and neither fails', () => {
  const all = records(50);
  spillOf().append(all.slice(0, 20));
  spillOf().append(all.slice(20));
  const [a, b] = [spillOf(), spillOf()];
  a.takeUp();
  const first = a.read(10)!;
  // While the first reads, the second starts.
  b.takeUp();
  first.done();
  const found = [...first.records, ...readAll(a), ...readAll(b)].map(({ id }) => id);
  expect([...new Set(found)].toSorted()).toEqual(all.map(({ id }) => id).toSorted());
  expect(files()).toEqual([]);
});

test('a file that cannot be read stays for the next start', () => {
  const spill = spillOf();
  const all = records(2);
  spill.append(all);
  const path = join(temp.folder, files()[0]!);
  renameSync(path, `${path}.away`);
  mkdirSync(path);
  expect(spill.read(10)).toBeNull();
  expect(spill.error).not.toBeNull();
  rmSync(path, { recursive: true });
  renameSync(`${path}.away`, path);
  const next = spillOf();
  next.takeUp();
  expect(readAll(next)).toEqual(all);
});

test('a part of a line that another write left behind does not spoil the next one', () => {
  const spill = spillOf();
  const all = records(2);
  spill.append(all.slice(0, 1));
  appendFileSync(join(temp.folder, files()[0]!), '{"torn');
  const next = spillOf();
  next.takeUp();
  next.append(all.slice(1));
  expect(readAll(next)).toEqual(all);
  expect(next.skipped).toBe(1);
  rmSync(temp.folder, { recursive: true });
  mkdirSync(temp.folder);
});
