/** What a stranger sees: help for everything, and one clear line for every wrong call. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';

import { flagName, OPTIONS } from '../../src/config/schema.ts';
import { runBve } from '../support/gateway.ts';

setDefaultTimeout(30_000);

const CONFIG = Object.values(OPTIONS)
  .filter((option) => !option.secret)
  .map((option) => `--${flagName(option)}`);
const STATUS = ['--json', '--config'];

/** Commands and their flags: the contract, sections 9 and 10. */
const FLAGS: Readonly<Record<string, readonly string[]>> = {
  serve: ['--config', ...CONFIG],
  demo: ['--once'],
  'keys create': [
    '--name',
    '--rpm-limit',
    '--rpd-limit',
    '--monthly-limit',
    '--monthly-token-limit',
    '--max-concurrent',
    '--unlimited',
    '--allowed-models',
    '--expires-at',
    '--json',
    '--config',
  ],
  'keys update': ['--name', '--rpm-limit', '--unlimited', '--on-leave', '--tags', ...STATUS],
  'keys list': STATUS,
  'keys rotate': ['--grace-seconds', ...STATUS],
  'keys import': STATUS,
  'keys delete': STATUS,
  'keys revoke': STATUS,
  'keys suspend': STATUS,
  'keys activate': STATUS,
  usage: ['--key', '--from', '--to', '--csv', '--monthly', ...STATUS],
  targets: ['--url', ...STATUS],
  bench: ['--rate', '--duration', '--assert', '--record', '--json'],
  check: ['--config', '--json', '--health', ...CONFIG],
  mock: ['--port', '--host', '--replay', '--scenario', '--pace-ms', '--split', '--json-log'],
  version: ['--json'],
};
const COMMANDS = Object.keys(FLAGS);
/** A stray word is its argument. */
const TAKES_ARGUMENT = /^(bench|keys (update|rotate|import|delete|revoke|suspend|activate))$/;
const linesOf = (text: string) => text.trimEnd().split('\n');

describe('help', () => {
  test.each(COMMANDS)('bve %s --help names the command and each of its flags, and exits 0', async (command) => {
    const { exitCode, stdout, stderr } = await runBve([...command.split(' '), '--help']);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toStartWith(`bve ${command}: `);
    expect(stdout).toContain(`\nUsage: bve ${command}`);
    const listed = linesOf(stdout).flatMap((line) => /^ {2}(--[a-z0-9-]+)/.exec(line)?.[1] ?? []);
    for (const flag of [...FLAGS[command]!, '--help']) expect(listed).toContain(flag);
    for (const line of linesOf(stdout)) expect(line).toMatch(/^( {2}--[a-z0-9-]+( \S+)? {2,}\S|(?! {2}--))/);
  });

  test('--help wins over what is missing or wrong beside it, and -h is the same', async () => {
    const calls = [
      ['keys', 'revoke', '-h'],
      ['keys', 'create', '--json', '--help'],
      ['serve', '-h', '--port', 'x'],
    ];
    for (const { exitCode, stdout } of await Promise.all(calls.map((args) => runBve(args)))) {
      expect([exitCode, stdout.includes('Usage: bve ')]).toEqual([0, true]);
    }
  });

  test('secrets are explained where no flag can give them', async () => {
    const { stdout } = await runBve(['serve', '--help']);
    for (const name of ['FUELIX_API_KEY', 'ADMIN_API_KEY', 'API_KEY_PEPPER']) expect(stdout).toContain(`  ${name} `);
    expect(stdout).not.toContain('--fuelix-api-key');
  });

  test.each([['--help'], ['-h'], ['help']])('bve %s lists every command, each with one line', async (flag) => {
    const { exitCode, stdout, stderr } = await runBve([flag]);
    expect([exitCode, stderr]).toEqual([0, '']);
    const listed = linesOf(stdout).flatMap((line) => /^ {2}([a-z]+) +\S/.exec(line)?.[1] ?? []);
    for (const command of COMMANDS) expect(listed).toContain(command.split(' ')[0]!);
    for (const command of listed) expect((await runBve([command, '--help'])).exitCode).toBe(0);
  });

  test.each([[[]], [['keys']]])('bve %j without a command: the list on stderr, exit code 2', async (args) => {
    const { exitCode, stdout, stderr } = await runBve(args);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Usage: bve ');
  });
});

describe('a wrong call ends with exit code 2, one clear line, and where to read on', () => {
  test.each([
    ['bogus', "bve: unknown command 'bogus'", "Try 'bve --help'."],
    ['Serve', "bve: unknown command 'Serve'", "Try 'bve --help'."],
    ['__proto__', "bve: unknown command '__proto__'", "Try 'bve --help'."],
    ['constructor', "bve: unknown command 'constructor'", "Try 'bve --help'."],
    ['keys bogus', "bve keys: unknown command 'bogus'", "Try 'bve keys --help'."],
    ['keys --json', "bve keys: unknown command '--json'", "Try 'bve keys --help'."],
    ['keys revoke', 'bve keys revoke: ID is missing', "Try 'bve keys revoke --help'."],
    ['keys revoke a b', "bve keys revoke: unexpected argument 'b'", "Try 'bve keys revoke --help'."],
    ...COMMANDS.filter((command) => !TAKES_ARGUMENT.test(command)).flatMap((command): [string, string, string][] => [
      [`${command} --bogus`, `bve ${command}: Unknown option '--bogus'`, `Try 'bve ${command} --help'.`],
      [`${command} stray`, `bve ${command}: unexpected argument 'stray'`, `Try 'bve ${command} --help'.`],
    ]),
    ['check --port', "bve check: Option '--port <value>' argument missing", "Try 'bve check --help'."],
    ['version --json=1', "bve version: Option '--json' does not take an argument", "Try 'bve version --help'."],
  ])('bve %s', async (call, line, advice) => {
    const { exitCode, stdout, stderr } = await runBve(call.split(' '));
    expect([exitCode, stdout, linesOf(stderr)]).toEqual([2, '', [line, advice]]);
  });
});
