/**
 * What operators do to keys, in the JSON form of the contract. Owns that a change is in the store before this process is
 * told of it, and told before the caller is answered: the next request meets the key as it is now.
 */
import { GatewayError } from '../errors.ts';
import {
  type ApiKey,
  createKey,
  hashKey,
  type KeyChanges,
  type KeyStatus,
  keyToJson,
  type NewKey,
  newSecret,
  prefixOf,
} from '../keys/key.ts';
import type { Log } from '../observe/log.ts';
import type { KeyChange, Store } from '../store/store.ts';

/** Whoever holds keys in memory. */
export interface ChangeReach {
  /** The next request with this key meets it as it is now. */
  forget(keyId: string): void;
}

export class KeyDesk {
  constructor(
    private readonly store: Store,
    private readonly pepper: string,
    private readonly reach: ChangeReach,
    private readonly log: Log,
  ) {}

  async list() {
    return (await this.store.listKeys()).map(keyToJson);
  }

  /** @throws GatewayError api_key_not_found */
  async get(id: string) {
    const key = await this.store.getKey(id);
    if (!key) throw notFound();
    return keyToJson(key);
  }

  async create(wanted: NewKey) {
    const { key, secret } = createKey(wanted, Date.now());
    await this.store.insertKey(key, hashKey(secret, this.pepper));
    this.tell('create', key);
    return { ...keyToJson(key), key: secret };
  }

  /** @throws GatewayError api_key_not_found, conflict */
  async patch(id: string, changes: KeyChanges) {
    return keyToJson(this.changed('patch', await this.store.patchKey(id, changes, Date.now())));
  }

  /** @throws GatewayError api_key_not_found, conflict */
  async setStatus(id: string, status: KeyStatus) {
    return keyToJson(this.changed(status, await this.store.setKeyStatus(id, status, Date.now())));
  }

  /** @throws GatewayError api_key_not_found, conflict */
  async rotate(id: string, graceS: number) {
    const secret = newSecret();
    const stored = { hash: hashKey(secret, this.pepper), prefix: prefixOf(secret) };
    const key = this.changed('rotate', await this.store.rotateKey(id, stored, graceS * 1000, Date.now()));
    return { ...keyToJson(key), key: secret };
  }

  private changed(action: string, change: KeyChange): ApiKey {
    switch (change.kind) {
      case 'unknown':
        throw notFound();
      case 'revoked':
        throw new GatewayError('conflict', 'API key is revoked, and that is final');
      case 'changed':
        this.tell(action, change.key);
        return change.key;
    }
  }

  private tell(action: string, key: ApiKey): void {
    this.reach.forget(key.id);
    this.log.info({ action, key_id: key.id, key_status: key.status }, 'admin');
  }
}

function notFound(): GatewayError {
  return new GatewayError('api_key_not_found', 'API key not found');
}
