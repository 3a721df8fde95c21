/** The upstream targets of a configuration: one key, several keys, or `[[targets]]` of the TOML file. */
import { headerSafe, parseBaseUrl } from './option-text.ts';

export interface TargetConfig {
  readonly name: string;
  /** Without a trailing slash. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly weight: number;
  readonly maxConcurrent: number | null;
  /** Exact names; null: all. */
  readonly models: readonly string[] | null;
}

const WEIGHT_MAX = 100;
const MAX_CONCURRENT_MAX = 1_000_000;
const TARGETS_MAX = 100;
const KEYS = new Set(['name', 'base_url', 'api_key', 'api_key_file', 'weight', 'max_concurrent', 'models']);

/** Of FUELIX_API_KEY or FUELIX_API_KEYS. */
export function targetsOfKeys(apiKeys: readonly string[], baseUrl: string, isList: boolean): TargetConfig[] {
  return apiKeys.map((apiKey, index) => ({
    name: isList ? `fuelix-${index + 1}` : 'fuelix',
    baseUrl,
    apiKey,
    weight: 1,
    maxConcurrent: null,
    models: null,
  }));
}

interface TargetTables {
  readonly targets: TargetConfig[];
  readonly problems: string[];
}

/**
 * Of the TOML file's `[[targets]]`.
 * @param readFile the content of a value file; throws what is wrong with it
 */
export function targetsOfTables(value: unknown, readFile: (path: string) => string): TargetTables {
  if (!Array.isArray(value) || value.length === 0 || !value.every(isTable))
    return { targets: [], problems: ['targets must be tables: [[targets]]'] };
  if (value.length > TARGETS_MAX) return { targets: [], problems: [`there may be ${TARGETS_MAX} targets`] };
  const problems: string[] = [];
  const names = new Set<string>();
  const targets = value.map((table: Table, index) => {
    const label = `targets[${index}]`;
    const reader = new TableReader(table, label, problems);
    const target = reader.target(readFile);
    if (target.name !== '' && names.has(target.name)) problems.push(`${label}.name '${target.name}' is there twice`);
    names.add(target.name);
    return target;
  });
  return { targets, problems };
}

type Table = Readonly<Record<string, unknown>>;

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

class TableReader {
  constructor(
    private readonly table: Table,
    private readonly label: string,
    private readonly problems: string[],
  ) {
    for (const key of Object.keys(table)) if (!KEYS.has(key)) problems.push(`${label} has the unknown key '${key}'`);
  }

  target(readFile: (path: string) => string): TargetConfig {
    return {
      name: this.#name(),
      baseUrl: this.#text('base_url', parseBaseUrl),
      apiKey: this.#apiKey(readFile),
      weight: this.#number('weight', WEIGHT_MAX) ?? 1,
      maxConcurrent: this.#number('max_concurrent', MAX_CONCURRENT_MAX),
      models: this.#models(),
    };
  }

  #name(): string {
    return this.#text('name', (name) => {
      if (!/^[a-z0-9_-]{1,32}$/.test(name)) throw new Error('must be 1 to 32 characters of a-z, 0-9, _ and -');
      return name;
    });
  }

  #apiKey(readFile: (path: string) => string): string {
    if (this.table.api_key_file === undefined) return this.#text('api_key', headerSafe);
    if (this.table.api_key !== undefined) this.#problem('api_key', 'and api_key_file are both set, use one of them');
    return this.#text('api_key_file', (path) => headerSafe(readFile(path)));
  }

  #models(): readonly string[] | null {
    const { models } = this.table;
    if (models === undefined) return null;
    const isList = Array.isArray(models) && models.length > 0;
    if (isList && models.every((model) => typeof model === 'string' && model !== '')) return models as string[];
    this.#problem('models', 'must be a list of names');
    return null;
  }

  #text(key: string, parse: (text: string) => string): string {
    const value = this.table[key];
    try {
      if (value === undefined) throw new Error('is required');
      if (typeof value !== 'string') throw new Error('must be a text in quotes');
      return parse(value);
    } catch (error) {
      this.#problem(key, (error as Error).message);
      return '';
    }
  }

  #number(key: string, max: number): number | null {
    const value = this.table[key];
    if (value === undefined) return null;
    if (Number.isInteger(Number(value)) && Number(value) >= 1 && Number(value) <= max && typeof value !== 'string')
      return Number(value);
    this.#problem(key, `must be a whole number from 1 to ${max}`);
    return null;
  }

  #problem(key: string, problem: string): void {
    this.problems.push(`${this.label}.${key} ${problem}`);
  }
}
