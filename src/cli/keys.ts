/** `bve keys`: manages client keys directly in the database, with or without a running gateway. */
import { type KeyStatus, keyToJson } from '../keys/key.ts';
import { print, printJson } from '../output.ts';
import type { Command, CommandGroup } from './command.ts';
import { create } from './keys-create.ts';
import { CONFIG, changedKey, DATABASE, ID_DETAILS, JSON_OUTPUT, keyNamed, withStore } from './keys-database.ts';
import { deleteCommand } from './keys-delete.ts';
import { importCommand } from './keys-import.ts';
import { rotate } from './keys-rotate.ts';
import { keyTable, printable } from './keys-table.ts';
import { update } from './keys-update.ts';

const list: Command = {
  name: 'list',
  summary: 'list all keys, newest first',
  options: { json: JSON_OUTPUT, config: CONFIG },
  details: `${DATABASE}\nSecrets are not stored; PREFIX is the first 12 characters of a key.`,
  async run(args) {
    const found = await withStore(args, (store) => store.listKeys());
    if (args.flags.json) printJson(found.map(keyToJson));
    else if (found.length === 0) print("no keys yet; 'bve keys create --name NAME' creates one\n");
    else print(keyTable(found, Date.now()));
    return 0;
  },
};

export const keys: CommandGroup = {
  name: 'keys',
  summary: 'create, list, change, rotate, import, revoke and delete client keys',
  commands: [
    create,
    list,
    update,
    rotate,
    importCommand,
    statusCommand('revoke', 'revoked', 'disable a key permanently'),
    statusCommand('suspend', 'suspended', 'disable a key until it is activated'),
    statusCommand('activate', 'active', 'enable a suspended key'),
    deleteCommand,
  ],
};

function statusCommand(name: string, status: KeyStatus, summary: string): Command {
  return {
    name,
    summary,
    positionals: ['ID'],
    options: { json: JSON_OUTPUT, config: CONFIG },
    details: `${ID_DETAILS}\n${DATABASE}`,
    async run(args) {
      const key = await withStore(args, async (store) => {
        const { id } = await keyNamed(store, args.positionals[0]!);
        return changedKey(await store.setKeyStatus(id, status, Date.now()), id);
      });
      if (args.flags.json) printJson(keyToJson(key));
      else print(`${key.prefix}… '${printable(key.name)}' is ${key.status}\n`);
      return 0;
    },
  };
}
