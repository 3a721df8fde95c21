/** `bve keys create`: the key object of POST /admin/api-keys, made from flags. */
import { ConfigError } from '../config/config-error.ts';
import { type ApiKey, createKey, hashKey, keyToJson, type NewKey } from '../keys/key.ts';
import { type Arguments, type Command, UsageError } from './command.ts';
import { fieldsFrom, keyFlags } from './key-flags.ts';
import { CONFIG, configOf, DATABASE, printJson, withStore } from './keys-database.ts';
import { limitsOf, printable } from './keys-table.ts';

export const create: Command = {
  name: 'create',
  summary: 'create a key and show it, this once',
  options: {
    ...keyFlags(true),
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
  const { name, ...others } = fieldsFrom(args);
  if (name === undefined) throw new UsageError('--name is missing');
  if (typeof others.expiresAt === 'number' && others.expiresAt <= nowMs) {
    throw new UsageError(`--expires-at must lie in the future, not '${args.flags['expires-at']}'`);
  }
  return { name, ...others };
}

function describe(key: ApiKey): string {
  const models = key.allowedModels === null ? 'all' : key.allowedModels.map(printable).join(', ');
  const expires = key.expiresAt === null ? 'never' : new Date(key.expiresAt).toISOString();
  return `id       ${key.id}\nname     ${printable(key.name)}\nlimits   ${limitsOf(key)}\nmodels   ${models}\nexpires  ${expires}\n`;
}
