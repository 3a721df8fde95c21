/** `bve keys delete`: deletes a revoked key from the database; its usage remains. */
import { keyToJson } from '../keys/key.ts';
import { print, printJson } from '../output.ts';
import type { KeyDeletion } from '../store/store.ts';
import { type Command, CommandFailure } from './command.ts';
import { CONFIG, DATABASE, ID_DETAILS, JSON_OUTPUT, keyNamed, withStore } from './keys-database.ts';
import { printable } from './keys-table.ts';

export const deleteCommand: Command = {
  name: 'delete',
  summary: 'delete a revoked key; its usage remains',
  positionals: ['ID'],
  options: { json: { ...JSON_OUTPUT, help: 'the deleted key as JSON' }, config: CONFIG },
  details: `${ID_DETAILS}\n${DATABASE}`,
  async run(args) {
    const key = await withStore(args, async (store) => {
      const { id } = await keyNamed(store, args.positionals[0]!);
      return deletedKey(await store.deleteKey(id), id);
    });
    if (args.flags.json) printJson(keyToJson(key));
    else print(`${key.prefix}… '${printable(key.name)}' is deleted\n`);
    return 0;
  },
};

/** @throws CommandFailure */
function deletedKey(deletion: KeyDeletion, id: string) {
  switch (deletion.kind) {
    case 'deleted':
      return deletion.key;
    case 'not_revoked':
      throw new CommandFailure(`key ${id} is ${deletion.key.status}: revoke it first`);
    case 'unknown':
      throw new CommandFailure(`there is no key ${id}`);
  }
}
