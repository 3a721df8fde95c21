/** `bve keys create`: the key object of POST /admin/api-keys, made from flags. */
import { ConfigError } from '../config/load.ts';
import { parseIsoTime } from '../keys/iso-time.ts';
import { type ApiKey, createKey, hashKey, KEY_NAME_CHARACTERS_MAX, keyToJson, type NewKey } from '../keys/key.ts';
import { type Arguments, type Command, textFlag, UsageError } from './command.ts';
import { CONFIG, configOf, DATABASE, printJson, withStore } from './keys-database.ts';
import { limitsOf, printable } from './keys-table.ts';

/** In the order of the key object. */
const LIMITS = {
  rpmLimit: 'rpm-limit',
  rpdLimit: 'rpd-limit',
  monthlyLimit: 'monthly-limit',
  monthlyTokenLimit: 'monthly-token-limit',
  maxConcurrent: 'max-concurrent',
} as const;
type LimitName = keyof typeof LIMITS;

export const create: Command = {
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
    'inject-stream-usage': { type: 'boolean', help: 'ask upstream for the usage of streams, see STREAM_USAGE' },
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

/** @throws UsageError */
function newKeyFrom(args: Arguments, nowMs: number): NewKey {
  return {
    name: nameFrom(args),
    ...limitsFrom(args),
    allowedModels: modelsFrom(args),
    injectStreamUsage: args.flags['inject-stream-usage'] === true,
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
  const time = parseIsoTime(text);
  if (time === null) {
    throw new UsageError(`--expires-at takes an ISO 8601 time with its zone, e.g. 2030-01-31T12:00:00Z, not '${text}'`);
  }
  if (time <= nowMs) throw new UsageError(`--expires-at must lie in the future, not '${text}'`);
  return time;
}

function describe(key: ApiKey): string {
  const models = key.allowedModels === null ? 'all' : key.allowedModels.map(printable).join(', ');
  const expires = key.expiresAt === null ? 'never' : new Date(key.expiresAt).toISOString();
  return `id       ${key.id}\nname     ${printable(key.name)}\nlimits   ${limitsOf(key)}\nmodels   ${models}\nexpires  ${expires}\n`;
}
