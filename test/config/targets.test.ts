/** `[[targets]]`, and what else says where requests go. */
import { describe, expect, test } from 'bun:test';
import { effectiveOptions } from '../../src/config/effective.ts';
import { loadConfig } from '../../src/config/load.ts';
import { cleanUpFiles, problemsOf, SECRETS, tomlFile } from './settings.ts';

cleanUpFiles();

const { API_KEY_PEPPER, FUELIX_API_KEY } = SECRETS;
const LEAST = 'name = "a"\nbase_url = "https://a.example/v1"\napi_key = "fx-key-of-a"\n';
const table = (lines: string) => `[[targets]]\n${lines}\n`;
const problems = (toml: string, env = {}) =>
  problemsOf({ configFile: tomlFile(toml), env: { API_KEY_PEPPER, ...env } }).map((problem) =>
    problem.replace(/^configuration file '[^']*': /, ''),
  );

test('one key is one target, several are numbered, each at FUELIX_BASE_URL', () => {
  const FUELIX_BASE_URL = 'https://x.example/v1/';
  const of = (env: Record<string, string>) => loadConfig({ env: { API_KEY_PEPPER, FUELIX_BASE_URL, ...env } }).targets;
  const rest = { baseUrl: 'https://x.example/v1', weight: 1, maxConcurrent: null, models: null };
  expect(of({ FUELIX_API_KEY })).toEqual([{ name: 'fuelix', apiKey: FUELIX_API_KEY, ...rest }]);
  expect(of({ FUELIX_API_KEYS: 'k1, k2', FUELIX_API_KEY: '' })).toEqual([
    { name: 'fuelix-1', apiKey: 'k1', ...rest },
    { name: 'fuelix-2', apiKey: 'k2', ...rest },
  ]);
  expect(problemsOf({ env: { API_KEY_PEPPER, FUELIX_API_KEY, FUELIX_API_KEYS: 'k1' } })).toEqual([
    'FUELIX_API_KEY and FUELIX_API_KEYS are both set, use one of them',
  ]);
  expect(problemsOf({ env: { API_KEY_PEPPER } })).toEqual(['FUELIX_API_KEY is required']);
});

describe('[[targets]]', () => {
  test('have all that they say, and their keys are never shown', () => {
    const keyFile = tomlFile('fx-key-of-b\n');
    const b = `name = "b"\nbase_url = "http://b.example/"\napi_key_file = "${keyFile}"\nweight = 100\nmax_concurrent = 7\nmodels = ["gpt-4o", "m/x"]\n`;
    const loaded = loadConfig({ configFile: tomlFile(table(LEAST) + table(b)), env: { API_KEY_PEPPER } });
    expect(loaded.targets).toEqual([
      {
        name: 'a',
        baseUrl: 'https://a.example/v1',
        apiKey: 'fx-key-of-a',
        weight: 1,
        maxConcurrent: null,
        models: null,
      },
      {
        name: 'b',
        baseUrl: 'http://b.example',
        apiKey: 'fx-key-of-b',
        weight: 100,
        maxConcurrent: 7,
        models: ['gpt-4o', 'm/x'],
      },
    ]);
    const shown = effectiveOptions(loaded);
    expect(JSON.stringify(shown)).not.toContain('fx-key');
    expect(shown[0]).toEqual({
      env: 'TARGETS',
      value: 'a https://a.example/v1 (weight 1); b http://b.example (weight 100, max_concurrent 7, models gpt-4o m/x)',
      source: 'file',
    });
  });

  test('exclude the variables of one target, wherever they are set', () => {
    expect(problems(table(LEAST), { FUELIX_API_KEY })).toEqual([
      'FUELIX_API_KEY and [[targets]] are both set, use one of them',
    ]);
    expect(problems(`fuelix_base_url = "https://x.example/v1"\n${table(LEAST)}`)).toEqual([
      'FUELIX_BASE_URL and [[targets]] are both set, use one of them',
    ]);
  });

  test.each([
    ['targets = []', ['targets must be tables: [[targets]]']],
    ['targets = "a"', ['targets must be tables: [[targets]]']],
    [table(''), ['targets[0].name is required', 'targets[0].base_url is required', 'targets[0].api_key is required']],
    [table(`${LEAST}colour = 1`), ["targets[0] has the unknown key 'colour'"]],
    [table(`${LEAST}weight = 0`), ['targets[0].weight must be a whole number from 1 to 100']],
    [table(`${LEAST}weight = 101`), ['targets[0].weight must be a whole number from 1 to 100']],
    [table(`${LEAST}weight = 1.5`), ['targets[0].weight must be a whole number from 1 to 100']],
    [table(`${LEAST}weight = "1"`), ['targets[0].weight must be a whole number from 1 to 100']],
    [table(`${LEAST}max_concurrent = 0`), ['targets[0].max_concurrent must be a whole number from 1 to 1000000']],
    [table(`${LEAST}models = []`), ['targets[0].models must be a list of names']],
    [table(`${LEAST}models = "gpt-4o"`), ['targets[0].models must be a list of names']],
    [table(`${LEAST}models = [1]`), ['targets[0].models must be a list of names']],
    [
      table(`${LEAST}api_key_file = "/x"`),
      [
        'targets[0].api_key and api_key_file are both set, use one of them',
        'targets[0].api_key_file there is no such file',
      ],
    ],
    [table(LEAST) + table(LEAST), ["targets[1].name 'a' is there twice"]],
    [table(LEAST.replace('"a"', '"A"')), ['targets[0].name must be 1 to 32 characters of a-z, 0-9, _ and -']],
    [table(LEAST.replace('https://a', 'ftp://a')), ['targets[0].base_url must be an http:// or https:// URL']],
    [table(LEAST.replace('fx-key-of-a', 'fx key')), ['targets[0].api_key must be printable ASCII without spaces']],
  ] as [string, string[]][])('%s', (toml, expected) => {
    expect(problems(toml)).toEqual(expected);
  });
});
