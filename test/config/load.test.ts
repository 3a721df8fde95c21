import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, loadKeysConfig, networkEnvironment } from '../../src/config/load.ts';
import { OPTIONS, type OptionName } from '../../src/config/schema.ts';
import { cleanUpFiles, problemsOf, REQUIRED, SECRETS, tomlFile } from './settings.ts';

cleanUpFiles();

const PEPPER_OF = (characters: number) => 'p'.repeat(characters);

describe('precedence', () => {
  const configFile = () => tomlFile('port = 1003\nhost = "10.0.0.3"\nlog_level = "warn"\n');

  test('a flag wins over the environment, the environment over the file, the file over the default', () => {
    const { config, sources } = loadConfig({
      configFile: configFile(),
      env: { ...REQUIRED, PORT: '1002', HOST: '10.0.0.2' },
      flags: { port: '1001' },
    });
    expect([config.port, config.host, config.logLevel, config.drainTimeoutMs]).toEqual([
      1001,
      '10.0.0.2',
      'warn',
      25_000,
    ]);
    expect([sources.port, sources.host, sources.logLevel, sources.drainTimeoutMs]).toEqual([
      'flag',
      'environment',
      'file',
      'default',
    ]);
  });

  test('an empty variable counts as not set; an empty flag does not', () => {
    expect(loadConfig({ configFile: configFile(), env: { ...REQUIRED, PORT: '' } }).config.port).toBe(1003);
    expect(problemsOf({ env: REQUIRED, flags: { port: '' } })).toEqual([expect.stringMatching(/^PORT must be/)]);
    expect(problemsOf({ env: { ...REQUIRED, FUELIX_API_KEY: '' } })).toEqual(['FUELIX_API_KEY is required']);
  });

  test('what wins is checked, what it hides is not', () => {
    const file = tomlFile('port = "nonsense"');
    expect(problemsOf({ configFile: file, env: REQUIRED, flags: { port: '1' } })).toEqual([]);
  });

  test('a secret is never taken from a flag', () => {
    const flags = { 'fuelix-api-key': 'x', 'api-key-pepper': 'x', 'admin-api-key': 'x' };
    const { config, sources } = loadConfig({ env: REQUIRED, flags });
    expect([config.fuelixApiKey, config.adminApiKey, sources.fuelixApiKey]).toEqual([
      REQUIRED.FUELIX_API_KEY,
      undefined,
      'environment',
    ]);
  });

  test('without anything but the required, every option has its default', () => {
    const { config, sources } = loadConfig({ env: REQUIRED });
    for (const name of Object.keys(OPTIONS) as OptionName[]) {
      const { defaultText, parse, required } = OPTIONS[name];
      expect([name, config[name]]).toEqual([
        name,
        required ? (config[name] as never) : defaultText === undefined ? undefined : (parse(defaultText) as never),
      ]);
      expect(sources[name]).toBe(required ? 'environment' : 'default');
    }
  });
});

describe('problems', () => {
  test('all are named at once, each by its variable', () => {
    const problems = problemsOf({
      configFile: tomlFile('prot = 1\nlog_level = "loud"\n'),
      env: { PORT: '70000', DATABASE_URL: 'mysql://x' },
      flags: { 'drain-timeout-ms': 'soon' },
    });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'configuration',
      'FUELIX_API_KEY',
      'API_KEY_PEPPER',
      'PORT',
      'DATABASE_URL',
      'LOG_LEVEL',
      'DRAIN_TIMEOUT_MS',
    ]);
    expect(problems[0]).toContain("unknown key 'prot'");
  });

  test.each([
    ['an unknown key', 'fuelix_key = "x"', "unknown key 'fuelix_key'"],
    ['a key in upper case', 'PORT = 1', "unknown key 'PORT'"],
    ['a table', '[server]\nport = 1', "unknown key 'server'"],
    ['an option that is a table', '[host]\nname = "x"', 'host must be a text, a number or true/false'],
    ['an array', 'port = [1, 2]', 'port must be a text, a number or true/false'],
    ['a date', 'log_level = 2020-01-01', 'log_level must be a text, a number or true/false'],
    ['a dotted key', 'host.name = "x"', 'host must be a text, a number or true/false'],
  ])('%s in the file is refused by name', (_, toml, complaint) => {
    const path = tomlFile(toml);
    expect(problemsOf({ configFile: path, env: REQUIRED })).toEqual([`configuration file '${path}': ${complaint}`]);
  });

  test.each([
    ['true', "PORT must be a whole number from 0 to 65535, not 'true'"],
    ['80.5', "PORT must be a whole number from 0 to 65535, not '80.5'"],
    ['-1', "PORT must be a whole number from 0 to 65535, not '-1'"],
  ])('a port of %s in the file is refused', (value, problem) => {
    expect(problemsOf({ configFile: tomlFile(`port = ${value}`), env: REQUIRED })).toEqual([problem]);
  });

  test('a file that is not there, or a folder, is named', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bve-config-'));
    const missing = join(folder, 'missing.toml');
    expect(problemsOf({ configFile: missing, env: REQUIRED })).toEqual([
      `configuration file '${missing}': ENOENT: no such file or directory`,
    ]);
    expect(problemsOf({ configFile: folder, env: REQUIRED })).toEqual([
      `configuration file '${folder}': EISDIR: illegal operation on a directory`,
    ]);
    rmSync(folder, { recursive: true });
  });

  test('a file of more than a megabyte is not read', () => {
    const path = tomlFile(`# ${'x'.repeat(1024 * 1024)}\nport = 1\n`);
    expect(problemsOf({ configFile: path, env: REQUIRED })).toEqual([
      `configuration file '${path}': is too large for a configuration file`,
    ]);
  });

  test('an empty file, and one of comments, is a configuration', () => {
    for (const toml of ['', '\n\n', '# nothing\n'])
      expect(problemsOf({ configFile: tomlFile(toml), env: REQUIRED })).toEqual([]);
  });

  test.each([
    [1, 'port = '],
    [1, 'port 8080'],
    [2, 'port = 1\nport = 2\n'],
    [3, '# a comment\nhost = "x"\nlog_level = "info\n'],
    [4, 'host = """\nx\n"""\nport == 1\nlog_level = "info"\n'],
  ])('a mistake in TOML is said with its line: line %d of %j', (line, toml) => {
    const path = tomlFile(toml);
    const problems = problemsOf({ configFile: path, env: REQUIRED });
    expect(problems).toEqual([expect.stringMatching(/./)]);
    expect(problems[0]).toStartWith(`configuration file '${path}', line ${line}: `);
  });
});

describe('secrets', () => {
  test.each([
    ['without its quotes', `fuelix_api_key = ${SECRETS.FUELIX_API_KEY}`],
    ['with a quote missing at its end', `fuelix_api_key = "${SECRETS.FUELIX_API_KEY}`],
    ['with a quote missing at its start', `fuelix_api_key = ${SECRETS.FUELIX_API_KEY}"`],
    ['with a quote in it', `fuelix_api_key = "fx"${SECRETS.FUELIX_API_KEY}"`],
    ['with a space in it', `fuelix_api_key = "fx ${SECRETS.FUELIX_API_KEY}"`],
    ['with a word behind it', `fuelix_api_key = "x" ${SECRETS.FUELIX_API_KEY}`],
    ['as an array', `fuelix_api_key = ["${SECRETS.FUELIX_API_KEY}"]`],
    ['with a bad escape', `fuelix_api_key = "\\${SECRETS.FUELIX_API_KEY}"`],
  ])('one written %s is complained about and not repeated', (_, toml) => {
    const problems = problemsOf({ configFile: tomlFile(toml), env: { API_KEY_PEPPER: SECRETS.API_KEY_PEPPER } });
    expect(problems.length).toBeGreaterThan(0);
    for (const part of SECRETS.FUELIX_API_KEY.split('-')) {
      if (part.length > 3) expect(problems.join('\n').replaceAll('fuelix_api_key', '')).not.toContain(part);
    }
  });
});

describe('API_KEY_PEPPER', () => {
  const withPepper = (characters: number, HOST?: string) =>
    problemsOf({ env: { ...REQUIRED, API_KEY_PEPPER: PEPPER_OF(characters), HOST } });

  test.each([undefined, '0.0.0.0', '::', '10.0.0.1', 'example.org', '128.0.0.1', 'localhost.example.org'])(
    'on host %s it has at least 16 characters',
    (host) => {
      expect(withPepper(16, host)).toEqual([]);
      expect(withPepper(15, host)).toEqual(['API_KEY_PEPPER must have at least 16 characters, not 15']);
    },
  );

  test.each(['127.0.0.1', '127.1.2.3', 'localhost', '::1', '[::1]'])(
    'on %s, which is this machine, 12 are enough',
    (host) => {
      expect(withPepper(12, host)).toEqual([]);
      expect(withPepper(11, host)).toEqual(['API_KEY_PEPPER must have at least 16 characters, not 11']);
    },
  );

  test('the keys commands hold it to the same rule, and need nothing else', () => {
    expect(() => loadKeysConfig({ env: { API_KEY_PEPPER: PEPPER_OF(15) } })).toThrow('at least 16 characters');
    expect(loadKeysConfig({ env: { API_KEY_PEPPER: PEPPER_OF(16) } })).toEqual({
      databaseUrl: 'sqlite://bve.db',
      apiKeyPepper: PEPPER_OF(16),
    });
    expect(loadKeysConfig({ env: {} }).apiKeyPepper).toBeNull();
  });
});

describe('the network environment', () => {
  test.each(['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'])(
    '%s counts as a proxy',
    (name) => {
      expect(networkEnvironment({ [name]: 'http://user:hunter2@proxy:3128' }).proxyVariables).toEqual([name]);
      expect(networkEnvironment({ [name]: '' }).proxyVariables).toEqual([]);
    },
  );

  test('only the value 0 switches the verification of certificates off', () => {
    expect(networkEnvironment({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }).tlsVerificationOff).toBe(true);
    expect(networkEnvironment({ NODE_TLS_REJECT_UNAUTHORIZED: '1' }).tlsVerificationOff).toBe(false);
    expect(networkEnvironment({}).tlsVerificationOff).toBe(false);
  });
});
