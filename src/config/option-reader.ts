/** Looks up options in flags, environment, configuration file and value files, and parses them. */

import { readTextFile } from '../text-file.ts';
import { ConfigError } from './config-error.ts';
import type { Option } from './option.ts';
import { checkPepper, flagName, OPTIONS, type OptionName } from './schema.ts';
import { type TargetConfig, targetsOfKeys, targetsOfTables } from './targets.ts';
import { readTomlFile } from './toml.ts';

export interface Sources {
  readonly configFile: string | undefined;
  /** By kebab-case name, as parsed from the command line. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Where a value comes from; 'value file' means the file that NAME_FILE names. */
export type Source = 'flag' | 'environment' | 'file' | 'value file' | 'default';

/** Far more than any key or URL needs. */
const VALUE_FILE_BYTES_MAX = 64 * 1024;
/** These options are paths to files themselves, so they have no NAME_FILE variant. */
const PATHS: readonly string[] = ['FUELIX_CA_FILE', 'DATABASE_CA_FILE', 'REDIS_CA_FILE'];

interface Found {
  /** undefined when it could not be read; the problem is recorded. */
  readonly text: string | undefined;
  readonly source: Source;
}

type Value<N extends OptionName> = (typeof OPTIONS)[N] extends Option<infer T> ? T : never;

/** Reads only the options that a command asks for: it may lack permission for the value files of others. */
export class OptionReader {
  readonly #problems: string[] = [];
  readonly #sources: Sources;
  readonly #file: Readonly<Record<string, string>>;
  /** Names of options that `read` has found somewhere. */
  readonly #set = new Set<string>();
  /** As many of the problems are of the file as a whole. */
  #fileProblems = 0;
  /** `[[targets]]` of the file; undefined when there are none. */
  #targetTables: unknown;
  /** false when the configuration file could not be read: then no option is reported as missing. */
  #fileIsReadable = true;

  constructor(sources: Sources) {
    this.#sources = sources;
    this.#file = sources.configFile === undefined ? {} : this.#readFile(sources.configFile);
    this.#fileProblems = this.#problems.length;
  }

  /** Records problems for `finish`. */
  read<N extends OptionName>(name: N): { value: Value<N> | undefined; source: Source } {
    const option: Option<unknown> = OPTIONS[name];
    const found = this.#find(option);
    if (found) this.#set.add(option.env);
    const { text, source } = found ?? { text: option.defaultText, source: 'default' };
    if (!found && text === undefined && option.required && this.#fileIsReadable) {
      this.#problems.push(`${option.env} is required`);
    }
    return { value: text === undefined ? undefined : (this.#parse(option, text) as Value<N> | undefined), source };
  }

  readUnlessAbsent<N extends OptionName>(name: N): Value<N> | undefined {
    const text = this.#find(OPTIONS[name])?.text;
    return text === undefined ? undefined : (this.#parse(OPTIONS[name], text) as Value<N> | undefined);
  }

  checkPepper(pepper: unknown, host: unknown): void {
    const problem = typeof pepper === 'string' ? checkPepper(pepper, String(host)) : null;
    if (problem !== null) this.#problems.push(`${OPTIONS.apiKeyPepper.env} ${problem}`);
  }

  checkWorkers(workers: unknown, redisUrl: unknown): void {
    if (typeof workers !== 'number' || workers === 1 || redisUrl !== undefined) return;
    this.#problems.push(
      `WORKERS=${workers} needs REDIS_URL, by which they count limits together. To start a Redis on this machine: redis-server --bind 127.0.0.1 --save '' (then REDIS_URL=redis://127.0.0.1:6379)`,
    );
  }

  /** The targets that these values and the file give. */
  readTargets(apiKey: unknown, apiKeys: unknown, baseUrl: unknown): { targets: TargetConfig[]; fromTables: boolean } {
    if (this.#targetTables !== undefined) {
      for (const option of [OPTIONS.fuelixApiKey, OPTIONS.fuelixApiKeys, OPTIONS.fuelixBaseUrl]) {
        if (this.#set.has(option.env))
          this.#problems.push(`${option.env} and [[targets]] are both set, use one of them`);
      }
      const { targets, problems } = targetsOfTables(this.#targetTables, (path) => readValueFile(path));
      for (const problem of problems)
        this.#problems.push(`configuration file '${this.#sources.configFile}': ${problem}`);
      return { targets, fromTables: true };
    }
    const hasKey = this.#set.has(OPTIONS.fuelixApiKey.env);
    const hasKeys = this.#set.has(OPTIONS.fuelixApiKeys.env);
    if (hasKey && hasKeys) this.#problems.push('FUELIX_API_KEY and FUELIX_API_KEYS are both set, use one of them');
    // The first thing to have is named first.
    if (!hasKey && !hasKeys && this.#fileIsReadable)
      this.#problems.splice(this.#fileProblems, 0, 'FUELIX_API_KEY is required');
    const keys = (hasKeys ? apiKeys : apiKey && [apiKey]) as readonly string[] | undefined;
    return { targets: targetsOfKeys(keys ?? [], String(baseUrl), hasKeys), fromTables: false };
  }

  /** @throws ConfigError when there was a problem */
  finish(): void {
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
  }

  #find(option: Option<unknown>): Found | null {
    const flag = option.secret ? undefined : this.#sources.flags[flagName(option)];
    if (typeof flag === 'string') return { text: flag, source: 'flag' };
    // Compose files set a variable to an empty text when it is unset.
    return (
      this.#findIn('environment', option.env, (name) => this.#sources.env[name] || undefined) ??
      this.#findIn('file', option.env.toLowerCase(), (name) => this.#file[name])
    );
  }

  #findIn(source: Source, name: string, textOf: (name: string) => string | undefined): Found | null {
    const text = textOf(name);
    const fileName = valueFileName(name);
    const path = fileName === null ? undefined : textOf(fileName);
    if (path === undefined) return text === undefined ? null : { text, source };
    if (text !== undefined) this.#problems.push(`${name} and ${fileName} are both set, use one of them`);
    else return { text: this.#readValueFile(fileName!, path), source: 'value file' };
    return { text: undefined, source };
  }

  #readValueFile(name: string, path: string): string | undefined {
    try {
      return readValueFile(path);
    } catch (error) {
      this.#problems.push(`${name} '${path}': ${(error as Error).message}`);
      return undefined;
    }
  }

  #parse(option: Option<unknown>, text: string): unknown {
    try {
      if (!option.secret && CONTROL_CHARACTER.test(text)) throw new Error('must not contain control characters');
      return option.parse(text);
    } catch (error) {
      this.#problems.push(`${option.env} ${(error as Error).message}`);
      return undefined;
    }
  }

  #readFile(path: string): Record<string, string> {
    const texts: Record<string, string> = {};
    try {
      for (const [key, value] of Object.entries(readTomlFile(path))) {
        if (key === 'targets') {
          this.#targetTables = value;
          continue;
        }
        const problem = tomlProblem(key, value);
        if (problem === null) texts[key] = String(value);
        else this.#problems.push(`configuration file '${path}': ${problem}`);
      }
    } catch (error) {
      this.#fileIsReadable = false;
      this.#problems.push((error as Error).message);
    }
    return texts;
  }
}

/** @throws Error */
function readValueFile(path: string): string {
  // Editors and `echo` add a line break at the end of a file.
  return readTextFile(path, VALUE_FILE_BYTES_MAX).replace(/[\r\n]+$/, '');
}

const OPTION_BY_KEY = new Map(Object.values(OPTIONS).map((option) => [option.env.toLowerCase(), option]));
const VALUE_FILE_KEYS = new Set([...OPTION_BY_KEY.keys()].map(valueFileName));
const CONTROL_CHARACTER = /[\p{Cc}\u2028\u2029]/u;

function tomlProblem(key: string, value: unknown): string | null {
  const kind = OPTION_BY_KEY.get(key)?.toml ?? (VALUE_FILE_KEYS.has(key) ? 'text' : undefined);
  if (kind === undefined) return `unknown key '${key}'`;
  if (typeof value === 'string') return null;
  // A number would change a secret: TOML reads 1_000 as 1000 and 0x10 as 16.
  if (kind === 'text') return `${key} must be a text in quotes`;
  return typeof value === 'number' || typeof value === 'boolean' ? null : `${key} must be a ${kind}`;
}

/** null for options that are paths. */
function valueFileName(name: string): string | null {
  if (PATHS.includes(name.toUpperCase())) return null;
  return name === name.toUpperCase() ? `${name}_FILE` : `${name}_file`;
}
