/**
 * The only reader of the environment. Flags win over the environment, the environment over the TOML file, the file
 * over the defaults (contract, section 9). All problems are collected and reported at once.
 *
 * `NAME_FILE` in the environment, or `name_file` in the TOML file, names a file that contains the value: this is how Docker
 * and Kubernetes provide secrets.
 */
import { readTextFile } from '../text-file.ts';
import type { ProxyVariables } from '../upstream/proxy.ts';
import { ConfigError } from './config-error.ts';
import { OptionReader, type Source, type Sources } from './option-reader.ts';
import { type Config, OPTIONS, type OptionName } from './schema.ts';
import type { TargetConfig } from './targets.ts';

type Environment = Sources['env'];

export interface Loaded {
  readonly config: Config;
  readonly sources: Readonly<Record<OptionName, Source>>;
  /** Where requests go; at least one. */
  readonly targets: readonly TargetConfig[];
  /** They are `[[targets]]` of the file. */
  readonly targetsAreTables: boolean;
}

export interface LoadRequest {
  readonly configFile?: string | undefined;
  /** By kebab-case name, as parsed from the command line. */
  readonly flags?: Sources['flags'] | undefined;
  readonly env?: Environment | undefined;
}

/** A bundle of all CAs of a system has a quarter of this size. */
const CA_FILE_BYTES_MAX = 1024 * 1024;
const NAMES = Object.keys(OPTIONS) as OptionName[];
/** @throws ConfigError naming every problem at once */
export function loadConfig(request: LoadRequest = {}): Loaded {
  const reader = readerOf(request);
  const values: Record<string, unknown> = {};
  const sources: Record<string, Source> = {};
  for (const name of NAMES) {
    const { value, source } = reader.read(name);
    values[name] = value;
    sources[name] = source;
  }
  reader.checkPepper(values.apiKeyPepper, values.host);
  reader.checkWorkers(values.workers, values.redisUrl);
  const { targets, fromTables } = reader.readTargets(values.fuelixApiKey, values.fuelixApiKeys, values.fuelixBaseUrl);
  reader.finish();
  return {
    config: values as Config,
    sources: sources as Loaded['sources'],
    targets,
    targetsAreTables: fromTables,
  };
}

const DATABASE_OPTIONS = [
  'databaseUrl',
  'databasePoolMax',
  'databaseStatementTimeoutMs',
  'databaseConnectTimeoutMs',
  'databasePrepare',
  'databaseCaFile',
] as const satisfies readonly OptionName[];

export type DatabaseConfig = Pick<Config, (typeof DATABASE_OPTIONS)[number]>;

/**
 * The options that the `keys` commands need. They use only the database, so FUELIX_API_KEY may be missing.
 * @throws ConfigError
 */
export function loadKeysConfig(request: LoadRequest = {}): DatabaseConfig & { readonly apiKeyPepper: string | null } {
  const reader = readerOf(request);
  const values = Object.fromEntries(DATABASE_OPTIONS.map((name) => [name, reader.read(name).value]));
  const pepper = reader.readUnlessAbsent('apiKeyPepper');
  if (pepper !== undefined) reader.checkPepper(pepper, reader.read('host').value);
  reader.finish();
  return { ...(values as DatabaseConfig), apiKeyPepper: pepper ?? null };
}

/** The options of the database, and where its spill files are. @throws ConfigError */
export function loadDatabaseConfig(request: LoadRequest = {}): DatabaseConfig & Pick<Config, 'usageSpillDir'> {
  const reader = readerOf(request);
  const names = [...DATABASE_OPTIONS, 'usageSpillDir'] as const;
  const values = Object.fromEntries(names.map((name) => [name, reader.read(name).value]));
  reader.finish();
  return values as DatabaseConfig & Pick<Config, 'usageSpillDir'>;
}

/** The variables of the environment that say which proxy stands before upstream; an empty one is not set. */
export function proxyVariables(env: Environment = process.env): ProxyVariables {
  const read = (name: string) => env[name.toLowerCase()] || env[name] || undefined;
  return { httpProxy: read('HTTP_PROXY'), httpsProxy: read('HTTPS_PROXY'), noProxy: read('NO_PROXY') };
}

/** Which of the variables is set that other programs take for a proxy, and this one does not. */
export function unusedProxyVariable(env: Environment = process.env): string | undefined {
  return ['ALL_PROXY', 'all_proxy'].find((name) => env[name]);
}

/** Where a gateway with this configuration listens; other required options may be missing. @throws ConfigError */
export function loadAddress(request: LoadRequest = {}): { host: string; port: number } {
  const reader = readerOf(request);
  const host = reader.read('host').value;
  const port = reader.read('port').value;
  reader.finish();
  return { host: host!, port: port! };
}

/** Where the admin API of a gateway with this configuration is; other required options may be missing. @throws ConfigError */
export function loadAdminAccess(request: LoadRequest = {}): { host: string; port: number; adminApiKey: string | null } {
  const reader = readerOf(request);
  const host = reader.read('host').value;
  const port = reader.read('port').value;
  const adminApiKey = reader.readUnlessAbsent('adminApiKey');
  reader.finish();
  return { host: host!, port: port!, adminApiKey: adminApiKey ?? null };
}

/** The content of the file that an option names. @throws ConfigError when it cannot be read or is no PEM */
export function readCaFile(
  option: 'FUELIX_CA_FILE' | 'DATABASE_CA_FILE' | 'REDIS_CA_FILE',
  path: string | undefined,
): string | undefined {
  if (path === undefined) return undefined;
  try {
    const text = readTextFile(path, CA_FILE_BYTES_MAX);
    if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new Error('holds no PEM certificate');
    return text;
  } catch (error) {
    throw new ConfigError([`${option} '${path}': ${(error as Error).message}`]);
  }
}

/** Which of several workers this process is, as its supervisor has said. */
export interface WorkerAssignment {
  /** From 0. */
  readonly place: number;
  readonly workers: number;
  readonly port: number;
}

const WORKER_VARIABLE = 'BVE_WORKER';

/** null: it is none. */
export function workerAssignment(env: Environment = process.env): WorkerAssignment | null {
  const text = env[WORKER_VARIABLE];
  return text === undefined || process.send === undefined ? null : (JSON.parse(text) as WorkerAssignment);
}

export function workerEnvironment(assignment: WorkerAssignment): Record<string, string> {
  return { ...processEnvironment(), [WORKER_VARIABLE]: JSON.stringify(assignment) };
}

/** The whole environment, for the process that replaces this one, see cli/runtime-environment.ts. */
export function processEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return Object.fromEntries(entries);
}

function readerOf({ configFile, flags = {}, env = process.env }: LoadRequest): OptionReader {
  return new OptionReader({ configFile, flags, env });
}
