/** `bve keys rotate`: replaces the secret of a key. */
import { GRACE_SECONDS_MAX, hashKey, keyToJson, newSecret, prefixOf } from '../keys/key.ts';
import { print, printJson } from '../output.ts';
import { type Command, integerFlag } from './command.ts';
import { CONFIG, changedKey, DATABASE, ID_DETAILS, keyNamed, pepperOf, withStore } from './keys-database.ts';
import { showSecret } from './keys-secret.ts';
import { printable } from './keys-table.ts';

export const rotate: Command = {
  name: 'rotate',
  summary: 'replace the secret of a key and show the new one, only this once',
  positionals: ['ID'],
  options: {
    'grace-seconds': { type: 'string', value: 'N', help: 'the old secret keeps working for this many seconds [0]' },
    json: { type: 'boolean', help: 'the object of POST /admin/api-keys/{id}/rotate, for scripts' },
    config: CONFIG,
  },
  details: `${ID_DETAILS}\n${DATABASE}\nAPI_KEY_PEPPER must be that of the gateway.`,
  async run(args) {
    const graceS = integerFlag(args, 'grace-seconds', 0, 0, GRACE_SECONDS_MAX);
    const secret = newSecret();
    const stored = { hash: hashKey(secret, pepperOf(args)), prefix: prefixOf(secret) };
    const key = await withStore(args, async (store) => {
      const { id } = await keyNamed(store, args.positionals[0]!);
      return changedKey(await store.rotateKey(id, stored, graceS * 1000, Date.now()), id);
    });
    const old = graceS === 0 ? 'has stopped working' : `works for ${graceS} more seconds`;
    showSecret(key, () => {
      if (args.flags.json) printJson({ ...keyToJson(key), key: secret });
      else {
        print(
          `${secret}\n\nThe old secret of '${printable(key.name)}' ${old}.\nThe new one is shown this once and is not stored: save it now.\n`,
        );
      }
    });
    return 0;
  },
};
