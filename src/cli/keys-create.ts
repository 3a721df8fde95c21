/** `bve keys create`: the key object of POST /admin/api-keys, made from flags. */
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
  summary: 'create a key and show it, this once',
  options: {
    ...keyFlags(true),
    json: { type: 'boolean', help: 'the object of POST /admin/api-keys, for scripts' },
    config: CONFIG,
  },
  details: `${DATABASE}\nAPI_KEY_PEPPER must be the one the gateway runs with, or the key will be unknown to it.`,
  async run(args) {
    const wanted = newKeyFrom(args, Date.now());
    const pepper = pepperOf(args);
    // Before there is a key: what is wrong with HOST must not keep its secret from being shown.
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
The key is shown this once and stored nowhere: keep it now.

${clientLines(baseUrl, secret)}`;
}

/** Where a gateway with this configuration listens. @throws ConfigError */
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
