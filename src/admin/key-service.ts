/**
 * Operations on keys, with results in the JSON form of the contract.
 *
 * Guarantees the order of a change: written to the store, dropped from this process's key cache, logged with the caller and
 * the changed fields, then answered. So the next request sees the new state of the key.
 */
import { GatewayError } from '../errors.ts';
import { limitsToJson } from '../gateway/key-status.ts';
import { FIELD_LIST } from '../keys/fields.ts';
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
import type { Limiter } from '../limits/limiter.ts';
import type { KeyChange, KeyStore, KeysQuery } from '../store/store.ts';
import type { AuditLog, Caller, FieldChanges } from './audit-log.ts';

/** The in-memory cache of keys. */
export interface HeldKeys {
  /** Drops a key: the next request with it reads the store. */
  forget(keyId: string): void;
}

interface KeyServiceOptions {
  readonly store: KeyStore;
  readonly pepper: string;
  readonly keys: HeldKeys;
  readonly limiter: Pick<Limiter, 'status'>;
  readonly audit: AuditLog;
}

export class KeyService {
  readonly #options: KeyServiceOptions;

  constructor(options: KeyServiceOptions) {
    this.#options = options;
  }

  async list(query: KeysQuery) {
    return (await this.#options.store.listKeys(query)).map(keyToJson);
  }

  /** Resolves the `after` parameter of a list. @throws GatewayError invalid_request */
  async cursor(id: string): Promise<ApiKey> {
    const key = await this.#options.store.getKey(id);
    if (!key) throw new GatewayError('invalid_request', "Invalid value for 'after': expected the id of a key");
    return key;
  }

  /** Includes the state of the key's limits. @throws GatewayError api_key_not_found */
  async get(id: string) {
    const key = await this.#options.store.getKey(id);
    if (!key) throw notFound();
    return { ...keyToJson(key), limits: limitsToJson(await this.#options.limiter.status(key, Date.now())) };
  }

  async create(wanted: NewKey, by: Caller) {
    const { store, pepper } = this.#options;
    const { key, secret } = createKey(wanted, Date.now());
    await store.insertKey(key, hashKey(secret, pepper));
    this.#record('create', key, fieldChanges(null, key), by);
    return { ...keyToJson(key), key: secret };
  }

  /** @throws GatewayError api_key_not_found, conflict */
  async update(id: string, changes: KeyChanges, by: Caller) {
    return keyToJson(this.#changed('update', await this.#options.store.patchKey(id, changes, Date.now()), by));
  }

  /** @throws GatewayError api_key_not_found, conflict */
  async setStatus(id: string, action: keyof typeof STATUS_OF, by: Caller) {
    const change = await this.#options.store.setKeyStatus(id, STATUS_OF[action], Date.now());
    return keyToJson(this.#changed(action, change, by));
  }

  /** @throws GatewayError api_key_not_found, conflict */
  async rotate(id: string, graceS: number, by: Caller) {
    const { store, pepper } = this.#options;
    const secret = newSecret();
    const stored = { hash: hashKey(secret, pepper), prefix: prefixOf(secret) };
    const change = await store.rotateKey(id, stored, graceS * 1000, Date.now());
    return { ...keyToJson(this.#changed('rotate', change, by, { grace_seconds: graceS })), key: secret };
  }

  /** @throws GatewayError api_key_not_found, conflict */
  async remove(id: string, by: Caller): Promise<void> {
    const deletion = await this.#options.store.deleteKey(id);
    switch (deletion.kind) {
      case 'unknown':
        throw notFound();
      case 'not_revoked':
        throw new GatewayError('conflict', 'Only a revoked API key can be deleted');
      case 'deleted':
        this.#record('delete', deletion.key, {}, by);
    }
  }

  #changed(action: string, change: KeyChange, by: Caller, details: object = {}): ApiKey {
    switch (change.kind) {
      case 'unknown':
        throw notFound();
      case 'revoked':
        throw new GatewayError('conflict', 'API key is revoked, and that is final');
      case 'changed': {
        const changes = fieldChanges(change.before, change.key);
        if (Object.keys(changes).length > 0) this.#record(action, change.key, changes, by, details);
        return change.key;
      }
    }
  }

  #record(action: string, key: ApiKey, changes: FieldChanges, by: Caller, details: object = {}): void {
    this.#options.keys.forget(key.id);
    this.#options.audit.changed(action, by, { key_id: key.id, ...details, changes });
  }
}

const STATUS_OF = { revoke: 'revoked', suspend: 'suspended', activate: 'active' } as const satisfies Record<
  string,
  KeyStatus
>;

/** The fields that differ from before; for a new key, those that differ from the defaults. */
function fieldChanges(before: ApiKey | null, after: ApiKey): FieldChanges {
  const fields = FIELD_LIST.map(([property, { name, default: initial, toJson }]) => {
    const from = before === null ? initial : before[property];
    return { name, from: from === undefined ? null : toJson(from), to: toJson(after[property]) };
  });
  const rows = [
    ...fields,
    { name: 'status', from: before?.status ?? 'active', to: after.status },
    { name: 'prefix', from: before?.prefix ?? after.prefix, to: after.prefix },
  ];
  const changed = rows.filter(({ from, to }) => !Bun.deepEquals(from, to, true));
  return Object.fromEntries(changed.map(({ name, from, to }) => [name, { from, to }]));
}

function notFound(): GatewayError {
  return new GatewayError('api_key_not_found', 'API key not found');
}
