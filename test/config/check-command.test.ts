/** `bve check` prints what is in effect, and never a secret, neither there nor in a complaint. */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { networkInterfaces } from 'node:os';
import { OPTIONS } from '../../src/config/schema.ts';
import { runBve } from '../support/gateway.ts';
import { cleanUpFiles, REQUIRED, SECRETS, tomlFile } from './settings.ts';

setDefaultTimeout(30_000);
cleanUpFiles();

function expectNoSecret(text: string): void {
  for (const secret of Object.values(SECRETS)) expect(text).not.toContain(secret);
}

test('prints every option with its value and where it comes from, secrets as ***', async () => {
  const configFile = tomlFile('log_level = "warn"');
  const { exitCode, stdout, stderr } = await runBve(['check', '--config', configFile, '--host', '127.0.0.1'], {
    ...SECRETS,
    PORT: '8123',
  });
  expect([exitCode, stderr]).toEqual([0, '']);
  const rows = stdout.trimEnd().split('\n');
  expect(rows.map((row) => row.split(/\s+/)[0])).toEqual(Object.values(OPTIONS).map(({ env }) => env));
  const said = (name: string) => rows.find((row) => row.startsWith(`${name} `))!.replace(/\s+/g, ' ');
  expect(said('FUELIX_API_KEY')).toBe('FUELIX_API_KEY *** (environment)');
  expect(said('ADMIN_API_KEY')).toBe('ADMIN_API_KEY *** (environment)');
  expect(said('HOST')).toBe('HOST 127.0.0.1 (flag)');
  expect(said('PORT')).toBe('PORT 8123 (environment)');
  expect(said('LOG_LEVEL')).toBe('LOG_LEVEL warn (file)');
  expect(said('MAX_BODY_BYTES')).toBe('MAX_BODY_BYTES 10485760 (default)');
  expect(said('REDIS_URL')).toBe('REDIS_URL (unset) (default)');
  expectNoSecret(stdout);
});

test('--json prints the same for programs', async () => {
  const { exitCode, stdout, stderr } = await runBve(['check', '--json', '--port', '0'], SECRETS);
  expect([exitCode, stderr]).toEqual([0, '']);
  const printed = JSON.parse(stdout) as Record<string, unknown>;
  expect(Object.keys(printed)).toEqual(Object.values(OPTIONS).map(({ env }) => env.toLowerCase()));
  expect(printed).toMatchObject({
    fuelix_api_key: { value: '***', source: 'environment' },
    api_key_pepper: { value: '***', source: 'environment' },
    port: { value: 0, source: 'flag' },
    host: { value: '0.0.0.0', source: 'default' },
    redis_url: { value: null, source: 'default' },
  });
  expectNoSecret(stdout);
});

test('an unset admin key is shown as unset, not as ***', async () => {
  const { stdout } = await runBve(['check', '--json'], REQUIRED);
  expect(JSON.parse(stdout)).toMatchObject({ admin_api_key: { value: null, source: 'default' } });
});

test('what the machine cannot do is found, each named by its variable', async () => {
  const { exitCode, stdout, stderr } = await runBve(['check'], {
    ...REQUIRED,
    HOST: '192.0.2.1',
    FUELIX_CA_FILE: '/nowhere/ca.pem',
    DATABASE_URL: 'sqlite:///nowhere/bve.db',
    USAGE_SPILL_DIR: '/nowhere/spill',
  });
  expect([exitCode, stdout]).toEqual([2, '']);
  expect(stderr.trimEnd().split('\n')).toEqual([
    'bve check: HOST 192.0.2.1 is no address of this machine, or no name of one (EADDRNOTAVAIL)',
    "bve check: FUELIX_CA_FILE '/nowhere/ca.pem': there is no such file",
    "bve check: DATABASE_URL names a file in the folder '/nowhere', which does not exist",
    "bve check: USAGE_SPILL_DIR '/nowhere/spill' does not exist",
  ]);
});

test('a HOST that is a name nobody knows is found, whatever the resolver says of it', async () => {
  for (const HOST of ['nosuch.invalid', '999.1.1.1', 'a b']) {
    const { exitCode, stderr } = await runBve(['check'], { ...REQUIRED, HOST });
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(new RegExp(`^bve check: HOST ${HOST} is no address [^\\n]+\\n$`));
  }
  const hasIpv6 = Object.values(networkInterfaces()).some((of) => of?.some(({ address }) => address === '::1'));
  for (const HOST of ['127.0.0.1', 'localhost', ...(hasIpv6 ? ['::1', '[::1]', '::'] : [])]) {
    expect((await runBve(['check'], { ...REQUIRED, HOST })).stderr).toBe('');
  }
});

describe.each(['check', 'serve'])('bve %s', (command) => {
  test('refuses a bad configuration: exit code 2, one line for each problem, nothing on stdout', async () => {
    const configFile = tomlFile('colour = "red"');
    const env = { ...SECRETS, PORT: 'ninety', API_KEY_PEPPER: 'short', LOG_LEVEL: 'loud' };
    const { exitCode, stdout, stderr } = await runBve([command, '--config', configFile], env);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr.trimEnd().split('\n')).toEqual([
      `bve ${command}: configuration file '${configFile}': unknown key 'colour'`,
      `bve ${command}: PORT must be a whole number from 0 to 65535, not 'ninety'`,
      `bve ${command}: LOG_LEVEL must be one of debug, info, warn, error, silent, not 'loud'`,
      `bve ${command}: API_KEY_PEPPER must have at least 16 characters, not 5`,
    ]);
    expectNoSecret(stderr);
  });

  test('complains about a secret without printing it', async () => {
    const FUELIX_API_KEY = `${SECRETS.FUELIX_API_KEY} with a space`;
    const { exitCode, stdout, stderr } = await runBve([command], { ...SECRETS, FUELIX_API_KEY });
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toBe(`bve ${command}: FUELIX_API_KEY must be printable ASCII without spaces\n`);
  });

  test('takes no secret from a flag, and does not repeat the one it was given', async () => {
    for (const args of [['--fuelix-api-key', SECRETS.FUELIX_API_KEY], [`--api-key-pepper=${SECRETS.API_KEY_PEPPER}`]]) {
      const { exitCode, stderr } = await runBve([command, ...args], REQUIRED);
      expect(exitCode).toBe(2);
      expect(stderr).toStartWith(`bve ${command}: Unknown option '${args[0]!.split('=')[0]}'\n`);
      expectNoSecret(stderr);
    }
  });
});
