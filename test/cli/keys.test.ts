import { afterEach, beforeEach, expect, test } from 'bun:test';
import { existsSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SQL } from 'bun';
import { createKey, hashKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type TempDatabase, tempDatabase } from '../store/temp-database.ts';
import { eventually } from '../support/eventually.ts';
import { BVE } from '../support/gateway.ts';

const PEPPER = 'a-pepper-of-some-length';

let db: TempDatabase;

beforeEach(() => {
  db = tempDatabase();
});

afterEach(() => db[Symbol.dispose]());

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function keys(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  return start(args, env).outcome;
}

function start(args: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([...BVE, 'keys', ...args], {
    cwd: db.folder,
    env: { PATH: process.env.PATH ?? '', DATABASE_URL: db.url, API_KEY_PEPPER: PEPPER, ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const outcome: Promise<Outcome> = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]).then(
    ([out, err, code]) => ({ code, out, err }),
  );
  return { child, outcome };
}

/** Whether a process has a file open, or has ended. */
function hasOpen(pid: number, path: string): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((fd) => readlinkSync(join(folder, fd)) === path);
  } catch {
    // A descriptor that was closed while we looked, or the whole process.
    return !existsSync(`/proc/${pid}`);
  }
}

interface CreatedKey {
  readonly id: string;
  readonly prefix: string;
  readonly status: string;
  readonly key: string;
}

async function create(...args: string[]): Promise<CreatedKey> {
  const { code, out, err } = await keys(['create', '--json', ...args]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as CreatedKey;
}

test('create --json prints the key object and, this once, the key, which then works', async () => {
  const created = await create('--name', 'first');
  expect(Object.keys(created).join(' ')).toBe(
    'id name prefix status rpm_limit rpd_limit monthly_limit monthly_token_limit max_concurrent allowed_models ' +
      'allowed_endpoints inject_stream_usage on_leave tags expires_at created_at last_used_at key',
  );
  expect(created).toMatchObject({
    name: 'first',
    status: 'active',
    rpm_limit: 60,
    rpd_limit: 10_000,
    allowed_models: null,
  });
  expect(created.key).toMatch(/^sk-bve-[0-9a-f]{64}$/);
  const store = await openStore(db.url);
  expect((await store.findByHash(hashKey(created.key, PEPPER)))?.key.id).toBe(created.id);
  await store.close();
  const { out } = await keys(['list', '--json']);
  const { key, ...withoutSecret } = created;
  expect(JSON.parse(out)).toEqual([withoutSecret]);
  expect(out).not.toContain(key.slice(12));
});

test('every limit and choice of create arrives', async () => {
  const flags =
    '--rpm-limit none --rpd-limit 7 --monthly-limit 8 --monthly-token-limit 999999999999999 --max-concurrent 2 ' +
    '--allowed-models gpt-4o,claude --allowed-models claude,m --allowed-endpoints chat,models --on-leave drain ' +
    '--inject-stream-usage --tags team=a --tags {"cost":"5,6"} --expires-at 2099-01-31T12:00:00+01:00';
  expect(await create('--name', 'n', ...flags.split(' '))).toMatchObject({
    rpm_limit: null,
    rpd_limit: 7,
    monthly_limit: 8,
    monthly_token_limit: 999_999_999_999_999,
    max_concurrent: 2,
    allowed_models: ['gpt-4o', 'claude', 'm'],
    allowed_endpoints: ['chat', 'models'],
    inject_stream_usage: true,
    on_leave: 'drain',
    tags: { team: 'a', cost: '5,6' },
    expires_at: '2099-01-31T11:00:00.000Z',
  });
});

test('--unlimited sets every limit to null', async () => {
  expect(await create('--name', 'u', '--unlimited')).toMatchObject({
    rpm_limit: null,
    rpd_limit: null,
    monthly_limit: null,
    monthly_token_limit: null,
    max_concurrent: null,
  });
  expect(await create('--name', 'u', '--unlimited', '--rpd-limit', '5')).toMatchObject({
    rpm_limit: null,
    rpd_limit: 5,
  });
  const automatic = '--allowed-models all --inject-stream-usage none --on-leave none --tags none --expires-at none';
  expect(await create('--name', 'u', ...automatic.split(' '))).toMatchObject({
    allowed_models: null,
    inject_stream_usage: null,
    on_leave: null,
    tags: {},
    expires_at: null,
  });
});

test('without --json create shows the key once and says so', async () => {
  const { code, out } = await keys(['create', '--name', 'for people']);
  expect(code).toBe(0);
  expect(out).toMatch(/^sk-bve-[0-9a-f]{64}\n/);
  expect(out).toContain('shown this once');
  expect(out).toContain('60/min 10000/day');
  const secret = out.slice(0, 71);
  for (const line of [
    `export OPENAI_BASE_URL=http://127.0.0.1:8080/v1 OPENAI_API_KEY=${secret}\n`,
    `export ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_AUTH_TOKEN=${secret} `,
    `curl http://127.0.0.1:8080/v1/models -H 'Authorization: Bearer ${secret}'\n`,
  ]) {
    expect(out).toContain(line);
  }
  expect((await keys(['list'])).out).not.toContain(out.slice(12, 71));
});

test('update changes what its flags name and nothing else', async () => {
  const { key, ...created } = await create(
    '--name',
    'n',
    '--monthly-limit',
    '5',
    '--allowed-models',
    'a',
    '--tags',
    'a=1',
  );
  const updated = async (...args: string[]) => {
    const { code, out, err } = await keys(['update', created.id, '--json', ...args]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return JSON.parse(out) as unknown;
  };
  const renamed = { ...created, name: 'renamed', rpm_limit: 7, allowed_models: ['b', 'c'], tags: { team: 'x' } };
  expect(await updated('--name', 'renamed', '--rpm-limit', '7', '--allowed-models', 'b,c', '--tags', 'team=x')).toEqual(
    renamed,
  );
  expect(await updated('--inject-stream-usage', '--on-leave', 'cancel')).toEqual({
    ...renamed,
    inject_stream_usage: true,
    on_leave: 'cancel',
  });
  const none = '--monthly-limit none --allowed-models all --inject-stream-usage none --on-leave none --tags none';
  expect(await updated(...none.split(' '))).toEqual({
    ...renamed,
    monthly_limit: null,
    allowed_models: null,
    tags: {},
  });
  expect(await updated('--inject-stream-usage', 'false', '--unlimited', '--rpd-limit', '3')).toMatchObject({
    inject_stream_usage: false,
    rpm_limit: null,
    rpd_limit: 3,
  });
  // A key may be made to expire now.
  expect((await keys(['update', created.id, '--expires-at', '2020-01-01'])).out).toContain('2020-01-01');
  expect((await keys(['update', created.id])).code).toBe(2);
  expect((await keys(['update', 'ffffffff', '--name', 'x'])).code).toBe(1);
  await keys(['revoke', created.id]);
  expect((await keys(['update', created.id, '--name', 'x'])).err).toContain('revoked');
});

test('a wrong value is refused with exit code 2 and the name of its flag, and creates nothing', async () => {
  const wrong: [string, string[]][] = [
    ['--name', []],
    ['--name', ['--name', '']],
    ['--name', ['--name', 'x'.repeat(256)]],
    ['--rpm-limit', ['--name', 'n', '--rpm-limit', '0']],
    ['--rpm-limit', ['--name', 'n', '--rpm-limit', '1.5']],
    ['--max-concurrent', ['--name', 'n', '--max-concurrent', 'many']],
    ['--allowed-models', ['--name', 'n', '--allowed-models', 'none']],
    ['--allowed-endpoints', ['--name', 'n', '--allowed-endpoints', 'chat,nonsense']],
    ['--inject-stream-usage', ['--name', 'n', '--inject-stream-usage=maybe']],
    ['--on-leave', ['--name', 'n', '--on-leave', 'stay']],
    ['--tags', ['--name', 'n', '--tags', 'team']],
    ['--tags', ['--name', 'n', '--tags', 'Team=a']],
    ['--allowed-models', ['--name', 'n', '--allowed-models', 'a,,b']],
    ['--expires-at', ['--name', 'n', '--expires-at', 'tomorrow']],
    ['--expires-at', ['--name', 'n', '--expires-at', '2099-02-30']],
    ['--expires-at', ['--name', 'n', '--expires-at', '2099-01-01T00:00']],
    ['--expires-at', ['--name', 'n', '--expires-at', '2001-01-01']],
    ['--colour', ['--name', 'n', '--colour', 'red']],
  ];
  const outcomes = await Promise.all(wrong.map(([, args]) => keys(['create', ...args])));
  for (const [i, { code, out, err }] of outcomes.entries()) {
    expect({ args: wrong[i]![1], code, out }).toEqual({ args: wrong[i]![1], code: 2, out: '' });
    expect(err).toContain(wrong[i]![0]);
    expect(err).toContain("Try 'bve keys create --help'");
  }
  expect(existsSync(db.path)).toBe(false);
});

test('a name may have 255 characters of any kind, and is shown without steering the terminal', async () => {
  await create('--name', '\u{1F511}'.repeat(255));
  await create('--name', 'red \u001b[31m, reversed \u202e, second\nline');
  const { out } = await keys(['list']);
  expect(out.trimEnd().split('\n')).toHaveLength(3);
  expect(out).not.toContain('\u001b');
  expect(out).not.toContain('\u202e');
});

test('create needs the pepper, the other commands do not', async () => {
  const { code, err } = await keys(['create', '--name', 'n'], { API_KEY_PEPPER: '' });
  expect(code).toBe(2);
  expect(err).toContain('API_KEY_PEPPER');
  expect(await keys(['list', '--json'], { API_KEY_PEPPER: '' })).toEqual({ code: 0, out: '[]\n', err: '' });
});

test('list is a table with aligned columns, newest first, and says when there is nothing', async () => {
  expect((await keys(['list'])).out).toContain('no keys yet');
  await create('--name', 'older');
  await create('--name', 'newer', '--unlimited');
  const [heading, first, second] = (await keys(['list'])).out.split('\n');
  expect(first).toContain('newer');
  expect(second).toContain('older');
  for (const [column, value] of [
    ['STATUS', 'active'],
    ['NAME', 'older'],
    ['LIMITS', '60/min'],
  ] as const) {
    expect(second!.indexOf(value)).toBe(heading!.indexOf(column));
  }
});

test('a key can be suspended, activated and revoked, and a revoked key cannot be activated', async () => {
  const { id, prefix } = await create('--name', 'n');
  const steps: [string, string, string][] = [
    ['suspend', id, 'suspended'],
    ['activate', prefix, 'active'],
    ['revoke', id.slice(0, 8), 'revoked'],
    ['revoke', id, 'revoked'],
  ];
  for (const [command, text, status] of steps) {
    const { code, out } = await keys([command, text, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ id, status });
  }
  const { code, err } = await keys(['activate', id]);
  expect(code).toBe(1);
  expect(err).toContain('final');
  expect((await keys(['revoke', id])).out).toContain("'n' is revoked");
});

test('only a revoked key can be deleted', async () => {
  const { key: _, ...created } = await create('--name', 'n');
  const early = await keys(['delete', created.id]);
  expect([early.code, early.err]).toEqual([1, `bve keys delete: key ${created.id} is active: revoke it first\n`]);
  await keys(['revoke', created.id]);
  const { code, out } = await keys(['delete', created.id.slice(0, 8), '--json']);
  expect([code, JSON.parse(out)]).toEqual([0, { ...created, status: 'revoked' }]);
  expect((await keys(['list', '--json'])).out).toBe('[]\n');
  expect((await keys(['delete', created.id])).code).toBe(1);
});

test('a text that names no key or several changes nothing', async () => {
  const store = await openStore(db.url);
  const { key } = createKey({ name: 'twin' }, 0);
  for (const last of ['1', '2']) {
    const id = `00000000-0000-4000-8000-00000000000${last}`;
    await store.insertKey({ ...key, id, prefix: `sk-bve-aaaa${last}` }, last);
  }
  for (const text of ['sk-bve-aaaa', '00000000']) {
    const { code, err } = await keys(['revoke', text]);
    expect(code).toBe(1);
    expect(err).toContain('names 2 keys');
    expect(err).toContain('00000000-0000-4000-8000-000000000002');
  }
  for (const text of ['sk-bve-', 'a', 'sk-bve-bbbbb', '%', 'ffffffff-0000-4000-8000-000000000001']) {
    expect((await keys(['revoke', text])).code).toBe(1);
  }
  expect((await keys(['revoke', ''])).code).not.toBe(0);
  expect((await store.listKeys()).map((key) => key.status)).toEqual(['active', 'active']);
  await store.close();
});

test('a whole key given by mistake is not printed', async () => {
  const created = await create('--name', 'n');
  const { code, out, err } = await keys(['revoke', created.key]);
  expect(code).toBe(1);
  expect(out + err).not.toContain(created.key.slice(12));
});

test('the commands work while a gateway has the database open, and wait for its write to end', async () => {
  const gateway = await openStore(db.url);
  const { id } = await create('--name', 'beside');
  const lock = new SQL({ adapter: 'sqlite', filename: db.path });
  await lock.unsafe('BEGIN IMMEDIATE');
  // The list needs no lock. Before the revocation, which waits for five seconds: a process may take longer than that to start.
  expect((await keys(['list'])).out).toContain('active');
  const { child, outcome: revoking } = start(['revoke', id]);
  await eventually(() => hasOpen(child.pid, db.path));
  await lock.unsafe('COMMIT');
  expect((await revoking).code).toBe(0);
  expect((await gateway.getKey(id))?.status).toBe('revoked');
  await lock.close();
  await gateway.close();
});

test('a database that cannot be used is exit code 1 and names the path', async () => {
  const missing = await keys(['list'], { DATABASE_URL: `sqlite://${db.folder}/nowhere/bve.db` });
  expect(missing.code).toBe(1);
  expect(missing.err).toContain(`${db.folder}/nowhere/bve.db`);
  writeFileSync(db.path, 'not a database');
  const { code, err } = await keys(['list']);
  expect(code).toBe(1);
  expect(err).toContain(db.path);
  expect(err).not.toContain('    at ');
});

test('a database that is neither SQLite nor Postgres is refused as configuration', async () => {
  const { code, err } = await keys(['list'], { DATABASE_URL: 'mysql://localhost/bve' });
  expect(code).toBe(2);
  expect(err).toContain('DATABASE_URL');
});

test('--config names a TOML file', async () => {
  writeFileSync(join(db.folder, 'bve.toml'), `database_url = "${db.url}"\napi_key_pepper = "${PEPPER}"\n`);
  const { code, err } = await keys(['create', '--name', 'n', '--config', 'bve.toml'], {
    DATABASE_URL: '',
    API_KEY_PEPPER: '',
  });
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse((await keys(['list', '--json'])).out)).toHaveLength(1);
});

test('bve keys explains itself, and so does each of its commands', async () => {
  const alone = await keys([]);
  expect([alone.code, alone.out]).toEqual([2, '']);
  const help = await keys(['--help']);
  expect([help.code, help.err]).toEqual([0, '']);
  expect(help.out).toBe(alone.err);
  for (const command of ['create', 'list', 'update', 'rotate', 'import', 'revoke', 'suspend', 'activate', 'delete']) {
    expect(help.out).toContain(`  ${command}`);
    const { code, out } = await keys([command, '--help']);
    expect(code).toBe(0);
    expect(out).toContain(`Usage: bve keys ${command}`);
    expect(out).toContain('--json');
  }
  const unknown = await keys(['destroy']);
  expect(unknown.code).toBe(2);
  expect(unknown.err).toContain("unknown command 'destroy'");
  for (const args of [['revoke'], ['revoke', 'a', 'b'], ['list', 'x']]) expect((await keys(args)).code).toBe(2);
});
