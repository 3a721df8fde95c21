/** Commands whose output cannot be written, and a gateway whose log nobody reads. Through a shell, as people do it. */
import { expect, test } from 'bun:test';
import { tempDatabase } from '../store/temp-database.ts';
import { BARE_ENV, BVE, PEPPER, runBve } from '../support/gateway.ts';

const COMMAND = BVE.map((part) => `'${part}'`).join(' ');

function environment() {
  const db = tempDatabase();
  const env = { ...BARE_ENV, API_KEY_PEPPER: PEPPER, DATABASE_URL: db.url };
  const shell = async (script: string) => {
    const child = Bun.spawn(['bash', '-c', script.replaceAll('bve', COMMAND)], {
      cwd: db.folder,
      env,
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { stdout, stderr, exitCode: await child.exited };
  };
  return { db, env, shell };
}

test('whoever reads only the beginning of a list makes no noise', async () => {
  const { db, env, shell } = environment();
  using _ = db;
  await runBve(['keys', 'create', '--name', 'n'], env);
  for (const command of [
    'keys list',
    'keys list --json',
    'usage --csv',
    '--help',
    'keys --help',
    'keys create --help',
  ]) {
    const script = `bve ${command} | true; echo "\${PIPESTATUS[0]}"`;
    expect({ command, ...(await shell(script)) }).toEqual({ command, stdout: '0\n', stderr: '', exitCode: 0 });
  }
});

test('a full disk is one line and exit code 1', async () => {
  const { db, env, shell } = environment();
  using _ = db;
  await runBve(['keys', 'create', '--name', 'n'], env);
  for (const [command, name] of [
    ['keys list', 'bve keys list'],
    ['keys list --json', 'bve keys list'],
    ['usage', 'bve usage'],
    ['version', 'bve version'],
    ['--help', 'bve'],
    ['keys --help', 'bve'],
    ['mock --help', 'bve mock'],
  ]) {
    const answer = await shell(`bve ${command} > /dev/full`);
    const stderr = `${name}: cannot write the output: no space left on the device\n`;
    expect({ command, ...answer }).toEqual({ command, stdout: '', stderr, exitCode: 1 });
  }
});

test('a secret that was not shown is told of by the id of its key, whatever kept it from being shown', async () => {
  const { db, env, shell } = environment();
  using _ = db;
  for (const [script, reason] of [
    ['keys create --name lost --json > /dev/full', 'no space left on the device'],
    ['keys create --name lost > /dev/full', 'no space left on the device'],
    ['keys create --name lost | true; exit $PIPESTATUS', 'the pipe is closed'],
  ] as const) {
    const { stderr, exitCode } = await shell(`bve ${script}`);
    expect(exitCode).toBe(1);
    const [newest] = JSON.parse((await runBve(['keys', 'list', '--json'], env)).stdout) as { id: string }[];
    expect(stderr).toBe(
      `bve keys create: cannot write the output: ${reason}\n` +
        `The secret of key ${newest!.id} ("lost") is in effect but was not shown: ` +
        `create another with 'bve keys rotate ${newest!.id}', or end the key with 'bve keys revoke ${newest!.id}'.\n`,
    );
    const rotated = await shell(`bve keys rotate ${newest!.id} > /dev/full`);
    expect(rotated.exitCode).toBe(1);
    expect(rotated.stderr).toContain(newest!.id);
  }
});

test('a secret that went to /dev/null, or to a stdout that is closed, is told of too', async () => {
  const { db, shell } = environment();
  using _ = db;
  for (const target of ['> /dev/null', '>&-']) {
    const { stdout, stderr, exitCode } = await shell(`bve keys create --name lost ${target}`);
    expect([stdout, exitCode]).toEqual(['', 0]);
    expect(stderr).toMatch(/^bve: stdout is \/dev\/null\nThe secret of key [0-9a-f-]{36} \("lost"\) is in effect but/);
  }
});

test('keys are imported from a pipe too, and a file without an end is refused', async () => {
  const { db, shell } = environment();
  using _ = db;
  const line = JSON.stringify({ name: 'piped', key_hash: '0'.repeat(64) });
  expect((await shell(`bve keys import <(echo '${line}')`)).stdout).toBe('1 key imported\n');
  const endless = await shell('bve keys import /dev/zero');
  expect(endless).toEqual({
    stdout: '',
    stderr: "bve keys import: '/dev/zero': is larger than 134217728 bytes\n",
    exitCode: 1,
  });
  expect((await shell('bve keys import .')).stderr).toBe("bve keys import: '.': is a folder\n");
});

test('a slow reader gets all of a long list', async () => {
  const { db, env, shell } = environment();
  using _ = db;
  const file = Array.from({ length: 3_000 }, (_, i) =>
    JSON.stringify({ name: `key ${i}`, key_hash: i.toString(16).padStart(64, '0') }),
  ).join('\n');
  await Bun.write(`${db.folder}/keys.jsonl`, file);
  expect((await runBve(['keys', 'import', `${db.folder}/keys.jsonl`], env)).stdout).toBe('3000 keys imported\n');
  const { stdout, stderr } = await shell('bve keys list --json | (sleep 0.3; cat)');
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toHaveLength(3_000);
});
