import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { effectiveOptions } from '../../src/config/effective.ts';
import { loadConfig, loadKeysConfig, proxyVariables, unusedProxyVariable } from '../../src/config/load.ts';
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
      const { env, defaultText, parse } = OPTIONS[name];
      const required = env in REQUIRED;
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
    ['an option that is a table', '[host]\nname = "x"', 'host must be a text in quotes'],
    ['an array', 'port = [1, 2]', 'port must be a number'],
    ['a date', 'log_level = 2020-01-01', 'log_level must be a text in quotes'],
    ['a dotted key', 'host.name = "x"', 'host must be a text in quotes'],
    ['a number for a text', 'host = 1', 'host must be a text in quotes'],
    ['a secret as a number', 'admin_api_key = 1_000', 'admin_api_key must be a text in quotes'],
    ['a secret as another number', 'admin_api_key = 0x10', 'admin_api_key must be a text in quotes'],
    ['a value file as a number', 'admin_api_key_file = 1', 'admin_api_key_file must be a text in quotes'],
    ['a file for what is a path', 'fuelix_ca_file_file = "x"', "unknown key 'fuelix_ca_file_file'"],
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
      `configuration file '${missing}': there is no such file`,
    ]);
    expect(problemsOf({ configFile: folder, env: REQUIRED })).toEqual([
      `configuration file '${folder}': is no regular file`,
    ]);
    rmSync(folder, { recursive: true });
  });

  test('a device, a pipe and a file of /proc that never end are not waited for', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bve-config-'));
    const pipe = join(folder, 'pipe');
    Bun.spawnSync(['mkfifo', pipe]);
    for (const path of ['/dev/zero', '/dev/null', pipe]) {
      expect(problemsOf({ configFile: path, env: REQUIRED })).toEqual([
        `configuration file '${path}': is no regular file`,
      ]);
    }
    rmSync(folder, { recursive: true });
  });

  test('text that is not UTF-8 is refused, a byte order mark is skipped', () => {
    expect(problemsOf({ configFile: tomlFile('\ufeffport = 1'), env: REQUIRED })).toEqual([]);
    const path = tomlFile('');
    writeFileSync(path, Buffer.from('host = "\xff"', 'latin1'));
    expect(problemsOf({ configFile: path, env: REQUIRED })).toEqual([
      `configuration file '${path}': is not UTF-8 text`,
    ]);
  });

  test('control characters are refused in whatever is no secret, and not repeated', () => {
    for (const [key, toml] of [
      ['HOST', 'host = "127.0.0.1\\u0000"'],
      ['HOST', 'host = "a\\nb"'],
      ['PORT', 'port = "1\\u001b[31m"'],
      ['DATABASE_URL', 'database_url = "sqlite://a\\u009bb"'],
    ] as const) {
      expect(problemsOf({ configFile: tomlFile(toml), env: REQUIRED })).toEqual([
        `${key} must not contain control characters`,
      ]);
    }
  });

  test('a value of any length is repeated by its beginning only', () => {
    const [problem] = problemsOf({ env: { ...REQUIRED, PORT: '9'.repeat(100_000) } });
    expect(problem).toBe(`PORT must be a whole number from 0 to 65535, not '${'9'.repeat(64)}…'`);
  });

  test('a file of more than a megabyte is not read', () => {
    const path = tomlFile(`# ${'x'.repeat(1024 * 1024)}\nport = 1\n`);
    expect(problemsOf({ configFile: path, env: REQUIRED })).toEqual([
      `configuration file '${path}': is larger than 1048576 bytes`,
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
    [4, 'fuelix_api_key = "k"\napi_key_pepper = "a-pepper-of-some-length"\n\nport = 0900\n'],
  ])('a mistake in TOML is said with its line, and nothing is said to be missing: line %d of %j', (line, toml) => {
    const path = tomlFile(toml);
    const problems = problemsOf({ configFile: path, env: {} });
    expect(problems).toEqual([expect.stringMatching(/^[^\n]+$/)]);
    expect(problems[0]).toStartWith(`configuration file '${path}', line ${line}: `);
  });
});

describe('value files', () => {
  const { FUELIX_API_KEY, API_KEY_PEPPER } = SECRETS;

  test('NAME_FILE names the file that holds a value, without the line break at its end', () => {
    for (const end of ['', '\n', '\r\n', '\n\n']) {
      const env = {
        API_KEY_PEPPER,
        FUELIX_API_KEY_FILE: tomlFile(FUELIX_API_KEY + end),
        PORT_FILE: tomlFile(`81${end}`),
      };
      const { config, sources } = loadConfig({ env });
      expect([config.fuelixApiKey, config.port]).toEqual([FUELIX_API_KEY, 81]);
      expect([sources.fuelixApiKey, sources.port]).toEqual(['value file', 'value file']);
    }
  });

  test('every option but the paths can come from one, also named in the TOML file', () => {
    for (const name of Object.keys(OPTIONS) as OptionName[]) {
      const { env, defaultText, secret } = OPTIONS[name];
      const text = secret ? 'name=a-secret-of-some-length' : defaultText;
      if (text === undefined) continue;
      const path = tomlFile(text);
      const others: Record<string, string> = { ...REQUIRED };
      delete others[env];
      if (env === 'FUELIX_API_KEYS') delete others.FUELIX_API_KEY;
      expect(loadConfig({ env: { ...others, [`${env}_FILE`]: path } }).sources[name]).toBe('value file');
      const configFile = tomlFile(`${env.toLowerCase()}_file = "${path}"`);
      expect(loadConfig({ env: others, configFile }).sources[name]).toBe('value file');
    }
    const env = { ...REQUIRED, FUELIX_CA_FILE_FILE: '/nowhere' };
    expect(loadConfig({ env }).config.fuelixCaFile).toBeUndefined();
  });

  test('both a value and its file are refused, naming both', () => {
    const path = tomlFile('x');
    expect(problemsOf({ env: { ...REQUIRED, FUELIX_API_KEY_FILE: path } })).toEqual([
      'FUELIX_API_KEY and FUELIX_API_KEY_FILE are both set, use one of them',
    ]);
    const configFile = tomlFile(`port = 1\nport_file = "${path}"\n`);
    expect(problemsOf({ env: REQUIRED, configFile })).toEqual(['port and port_file are both set, use one of them']);
    expect(problemsOf({ env: { ...REQUIRED, PORT: '', PORT_FILE: tomlFile('1') } })).toEqual([]);
  });

  test('the environment wins over the file whichever way it gives the value, and what is hidden is not read', () => {
    const { config } = loadConfig({
      env: { ...REQUIRED, PORT_FILE: tomlFile('1002'), HOST: '10.0.0.2', LOG_LEVEL_FILE: '/nowhere' },
      configFile: tomlFile('port = 1003\nhost_file = "/nowhere"\n'),
      flags: { 'log-level': 'warn' },
    });
    expect([config.port, config.host, config.logLevel]).toEqual([1002, '10.0.0.2', 'warn']);
  });

  test('one that cannot be read is named with its variable, one with a wrong value is not repeated', () => {
    const problems = problemsOf({
      env: { API_KEY_PEPPER_FILE: '/nowhere/pepper', FUELIX_API_KEY_FILE: '/dev/zero', PORT_FILE: tomlFile('ninety') },
    });
    expect(problems).toEqual([
      "FUELIX_API_KEY_FILE '/dev/zero': is no regular file",
      "API_KEY_PEPPER_FILE '/nowhere/pepper': there is no such file",
      "PORT must be a whole number from 0 to 65535, not 'ninety'",
    ]);
    const large = tomlFile('x'.repeat(64 * 1024 + 1));
    expect(problemsOf({ env: { API_KEY_PEPPER, FUELIX_API_KEY_FILE: large } })).toEqual([
      `FUELIX_API_KEY_FILE '${large}': is larger than 65536 bytes`,
    ]);
    const spaced = tomlFile('fx-secret with a space');
    expect(problemsOf({ env: { API_KEY_PEPPER, FUELIX_API_KEY_FILE: spaced } })).toEqual([
      'FUELIX_API_KEY must be printable ASCII without spaces',
    ]);
    expect(problemsOf({ env: { API_KEY_PEPPER, FUELIX_API_KEY_FILE: tomlFile('\n') } })).toEqual([
      'FUELIX_API_KEY must not be empty',
    ]);
  });

  test('a command reads only those that it needs', () => {
    const env = { API_KEY_PEPPER_FILE: tomlFile(API_KEY_PEPPER), FUELIX_API_KEY_FILE: '/nowhere' };
    expect(loadKeysConfig({ env }).apiKeyPepper).toBe(API_KEY_PEPPER);
  });
});

describe('what may be shown', () => {
  const shown = (DATABASE_URL: string) => {
    const loaded = loadConfig({ env: REQUIRED });
    const options = effectiveOptions({ ...loaded, config: { ...loaded.config, databaseUrl: DATABASE_URL } });
    return options.find(({ env }) => env === 'DATABASE_URL')!.value;
  };

  test.each([
    ['postgres://u:hunter2@db:5432/bve', 'postgres://u:***@db:5432/bve'],
    ['postgres://u:hun@ter/2:x@db/bve?sslmode=require', 'postgres://u:***@db/bve?sslmode=require'],
    ['postgres://:hunter2@db/bve', 'postgres://:***@db/bve'],
    ['postgres://u@db/bve?password=hunter2&a=b', 'postgres://u@db/bve?password=***&a=b'],
    ['postgres://db/bve', 'postgres://db/bve'],
    ['sqlite:///srv/a:b@c/bve.db', 'sqlite:///srv/a:b@c/bve.db'],
  ])('%s is shown as %s', (url, expected) => {
    expect(shown(url)).toBe(expected);
  });

  test('every secret is ***, and what is unset is null', () => {
    const loaded = loadConfig({ env: SECRETS });
    const values = Object.fromEntries(effectiveOptions(loaded).map(({ env, value }) => [env, value]));
    expect(values).toMatchObject({ FUELIX_API_KEY: '***', ADMIN_API_KEY: '***', API_KEY_PEPPER: '***' });
    expect(values.FUELIX_CA_FILE).toBeNull();
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
    expect(loadKeysConfig({ env: { API_KEY_PEPPER: PEPPER_OF(16) } })).toMatchObject({
      databaseUrl: 'sqlite://bve.db',
      databasePoolMax: 10,
      apiKeyPepper: PEPPER_OF(16),
    });
    expect(loadKeysConfig({ env: {} }).apiKeyPepper).toBeNull();
  });
});

describe('the proxy variables', () => {
  test('are read in either case, the lower one first; an empty one is not set', () => {
    expect(proxyVariables({ HTTPS_PROXY: 'a', HTTP_PROXY: 'b', NO_PROXY: 'c' })).toEqual({
      httpsProxy: 'a',
      httpProxy: 'b',
      noProxy: 'c',
    });
    expect(
      proxyVariables({ https_proxy: 'a', HTTPS_PROXY: 'b', http_proxy: '', HTTP_PROXY: 'c', no_proxy: '' }),
    ).toEqual({
      httpsProxy: 'a',
      httpProxy: 'c',
      noProxy: undefined,
    });
  });

  test.each(['ALL_PROXY', 'all_proxy'])('%s is named, because it is not used', (name) => {
    expect(unusedProxyVariable({ [name]: 'http://user:hunter2@proxy:3128' })).toBe(name);
    expect(unusedProxyVariable({ [name]: '' })).toBeUndefined();
  });
});
