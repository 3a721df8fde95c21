/** The database for commands that work without a gateway, and the lookup of a key by what a user types. */
import { ConfigError } from '../config/config-error.ts';
import { loadKeysConfig } from '../config/load.ts';
import { type ApiKey, isKeyForm } from '../keys/key.ts';
import { openStore, storeOptionsOf } from '../store/open-store.ts';
import type { KeyChange, Store } from '../store/store.ts';
import { StoreError } from '../store/store-error.ts';
import { type Arguments, CommandFailure, type OptionSpec, textFlag } from './command.ts';
import { printable } from './keys-table.ts';

export const CONFIG: OptionSpec = {
  type: 'string',
  value: 'FILE',
  help: 'TOML file with database_url and api_key_pepper',
};
export const JSON_OUTPUT: OptionSpec = { type: 'boolean', help: 'as JSON, for scripts' };
export const DATABASE =
  'DATABASE_URL names the database, sqlite://bve.db by default; a gateway that runs on it may keep running.';

/** Shorter texts match a key too easily by accident. 8 characters are the first group of an id, or sk-bve- and a digit. */
const KEY_TEXT_MIN = 8;
export const ID_DETAILS = `ID is the id of a key, or the beginning of its id or prefix if no other key shares it (at least ${KEY_TEXT_MIN} characters).
A running gateway applies the change within one second.`;
/** A command can wait until the gateway has written its batch. */
const BUSY_TIMEOUT_MS = 5_000;

/** @throws ConfigError */
function configOf(args: Arguments) {
  return loadKeysConfig({ configFile: textFlag(args, 'config') });
}

/** @throws ConfigError when it is not set */
export function pepperOf(args: Arguments): string {
  const { apiKeyPepper } = configOf(args);
  if (apiKeyPepper === null) throw new ConfigError(['API_KEY_PEPPER is required']);
  return apiKeyPepper;
}

/** Opens the store for one task. @throws CommandFailure in place of a StoreError */
export async function withStore<T>(args: Arguments, work: (store: Store) => Promise<T>): Promise<T> {
  const config = configOf(args);
  let store: Store | undefined;
  try {
    store = await openStore(config.databaseUrl, {
      ...storeOptionsOf(config),
      busyTimeoutMs: BUSY_TIMEOUT_MS,
    });
    return await work(store);
  } catch (error) {
    if (error instanceof StoreError) throw new CommandFailure(error.message);
    throw error;
  } finally {
    await store?.close();
  }
}

/** @throws CommandFailure when the text matches no key, or more than one */
export async function keyNamed(store: Store, text: string): Promise<ApiKey> {
  // Not repeated in the message: it is a secret.
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

/** @throws CommandFailure when there was nothing to change */
export function changedKey(change: KeyChange, id: string): ApiKey {
  switch (change.kind) {
    case 'changed':
      return change.key;
    case 'revoked':
      throw new CommandFailure(`key ${id} is revoked, and that is final: create a new one`);
    case 'unknown':
      throw new CommandFailure(`there is no key ${id}`);
  }
}
