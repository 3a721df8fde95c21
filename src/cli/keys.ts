/** `bve keys`: client keys, straight in the database, whether or not a gateway is running on it. */
import { ConfigError, loadKeysConfig } from '../config/load.ts';
import {
  type ApiKey,
  createKey,
  hashKey,
  isKeyForm,
  KEY_NAME_CHARACTERS_MAX,
  type KeyStatus,
  keyToJson,
  type NewKey,
} from '../keys/key.ts';
import { keyTable, limitsOf, printable } from '../keys/key-table.ts';
import { Store } from '../store/store.ts';
import { StoreError } from '../store/store-error.ts';
import {
  type Arguments,
  type Command,
  CommandFailure,
  type CommandGroup,
  type OptionSpec,
  textFlag,
  UsageError,
} from './command.ts';

const CONFIG: OptionSpec = { type: 'string', value: 'FILE', help: 'TOML file with database_url and api_key_pepper' };
const JSON_OUTPUT: OptionSpec = { type: 'boolean', help: 'as JSON, for scripts' };
const DATABASE =
  'DATABASE_URL names the database, sqlite://bve.db by default; a gateway that runs on it may keep running.';

/** A command has nothing else to do than wait until the gateway has written its batch. */
const BUSY_TIMEOUT_MS = 5_000;
/** Shorter texts name a key too easily by accident: the 8 first of an id, or sk-bve- and a digit. */
const KEY_TEXT_MIN = 8;

/** In the order of the key object. */
const LIMITS = {
  rpmLimit: 'rpm-limit',
  rpdLimit: 'rpd-limit',
  monthlyLimit: 'monthly-limit',
  monthlyTokenLimit: 'monthly-token-limit',
  maxConcurrent: 'max-concurrent',
} as const;
type LimitName = keyof typeof LIMITS;

/** Date, time and zone; a time without a zone would mean another moment on another machine. */
const ISO_TIME = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

const create: Command = {
  name: 'create',
  summary: 'create a key and show it, this once',
  options: {
    name: { type: 'string', value: 'NAME', help: 'what the key is for, 1 to 255 characters (required)' },
    'rpm-limit': { type: 'string', value: 'N|none', help: 'requests per minute [60]' },
    'rpd-limit': { type: 'string', value: 'N|none', help: 'requests per UTC day [10000]' },
    'monthly-limit': { type: 'string', value: 'N|none', help: 'requests per UTC month [none]' },
    'monthly-token-limit': { type: 'string', value: 'N|none', help: 'total tokens per UTC month [none]' },
    'max-concurrent': { type: 'string', value: 'N|none', help: 'requests in flight at the same time [none]' },
    unlimited: { type: 'boolean', help: 'none of these limits' },
    'allowed-models': { type: 'string', value: 'A,B', help: 'only these models [all]' },
    'expires-at': { type: 'string', value: 'TIME', help: 'ISO 8601, e.g. 2030-01-31T12:00:00Z [never]' },
    json: { type: 'boolean', help: 'the object of POST /admin/api-keys, for scripts' },
    config: CONFIG,
  },
  details: `${DATABASE}\nAPI_KEY_PEPPER must be the one the gateway runs with, or the key will be unknown to it.`,
  async run(args) {
    const wanted = newKeyFrom(args, Date.now());
    const { apiKeyPepper } = configOf(args);
    if (apiKeyPepper === null) throw new ConfigError(['API_KEY_PEPPER is required']);
    const { key, secret } = createKey(wanted, Date.now());
    await withStore(args, (store) => store.insertKey(key, hashKey(secret, apiKeyPepper)));
    if (args.flags.json) printJson({ ...keyToJson(key), key: secret });
    else
      process.stdout.write(
        `${secret}\n\n${describe(key)}\nThe key is shown this once and stored nowhere: keep it now.\n`,
      );
    return 0;
  },
};

const list: Command = {
  name: 'list',
  summary: 'list all keys, newest first',
  options: { json: JSON_OUTPUT, config: CONFIG },
  details: `${DATABASE}\nKeys themselves are not stored; PREFIX is the first 12 characters of each.`,
  async run(args) {
    const found = await withStore(args, (store) => store.listKeys());
    if (args.flags.json) printJson(found.map(keyToJson));
    else if (found.length === 0) process.stdout.write("no keys yet; 'bve keys create --name NAME' creates one\n");
    else process.stdout.write(keyTable(found, Date.now()));
    return 0;
  },
};

export const keys: CommandGroup = {
  name: 'keys',
  summary: 'create, list and revoke client keys',
  commands: [
    create,
    list,
    statusCommand('revoke', 'revoked', 'stop a key for good'),
    statusCommand('suspend', 'suspended', 'stop a key until it is activated again'),
    statusCommand('activate', 'active', 'let a suspended key work again'),
  ],
};

function statusCommand(name: string, status: KeyStatus, summary: string): Command {
  return {
    name,
    summary,
    positionals: ['ID'],
    options: { json: JSON_OUTPUT, config: CONFIG },
    details: `ID is a key's id, or as much of the beginning of its id or prefix as no other key shares (${KEY_TEXT_MIN} characters at
least). A running gateway follows within one second.\n${DATABASE}`,
    async run(args) {
      const key = await withStore(args, (store) => changeStatus(store, args.positionals[0]!, status));
      if (args.flags.json) printJson(keyToJson(key));
      else process.stdout.write(`${key.prefix}… '${printable(key.name)}' is ${key.status}\n`);
      return 0;
    },
  };
}

/** @throws UsageError */
function newKeyFrom(args: Arguments, nowMs: number): NewKey {
  return {
    name: nameFrom(args),
    ...limitsFrom(args),
    allowedModels: modelsFrom(args),
    expiresAt: expiryFrom(args, nowMs),
  };
}

function nameFrom(args: Arguments): string {
  const name = textFlag(args, 'name');
  if (name === undefined) throw new UsageError('--name is missing');
  if ([...name].length > KEY_NAME_CHARACTERS_MAX) {
    throw new UsageError(`--name takes 1 to ${KEY_NAME_CHARACTERS_MAX} characters`);
  }
  return name;
}

/** A limit that no flag names is left out, and has its default. */
function limitsFrom(args: Arguments): Partial<Record<LimitName, number | null>> {
  const limits: Partial<Record<LimitName, number | null>> = {};
  for (const name of Object.keys(LIMITS) as LimitName[]) {
    const flag = LIMITS[name];
    const limit = limitFrom(args, flag);
    if (args.flags.unlimited && typeof limit === 'number') {
      throw new UsageError(`--unlimited and --${flag} contradict each other`);
    }
    if (args.flags.unlimited) limits[name] = null;
    else if (limit !== undefined) limits[name] = limit;
  }
  return limits;
}

function limitFrom(args: Arguments, flag: string): number | null | undefined {
  const text = textFlag(args, flag);
  if (text === undefined) return undefined;
  if (text === 'none') return null;
  const limit = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  // 0 is refused because it would be read as "no limit" by some and as "nothing at all" by others.
  if (limit < 1) throw new UsageError(`--${flag} takes a whole number from 1 on, or 'none', not '${text}'`);
  return limit;
}

function modelsFrom(args: Arguments): string[] | null {
  const text = textFlag(args, 'allowed-models');
  if (text === undefined) return null;
  const models = text.split(',').map((model) => model.trim());
  if (models.includes('')) throw new UsageError(`--allowed-models takes names with commas between them, not '${text}'`);
  return [...new Set(models)];
}

function expiryFrom(args: Arguments, nowMs: number): number | null {
  const text = textFlag(args, 'expires-at');
  if (text === undefined) return null;
  const time = ISO_TIME.test(text) && isCalendarDay(text.slice(0, 10)) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(`--expires-at takes an ISO 8601 time with its zone, e.g. 2030-01-31T12:00:00Z, not '${text}'`);
  }
  if (time <= nowMs) throw new UsageError(`--expires-at must lie in the future, not '${text}'`);
  return time;
}

/** Date.parse takes February 30 for March 2. */
function isCalendarDay(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}

async function changeStatus(store: Store, text: string, status: KeyStatus): Promise<ApiKey> {
  const { id } = await keyNamed(store, text);
  const change = await store.setKeyStatus(id, status, Date.now());
  switch (change.kind) {
    case 'changed':
      return change.key;
    case 'revoked':
      throw new CommandFailure(`key ${id} is revoked, and that is final: create a new one`);
    case 'unknown':
      throw new CommandFailure(`there is no key ${id}`);
  }
}

/** @throws CommandFailure when the text names no key, or more than one */
async function keyNamed(store: Store, text: string): Promise<ApiKey> {
  // Not echoed: what was meant for a prefix may be the whole secret.
  if (isKeyForm(text)) throw new CommandFailure('that is a whole key: give its id, or its first 12 characters');
  const exact = await store.getKey(text);
  if (exact) return exact;
  if (text.length < KEY_TEXT_MIN) throw new CommandFailure(`'${text}' is too short to name a key`);
  const found = (await store.listKeys()).filter((key) => key.id.startsWith(text) || key.prefix.startsWith(text));
  if (found.length > 1) {
    const rows = found.map((key) => `  ${key.id}  ${key.prefix}  ${key.status}  ${printable(key.name)}`);
    throw new CommandFailure(`'${text}' names ${found.length} keys, give the id:\n${rows.join('\n')}`);
  }
  if (!found[0]) throw new CommandFailure(`there is no key '${text}'`);
  return found[0];
}

function configOf(args: Arguments) {
  return loadKeysConfig({ configFile: textFlag(args, 'config') });
}

async function withStore<T>(args: Arguments, work: (store: Store) => Promise<T>): Promise<T> {
  const { databaseUrl } = configOf(args);
  let store: Store | undefined;
  try {
    store = await Store.open(databaseUrl, { busyTimeoutMs: BUSY_TIMEOUT_MS });
    return await work(store);
  } catch (error) {
    if (error instanceof StoreError) throw new CommandFailure(error.message);
    throw error;
  } finally {
    await store?.close();
  }
}

function describe(key: ApiKey): string {
  const models = key.allowedModels === null ? 'all' : key.allowedModels.map(printable).join(', ');
  const expires = key.expiresAt === null ? 'never' : new Date(key.expiresAt).toISOString();
  return `id       ${key.id}\nname     ${printable(key.name)}\nlimits   ${limitsOf(key)}\nmodels   ${models}\nexpires  ${expires}\n`;
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
