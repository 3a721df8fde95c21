/**
 * The only reader of the environment. Flags win over the environment, the environment over the TOML file, the file
 * over the defaults (contract, section 9). Every mistake is collected, so that one start names them all.
 */
import { readFileSync, statSync } from 'node:fs';
import { type Config, checkPepper, OPTIONS, type Option, type OptionName } from './schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type Source = 'flag' | 'environment' | 'file' | 'default';

export interface Loaded {
  readonly config: Config;
  readonly sources: Readonly<Record<OptionName, Source>>;
}

export interface LoadRequest {
  readonly configFile?: string | undefined;
  /** By kebab-case name, as parsed from the command line. */
  readonly flags?: Readonly<Record<string, string | boolean | undefined>> | undefined;
  readonly env?: Environment | undefined;
}

/** A configuration file has some dozen lines; anything larger is the wrong file. */
const CONFIG_FILE_BYTES_MAX = 1024 * 1024;
const CONFIG_FILE_LINES_TRIED_MAX = 1000;
const NAMES = Object.keys(OPTIONS) as OptionName[];

export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** @throws ConfigError naming every problem at once */
export function loadConfig(request: LoadRequest = {}): Loaded {
  const problems: string[] = [];
  const texts = gather(request, problems);
  const values: Record<string, unknown> = {};
  const sources: Record<string, Source> = {};
  for (const name of NAMES) {
    const { text, source } = texts[name];
    sources[name] = source;
    values[name] = parseOption(OPTIONS[name] as Option<unknown>, text, problems);
  }
  const pepperProblem =
    typeof values.apiKeyPepper === 'string' && checkPepper(values.apiKeyPepper, String(values.host));
  if (pepperProblem) problems.push(`${OPTIONS.apiKeyPepper.env} ${pepperProblem}`);
  if (problems.length > 0) throw new ConfigError(problems);
  return { config: values as Config, sources: sources as Loaded['sources'] };
}

/**
 * What the `keys` commands need: they work on the database alone, so a missing FUELIX_API_KEY is no reason to refuse.
 * @throws ConfigError
 */
export function loadKeysConfig(request: LoadRequest = {}): { databaseUrl: string; apiKeyPepper: string | null } {
  const problems: string[] = [];
  const texts = gather(request, problems);
  const databaseUrl = parseOption(OPTIONS.databaseUrl, texts.databaseUrl.text, problems);
  const host = parseOption(OPTIONS.host, texts.host.text, problems);
  const pepperText = texts.apiKeyPepper.text;
  const pepper = pepperText === undefined ? null : parseOption(OPTIONS.apiKeyPepper, pepperText, problems);
  const pepperProblem = typeof pepper === 'string' && checkPepper(pepper, String(host));
  if (pepperProblem) problems.push(`${OPTIONS.apiKeyPepper.env} ${pepperProblem}`);
  if (problems.length > 0) throw new ConfigError(problems);
  return { databaseUrl: databaseUrl!, apiKeyPepper: pepper ?? null };
}

export interface NetworkEnvironment {
  /** Names of the proxy variables that are set; their values may hold credentials. */
  readonly proxyVariables: readonly string[];
  readonly tlsVerificationOff: boolean;
}

/** Environment variables of Bun's own that change how the gateway reaches upstream; the start log names them. */
export function networkEnvironment(env: Environment = process.env): NetworkEnvironment {
  const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy'];
  const proxy = names.filter((name) => env[name]);
  return {
    proxyVariables: proxy,
    tlsVerificationOff: env.NODE_TLS_REJECT_UNAUTHORIZED === '0',
  };
}

/** Where the gateway of this configuration listens, whatever else of it is missing. @throws ConfigError */
export function loadAddress(request: LoadRequest = {}): { host: string; port: number } {
  const problems: string[] = [];
  const texts = gather(request, problems);
  const host = parseOption(OPTIONS.host, texts.host.text, problems);
  const port = parseOption(OPTIONS.port, texts.port.text, problems);
  if (problems.length > 0) throw new ConfigError(problems);
  return { host: host!, port: port! };
}

/** The content of FUELIX_CA_FILE. @throws ConfigError when it cannot be read or is no PEM */
export function readCaFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    const text = readFileSync(path, 'utf8');
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error('holds no PEM certificate');
    return text;
  } catch (error) {
    throw new ConfigError([`FUELIX_CA_FILE '${path}': ${(error as Error).message}`]);
  }
}

/** All that this process was started with, for one that takes its place, see cli/runtime-environment.ts. */
export function processEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

export function flagName(option: { readonly env: string }): string {
  return option.env.toLowerCase().replaceAll('_', '-');
}

type Texts = Record<OptionName, { text: string | undefined; source: Source }>;

function gather(request: LoadRequest, problems: string[]): Texts {
  const env = request.env ?? process.env;
  const file = request.configFile === undefined ? {} : readFile(request.configFile, problems);
  const texts = {} as Texts;
  for (const name of NAMES) {
    const option = OPTIONS[name];
    const flag = option.secret ? undefined : request.flags?.[flagName(option)];
    const candidates: [string | undefined, Source][] = [
      [typeof flag === 'string' ? flag : undefined, 'flag'],
      // An empty variable is how compose files spell "not set".
      [env[option.env] === '' ? undefined : env[option.env], 'environment'],
      [file[option.env.toLowerCase()], 'file'],
    ];
    const found = candidates.find(([text]) => text !== undefined);
    texts[name] = found ? { text: found[0], source: found[1] } : { text: option.defaultText, source: 'default' };
  }
  return texts;
}

function parseOption<T>(option: Option<T>, text: string | undefined, problems: string[]): T | undefined {
  if (text === undefined) {
    if (option.required) problems.push(`${option.env} is required`);
    return undefined;
  }
  try {
    return option.parse(text);
  } catch (error) {
    problems.push(`${option.env} ${(error as Error).message}`);
    return undefined;
  }
}

function readFile(path: string, problems: string[]): Record<string, string> {
  let text: string;
  try {
    if (statSync(path).size > CONFIG_FILE_BYTES_MAX) throw new Error('is too large for a configuration file');
    text = readFileSync(path, 'utf8');
  } catch (error) {
    // Without the system call and the path once more.
    problems.push(`configuration file '${path}': ${(error as Error).message.replace(/, \w+( '.*')?$/s, '')}`);
    return {};
  }
  const parsed = parseToml(text);
  if (parsed instanceof Error) {
    problems.push(`configuration file '${path}'${lineOf(text)}: ${withoutQuotedText(parsed.message)}`);
    return {};
  }
  const known = new Set(NAMES.map((name) => OPTIONS[name].env.toLowerCase()));
  const texts: Record<string, string> = {};
  for (const [key, value] of Object.entries(parsed)) {
    if (!known.has(key)) problems.push(`configuration file '${path}': unknown key '${key}'`);
    else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      texts[key] = String(value);
    else problems.push(`configuration file '${path}': ${key} must be a text, a number or true/false`);
  }
  return texts;
}

function parseToml(text: string): object | Error {
  try {
    return Bun.TOML.parse(text);
  } catch (error) {
    return error as Error;
  }
}

/** Bun's parser names no line: the statement at fault follows the longest beginning of the file that can be parsed. */
function lineOf(text: string): string {
  const lines = text.split('\n');
  if (lines.length > CONFIG_FILE_LINES_TRIED_MAX) return '';
  let whole = lines.length - 1;
  while (whole > 0 && parseToml(lines.slice(0, whole).join('\n')) instanceof Error) whole--;
  return `, line ${whole + 1}`;
}

/** The parser quotes what it stumbled over, which is a secret when the quotes around one were forgotten. */
function withoutQuotedText(message: string): string {
  return message.replace(/^TOML Parse error: /, '').replace(/(["'`])(?![^\w\s"'`]{1,2}\1)[\s\S]*$/, '…');
}
