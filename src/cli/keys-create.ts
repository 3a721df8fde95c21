/** `bve keys create`: does what POST /admin/api-keys does, with flags. */
import { localUrl } from '../config/address.ts';
import { loadAddress } from '../config/load.ts';
import { type ApiKey, createKey, hashKey, keyToJson, type NewKey } from '../keys/key.ts';
import { print, printJson } from '../output.ts';
import { type Arguments, type Command, textFlag, UsageError } from './command.ts';
import { fieldsFrom, keyFlags } from './key-flags.ts';
import { CONFIG, DATABASE, pepperOf, withStore } from './keys-database.ts';
import { clientLines, showSecret } from './keys-secret.ts';
import { describeKey } from './keys-table.ts';

export const create: Command = {
  name: 'create',
  summary: 'create a key and show its secret, only this once',
  options: {
    ...keyFlags(true),
    json: { type: 'boolean', help: 'the object of POST /admin/api-keys, for scripts' },
    config: CONFIG,
  },
  details: `${DATABASE}\nAPI_KEY_PEPPER must be that of the gateway, or the gateway will not accept the key.`,
  async run(args) {
    const wanted = newKeyFrom(args, Date.now());
    const pepper = pepperOf(args);
    // Before the key exists: a bad HOST must not prevent its secret from being shown.
    const baseUrl = args.flags.json ? '' : gatewayUrl(args);
    const { key, secret } = createKey(wanted, Date.now());
    await withStore(args, (store) => store.insertKey(key, hashKey(secret, pepper)));
    showSecret(key, () => {
      if (args.flags.json) printJson({ ...keyToJson(key), key: secret });
      else print(introduction(key, secret, baseUrl));
    });
    return 0;
  },
};

function introduction(key: ApiKey, secret: string, baseUrl: string): string {
  return `${secret}

${describeKey(key)}
The key is shown this once and is not stored: save it now.

${clientLines(baseUrl, secret)}`;
}

/** The URL of a gateway with this configuration. @throws ConfigError */
function gatewayUrl(args: Arguments): string {
  const { host, port } = loadAddress({ configFile: textFlag(args, 'config') });
  return localUrl(host, port === 0 ? 'PORT' : port);
}

/** @throws UsageError */
function newKeyFrom(args: Arguments, nowMs: number): NewKey {
  const { name, ...others } = fieldsFrom(args);
  if (name === undefined) throw new UsageError('--name is missing');
  if (typeof others.expiresAt === 'number' && others.expiresAt <= nowMs) {
    throw new UsageError(`--expires-at must lie in the future, not '${args.flags['expires-at']}'`);
  }
  return { name, ...others };
}
