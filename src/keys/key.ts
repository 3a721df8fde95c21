/**
 * A client key: its secret, hash and JSON form, and rules that combine several of its fields.
 *
 * A secret exists only in the answer that creates it and in the client's requests. The store keeps sha256(secret + pepper)
 * and the first 12 characters, by which people recognise a key.
 */
import { FIELD_LIST, type KeyFieldValues, mapFields } from './fields.ts';
import { isoOrNull } from './iso-time.ts';

export type KeyStatus = 'active' | 'suspended' | 'revoked';

/** Times are milliseconds since 1970; a limit of null means no limit. The configurable fields are in fields.ts. */
export interface ApiKey extends KeyFieldValues {
  readonly id: string;
  /** The first 12 characters of the current secret. */
  readonly prefix: string;
  readonly status: KeyStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastUsedAt: number | null;
}

/** Changes to an existing key; absent fields stay as they are. */
export type KeyChanges = Partial<KeyFieldValues>;

/** Fields of a new key; absent fields get their defaults. */
export type NewKey = Pick<KeyFieldValues, 'name'> & KeyChanges;

/** One year. For longer than that, use two keys. */
export const GRACE_SECONDS_MAX = 366 * 24 * 60 * 60;
const SECRET_START = 'sk-bve-';
const SECRET_LENGTH = SECRET_START.length + 64;
const PREFIX_LENGTH = 12;

/** Creates an active key and its secret. The secret is shown once and never stored. */
export function createKey(wanted: NewKey, nowMs: number): { key: ApiKey; secret: string } {
  const secret = newSecret();
  const chosen = mapFields((property, field) => (wanted[property] === undefined ? field.default : wanted[property]));
  const key: ApiKey = {
    ...chosen,
    id: crypto.randomUUID(),
    prefix: prefixOf(secret),
    status: 'active',
    createdAt: nowMs,
    updatedAt: nowMs,
    lastUsedAt: null,
  };
  return { key, secret };
}

/** Whether the gateway asks upstream for the usage of this key's streams. A token limit needs it. */
export function asksForStreamUsage(key: ApiKey, byDefault: boolean): boolean {
  return key.injectStreamUsage ?? (key.monthlyTokenLimit !== null || byDefault);
}

/** Whether the gateway reads an answer on for its usage after the client has disconnected. */
export function drainsOnLeave(key: ApiKey): boolean {
  return (key.onLeave ?? (key.monthlyTokenLimit === null ? 'cancel' : 'drain')) === 'drain';
}

/** `sk-bve-` and 64 lowercase hex digits: 256 random bits. */
export function newSecret(): string {
  return SECRET_START + crypto.getRandomValues(new Uint8Array(32)).toHex();
}

/** The part of a secret that is stored and shown. */
export function prefixOf(secret: string): string {
  return secret.slice(0, PREFIX_LENGTH);
}

/** Whether a text has the form of a secret. Reads at most 71 characters. */
export function isKeyForm(text: string): boolean {
  if (text.length !== SECRET_LENGTH || !text.startsWith(SECRET_START)) return false;
  for (let i = SECRET_START.length; i < SECRET_LENGTH; i++) {
    const code = text.charCodeAt(i);
    const isHex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
    if (!isHex) return false;
  }
  return true;
}

/** The stored hash of a secret, 64 hex digits. One fast hash is enough for 256 random bits. */
export function hashKey(secret: string, pepper: string): string {
  return Bun.SHA256.hash(secret + pepper, 'hex');
}

/** The key object of the contract, section 7, with its fields in that order. */
export function keyToJson(key: ApiKey) {
  const chosen = Object.fromEntries(FIELD_LIST.map(([property, field]) => [field.name, field.toJson(key[property])]));
  const { name, ...others } = chosen;
  return {
    id: key.id,
    name,
    prefix: key.prefix,
    status: key.status,
    ...others,
    created_at: isoOrNull(key.createdAt),
    last_used_at: isoOrNull(key.lastUsedAt),
  };
}
