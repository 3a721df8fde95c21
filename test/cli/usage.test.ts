/** `bve usage`: tables for people, JSON and CSV for scripts, from the database alone. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { parseCsv } from '../../src/cli/csv.ts';
import { createKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type TempDatabase, tempDatabase, usageRecord } from '../store/temp-database.ts';
import { runBve } from '../support/gateway.ts';

let db: TempDatabase;
const alice = createKey({ name: '=cmd|"x", \u001b[31mAlice' }, 1_000).key;
const bob = createKey({ name: 'Bob' }, 2_000).key;

beforeAll(async () => {
  db = tempDatabase();
  const store = await openStore(db.url);
  await store.insertKey(alice, 'hash-a');
  await store.insertKey(bob, 'hash-b');
  const record = (keyId: string, day: string, totalTokens: number) => {
    const admittedAt = Date.parse(`${day}T10:00:00Z`);
    return usageRecord({ keyId, startedAt: admittedAt, admittedAt, totalTokens, durationMs: 500 });
  };
  await store.insertUsage(
    [
      record(alice.id, '2024-02-29', 1_234_567),
      record(alice.id, '2024-03-01', 30),
      record(alice.id, '2024-03-01', 30),
      record(bob.id, '2024-03-01', 5),
      // More rows than an answer without dates has.
      ...Array.from({ length: 150 }, (_, i) =>
        record(bob.id, new Date(Date.UTC(2023, 0, 1 + i)).toISOString().slice(0, 10), 1),
      ),
    ],
    new Map(),
  );
  await store.close();
});

afterAll(() => db[Symbol.dispose]());

async function usage(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runBve(['usage', ...args], { DATABASE_URL: db.url });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout;
}

test('two tables for people, aligned, newest first, that do not steer the terminal', async () => {
  const text = await usage('--from', '2024-01-01');
  expect(text).not.toContain('\u001b');
  const [days, months] = text.split('\n\n').map((table) => table.trimEnd().split('\n'));
  expect(days![0]).toMatch(/^DAY +REQUESTS +PROMPT +COMPLETION +TOTAL +KEY +NAME$/);
  expect(days!.slice(1).map((row) => row.slice(0, 10))).toEqual(['2024-03-01', '2024-03-01', '2024-02-29']);
  expect(days![3]).toContain(`1234567  ${alice.id}`);
  expect(days![3]!.indexOf('1234567') + 7).toBe(days![0]!.indexOf('TOTAL') + 5);
  expect(months![0]).toMatch(/^MONTH /);
  expect(months!.slice(1).map((row) => row.split(/ +/).slice(0, 2))).toEqual(
    expect.arrayContaining([
      ['2024-03', '2'],
      ['2024-03', '1'],
      ['2024-02', '1'],
    ]),
  );
  expect(await usage('--from', '2030-01-01')).toBe('no usage in this time\n');
});

test('--json is the object of GET /admin/usage', async () => {
  const { daily, monthly } = JSON.parse(await usage('--key', alice.id.slice(0, 13), '--from', '2024-03-01', '--json'));
  expect(daily).toEqual([
    {
      id: expect.any(String),
      keyId: alice.id,
      date: '2024-03-01',
      requestCount: 2,
      promptTokens: 20,
      completionTokens: 40,
      totalTokens: 60,
      updatedAt: '2024-03-01T10:00:00.500Z',
    },
  ]);
  expect(monthly).toMatchObject([{ yearMonth: '2024-03', requestCount: 2 }]);
  const all = JSON.parse(await usage('--json'));
  expect([all.daily.length, all.monthly.length]).toEqual([100, 8]);
});

describe('--csv', () => {
  test('is RFC 4180 with a header, all days there are, and names that no spreadsheet runs', async () => {
    const text = await usage('--csv');
    expect(text).toEndWith('\r\n');
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
    const [header, ...rows] = parseCsv(text).map((row) => row.cells);
    expect(header!.join(' ')).toBe(
      'date key_id key_name request_count prompt_tokens completion_tokens total_tokens updated_at',
    );
    expect(rows).toHaveLength(153);
    expect(rows.find((row) => row[0] === '2024-02-29')).toEqual([
      '2024-02-29',
      alice.id,
      `'${alice.name}`,
      '1',
      '10',
      '20',
      '1234567',
      '2024-02-29T10:00:00.500Z',
    ]);
  });

  test('--monthly has the months, dates and a key narrow both', async () => {
    const months = parseCsv(await usage('--csv', '--monthly', '--key', bob.id, '--to', '2023-02-10'));
    expect(months.map((row) => row.cells.slice(0, 4))).toEqual([
      ['year_month', 'key_id', 'key_name', 'request_count'],
      ['2023-02', bob.id, 'Bob', '28'],
      ['2023-01', bob.id, 'Bob', '31'],
    ]);
    const days = parseCsv(await usage('--csv', '--from', '2023-01-30', '--to', '2023-02-01'));
    expect(days.map((row) => row.cells[0])).toEqual(['date', '2023-02-01', '2023-01-31', '2023-01-30']);
  });
});

test('a wrong call is exit code 2 and names its flag, an unknown key 1', async () => {
  for (const [args, text] of [
    [['--from', '2024-02-30'], '--from'],
    [['--to', 'today'], '--to'],
    [['--from', '2024-01-02', '--to', '2024-01-01'], '--from'],
    [['--json', '--csv'], '--csv'],
    [['--monthly'], '--monthly'],
    [['--days', '3'], '--days'],
    [['x'], 'x'],
  ] as const) {
    const { exitCode, stdout, stderr } = await runBve(['usage', ...args], { DATABASE_URL: db.url });
    expect([exitCode, stdout, stderr.includes(text)]).toEqual([2, '', true]);
  }
  expect((await runBve(['usage', '--key', 'sk-bve-zzz'], { DATABASE_URL: db.url })).exitCode).toBe(1);
  const help = await runBve(['usage', '--help']);
  expect(help.stdout).toContain('Usage: bve usage [flags]');
});

describe('--by', () => {
  test('a table with a total, by one group or two', async () => {
    const lines = (await usage('--by', 'model,key', '--from', '2024-01-01')).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^MODEL +KEY +REQUESTS +ERRORS +PROMPT +CACHED +COMPLETION +REASONING +TOTAL$/);
    expect(lines.slice(1).map((line) => line.split(/ +/).slice(0, 3))).toEqual([
      ['gpt-4o-mini', alice.id, '3'],
      ['gpt-4o-mini', bob.id, '1'],
      ['total', '4', '0'],
    ]);
    expect(await usage('--by', 'day', '--from', '2030-01-01')).toBe('no usage in this time\n');
  });

  test('--json is the object of GET /admin/usage/summary, --csv has one row for each of its rows', async () => {
    const { rows, total } = JSON.parse(await usage('--by', 'month', '--key', alice.id, '--json'));
    expect(rows).toMatchObject([
      { group: '2024-03', requests: 2, total_tokens: 60 },
      { group: '2024-02', requests: 1, total_tokens: 1_234_567 },
    ]);
    expect(total).toMatchObject({ requests: 3, errors: 0, cached_tokens: 12, total_tokens: 1_234_627 });
    const csv = parseCsv(await usage('--by', 'tag:team,day', '--from', '2024-03-01', '--csv'));
    expect(csv.map(({ cells }) => cells)).toEqual([
      [
        'tag:team',
        'day',
        'requests',
        'errors',
        'prompt_tokens',
        'cached_tokens',
        'completion_tokens',
        'reasoning_tokens',
        'total_tokens',
      ],
      ['', '2024-03-01', '3', '0', '30', '12', '60', '24', '65'],
    ]);
  });

  test('what is no group is refused, and so is --monthly with it', async () => {
    for (const flags of [
      ['--by', 'team'],
      ['--by', 'day,day'],
      ['--by', 'day,key,model'],
      ['--by', 'day', '--csv', '--monthly'],
    ]) {
      const { exitCode, stderr } = await runBve(['usage', ...flags], { DATABASE_URL: db.url });
      expect(exitCode).toBe(2);
      expect(stderr).toContain('--by');
    }
  });
});
