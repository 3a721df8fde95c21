/** `bve keys`: client keys, straight in the database, whether or not a gateway is running on it. */
import { ConfigError } from '../config/config-error.ts';
import {
  type ApiKey,
  GRACE_SECONDS_MAX,
  hashKey,
  type KeyStatus,
  keyToJson,
  newSecret,
  prefixOf,
} from '../keys/key.ts';
import type { KeyChange, Store } from '../store/store.ts';
import { type Command, CommandFailure, type CommandGroup, integerFlag } from './command.ts';
import { create } from './keys-create.ts';
import {
  CONFIG,
  configOf,
  DATABASE,
  JSON_OUTPUT,
  KEY_TEXT_MIN,
  keyNamed,
  printJson,
  withStore,
} from './keys-database.ts';
import { importCommand } from './keys-import.ts';
import { keyTable, printable } from './keys-table.ts';

const ID_DETAILS = `ID is a key's id, or as much of the beginning of its id or prefix as no other key shares (${KEY_TEXT_MIN} characters at
least). A running gateway follows within one second.`;

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

const rotate: Command = {
  name: 'rotate',
  summary: 'give a key a new secret and show it, this once',
  positionals: ['ID'],
  options: {
    'grace-seconds': { type: 'string', value: 'N', help: 'the old secret works on for this long [0]' },
    json: { type: 'boolean', help: 'the object of POST /admin/api-keys/{id}/rotate, for scripts' },
    config: CONFIG,
  },
  details: `${ID_DETAILS}\n${DATABASE}\nAPI_KEY_PEPPER must be the one the gateway runs with.`,
  async run(args) {
    const graceS = integerFlag(args, 'grace-seconds', 0, 0, GRACE_SECONDS_MAX);
    const { apiKeyPepper } = configOf(args);
    if (apiKeyPepper === null) throw new ConfigError(['API_KEY_PEPPER is required']);
    const secret = newSecret();
    const stored = { hash: hashKey(secret, apiKeyPepper), prefix: prefixOf(secret) };
    const key = await withStore(args, async (store) => {
      const { id } = await keyNamed(store, args.positionals[0]!);
      return changed(await store.rotateKey(id, stored, graceS * 1000, Date.now()), id);
    });
    if (args.flags.json) printJson({ ...keyToJson(key), key: secret });
    else {
      const old = graceS === 0 ? 'has stopped working' : `works for ${graceS} more seconds`;
      process.stdout.write(
        `${secret}\n\nThe old secret of '${printable(key.name)}' ${old}.\nThe new one is shown this once and stored nowhere: keep it now.\n`,
      );
    }
    return 0;
  },
};

export const keys: CommandGroup = {
  name: 'keys',
  summary: 'create, list, rotate, import and revoke client keys',
  commands: [
    create,
    list,
    rotate,
    importCommand,
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
    details: `${ID_DETAILS}\n${DATABASE}`,
    async run(args) {
      const key = await withStore(args, (store) => changeStatus(store, args.positionals[0]!, status));
      if (args.flags.json) printJson(keyToJson(key));
      else process.stdout.write(`${key.prefix}… '${printable(key.name)}' is ${key.status}\n`);
      return 0;
    },
  };
}

async function changeStatus(store: Store, text: string, status: KeyStatus): Promise<ApiKey> {
  const { id } = await keyNamed(store, text);
  return changed(await store.setKeyStatus(id, status, Date.now()), id);
}

/** @throws CommandFailure when there was nothing to change */
function changed(change: KeyChange, id: string): ApiKey {
  switch (change.kind) {
    case 'changed':
      return change.key;
    case 'revoked':
      throw new CommandFailure(`key ${id} is revoked, and that is final: create a new one`);
    case 'unknown':
      throw new CommandFailure(`there is no key ${id}`);
  }
}
