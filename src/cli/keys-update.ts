/** `bve keys update`: does what PATCH /admin/api-keys/{id} does, with flags. */
import { keyToJson } from '../keys/key.ts';
import { print, printJson } from '../output.ts';
import { type Command, UsageError } from './command.ts';
import { fieldsFrom, keyFlags } from './key-flags.ts';
import { CONFIG, changedKey, DATABASE, ID_DETAILS, JSON_OUTPUT, keyNamed, withStore } from './keys-database.ts';
import { describeKey } from './keys-table.ts';

export const update: Command = {
  name: 'update',
  summary: 'change the name, limits and other fields of a key',
  positionals: ['ID'],
  options: { ...keyFlags(false), json: JSON_OUTPUT, config: CONFIG },
  details: `Fields without a flag stay as they are. Lists and tags are replaced as a whole.\n${ID_DETAILS}\n${DATABASE}`,
  async run(args) {
    const changes = fieldsFrom(args);
    if (Object.keys(changes).length === 0) throw new UsageError('nothing to change: give at least one field');
    const key = await withStore(args, async (store) => {
      const { id } = await keyNamed(store, args.positionals[0]!);
      return changedKey(await store.patchKey(id, changes, Date.now()), id);
    });
    if (args.flags.json) printJson(keyToJson(key));
    else print(describeKey(key));
    return 0;
  },
};
