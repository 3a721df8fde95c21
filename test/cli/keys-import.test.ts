/** `bve keys import`: hashed keys of another deployment work here, all of a file or none of it. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readImportFile } from '../../src/cli/keys-import-file.ts';
import { hashKey, newSecret } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type TempDatabase, tempDatabase } from '../store/temp-database.ts';
import { type Ran, runBve } from '../support/gateway.ts';

const PEPPER = 'a-pepper-of-some-length';
const HASH = 'ab'.repeat(32);

let db: TempDatabase;

beforeEach(() => {
  db = tempDatabase();
});

afterEach(() => db[Symbol.dispose]());

async function importFile(text: string | Uint8Array, ...flags: string[]): Promise<Ran> {
  const path = join(db.folder, 'keys.txt');
  writeFileSync(path, text);
  return runBve(['keys', 'import', path, ...flags], { DATABASE_URL: db.url }, db.folder);
}

async function listed() {
  return JSON.parse((await runBve(['keys', 'list', '--json'], { DATABASE_URL: db.url })).stdout);
}

test('CSV: every field arrives, absent ones have their defaults, and the key is found by its secret', async () => {
  const secret = newSecret();
  const id = crypto.randomUUID();
  const csv = [
    'key_hash,name,id,prefix,status,rpm_limit,rpd_limit,monthly_limit,monthly_token_limit,max_concurrent,allowed_models,allowed_endpoints,inject_stream_usage,on_leave,tags,expires_at,created_at,last_used_at',
    `${hashKey(secret, PEPPER)},"Zoë, ""the first""",${id},${secret.slice(0, 12)},suspended,none,7,8,999999999999999,2,"gpt-4o, claude","chat,models",true,drain,"team=a,cost=€ 5=6",2099-01-31T12:00:00+01:00,2024-01-02T03:04:05Z,2024-02-03T04:05:06.789Z`,
    `${HASH.toUpperCase()},plain,,,,,,,,,,,,,,,,`,
  ].join('\r\n');
  const { exitCode, stdout, stderr } = await importFile(csv);
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '2 keys imported\n', stderr: '' });
  const keys = await listed();
  expect(keys[1]).toEqual({
    id,
    name: 'Zoë, "the first"',
    prefix: secret.slice(0, 12),
    status: 'suspended',
    rpm_limit: null,
    rpd_limit: 7,
    monthly_limit: 8,
    monthly_token_limit: 999_999_999_999_999,
    max_concurrent: 2,
    allowed_models: ['gpt-4o', 'claude'],
    allowed_endpoints: ['chat', 'models'],
    inject_stream_usage: true,
    on_leave: 'drain',
    tags: { team: 'a', cost: '€ 5=6' },
    expires_at: '2099-01-31T11:00:00.000Z',
    created_at: '2024-01-02T03:04:05.000Z',
    last_used_at: '2024-02-03T04:05:06.789Z',
  });
  expect(keys[0]).toMatchObject({
    name: 'plain',
    prefix: 'sk-bve-',
    status: 'active',
    rpm_limit: 60,
    rpd_limit: 10_000,
    monthly_limit: null,
    allowed_models: null,
    expires_at: null,
    last_used_at: null,
  });
  const store = await openStore(db.url);
  expect((await store.findByHash(hashKey(secret, PEPPER)))?.key.id).toBe(id);
  expect((await store.findByHash(HASH))?.key.name).toBe('plain');
  await store.close();
});

test('JSON lines: what list --json prints, with a hash, goes in as it is', async () => {
  const rows = [
    {
      name: 'a',
      key_hash: HASH,
      rpm_limit: null,
      allowed_models: ['x,y'],
      expires_at: null,
      inject_stream_usage: null,
    },
    { name: 'b', key_hash: 'cd'.repeat(32) },
  ];
  const { exitCode, stdout } = await importFile(`${rows.map((row) => JSON.stringify(row)).join('\n')}\n\n`, '--json');
  expect(exitCode).toBe(0);
  const imported = JSON.parse(stdout);
  expect(imported).toHaveLength(2);
  expect(stdout).not.toContain(HASH);
  expect((await listed()).toSorted((x: { name: string }, y: { name: string }) => (x.name < y.name ? -1 : 1))).toEqual(
    imported,
  );
  // Into another database: the same keys, the same ids.
  using other = tempDatabase();
  const path = join(other.folder, 'keys.jsonl');
  const again = imported.map((key: object, i: number) => JSON.stringify({ ...key, key_hash: rows[i]!.key_hash }));
  writeFileSync(path, again.join('\n'));
  const second = await runBve(['keys', 'import', path, '--json'], { DATABASE_URL: other.url });
  expect(JSON.parse(second.stdout)).toEqual(imported);
});

test('one wrong line and nothing is imported; each is named, and no value is shown', async () => {
  const csv = ['name,key_hash', `a,${HASH}`, `b,sk-bve-secret`, `c,${HASH}`, 'd'].join('\n');
  const { exitCode, stderr } = await importFile(csv);
  expect(exitCode).toBe(1);
  expect(stderr).toBe(
    'bve keys import: nothing was imported:\n' +
      '  line 3: key_hash takes 64 hex digits\n' +
      '  line 4: key_hash is the same as in line 2\n' +
      '  line 5: 1 cells, but the header has 2\n',
  );
  expect(existsSync(db.path)).toBe(false);
});

test('a key that is there already keeps the others out, too', async () => {
  expect((await importFile(`name,key_hash\na,${HASH}\n`)).exitCode).toBe(0);
  const [{ id }] = await listed();
  const fresh = 'ef'.repeat(32);
  const { exitCode, stderr } = await importFile(
    `id,name,key_hash\n,b,${fresh}\n,c,${HASH}\n${id},d,${'01'.repeat(32)}\n`,
  );
  expect(exitCode).toBe(1);
  expect(stderr).toContain('line 3: a key with this key_hash is there already');
  expect(stderr).toContain('line 4: a key with this id is there already');
  expect(await listed()).toHaveLength(1);
});

test('a file that cannot be read, is empty or is no text fails with a word about it', async () => {
  const missing = await runBve(['keys', 'import', join(db.folder, 'nowhere')], { DATABASE_URL: db.url });
  expect([missing.exitCode, missing.stderr.includes('nowhere')]).toEqual([1, true]);
  for (const text of ['', 'name,key_hash\n', new Uint8Array([0xff, 0xfe, 0x00])]) {
    const { exitCode, stderr } = await importFile(text);
    expect(exitCode).toBe(1);
    expect(stderr).not.toContain('    at ');
  }
  expect((await runBve(['keys', 'import'], { DATABASE_URL: db.url })).exitCode).toBe(2);
});

describe('what a line may hold', () => {
  const problemsOf = (text: string, format: 'csv' | 'jsonl') =>
    readImportFile(text, format, 0).problems.map(({ line, text: problem }) => `${line}: ${problem}`);
  const csvProblem = (field: string, cell: string) => problemsOf(`name,key_hash,${field}\nn,${HASH},"${cell}"`, 'csv');
  const jsonProblem = (field: string, value: unknown) =>
    problemsOf(JSON.stringify({ name: 'n', key_hash: HASH, [field]: value }), 'jsonl');

  test('in CSV', () => {
    for (const [field, cell] of [
      ['rpm_limit', '0'],
      ['rpm_limit', '-1'],
      ['rpm_limit', '1e3'],
      ['max_concurrent', '1234567890123456'],
      ['allowed_models', 'a,,b'],
      ['allowed_models', '{a,b}'],
      ['allowed_models', '[1]'],
      ['allowed_endpoints', 'chat,chats'],
      ['inject_stream_usage', 'yes'],
      ['on_leave', 'wait'],
      ['tags', 'team'],
      ['tags', '{team=a}'],
      ['tags', 'Team=a'],
      ['expires_at', '2030-02-30'],
      ['expires_at', '2030-01-01 00:00:00'],
      ['status', 'expired'],
      ['id', '1'],
      ['prefix', 'sk-bve-1'],
    ] as const) {
      expect(csvProblem(field, cell)).toEqual([expect.stringMatching(new RegExp(`^2: ${field} takes `))]);
    }
    for (const [field, cell] of [
      ['rpm_limit', 'none'],
      ['allowed_models', '[""a,b""]'],
      ['allowed_models', 'null'],
      ['inject_stream_usage', 't'],
      ['inject_stream_usage', '0'],
      ['inject_stream_usage', 'none'],
      ['on_leave', 'none'],
      ['tags', '{""team"":""a,b""}'],
      ['tags', 'none'],
      ['expires_at', 'none'],
    ] as const) {
      expect(csvProblem(field, cell)).toEqual([]);
    }
    expect(csvProblem('key', 'sk-bve-1')).toEqual(["2: unknown field 'key'"]);
    expect(problemsOf('name\nn', 'csv')).toEqual(['2: key_hash is missing']);
    expect(problemsOf(`name,name,key_hash\nn,n,${HASH}`, 'csv')).toEqual(["1: the header has 'name' twice"]);
    expect(problemsOf(`name,key_hash\n"n,${HASH}`, 'csv')).toEqual(['2: a quote is opened and never closed']);
  });

  test('in JSON lines', () => {
    for (const [field, value] of [
      ['rpm_limit', '5'],
      ['rpm_limit', 1.5],
      ['allowed_models', 'a'],
      ['allowed_models', []],
      ['inject_stream_usage', 1],
      ['expires_at', 5],
      ['tags', null],
      ['status', null],
    ] as const) {
      expect(jsonProblem(field, value)).toEqual([expect.stringMatching(new RegExp(`^1: ${field} takes `))]);
    }
    for (const [field, value] of [
      ['rpm_limit', null],
      ['allowed_models', ['a']],
      ['inject_stream_usage', null],
      ['last_used_at', null],
    ] as const) {
      expect(jsonProblem(field, value)).toEqual([]);
    }
    expect(problemsOf('{"name":"n"}\n\n[]\n{', 'jsonl')).toEqual([
      '3: not a JSON object',
      '4: not a JSON object',
      '1: key_hash is missing',
    ]);
    const polluting = `{"name":"n","key_hash":"${HASH}","__proto__":{}}`;
    expect(problemsOf(polluting, 'jsonl')).toEqual(["1: unknown field '__proto__'"]);
  });
});
