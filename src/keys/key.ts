/**
 * What a client key is: its secret, its hash, its JSON form, and what its fields mean together.
 *
 * The secret exists in the answer that creates it and in the client's requests, nowhere else: the store holds
 * sha256(secret + pepper), the record holds the first 12 characters for people to recognise it by.
 */
import { FIELD_LIST, type KeyFieldValues, mapFields } from './fields.ts';
import { isoOrNull } from './iso-time.ts';

export type KeyStatus = 'active' | 'suspended' | 'revoked';

/** Times are milliseconds since 1970; a limit of null is no limit. What may be chosen is in fields.ts. */
export interface ApiKey extends KeyFieldValues {
  readonly id: string;
  /** The first 12 characters of the current secret. */
  readonly prefix: string;
  readonly status: KeyStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastUsedAt: number | null;
}

/** What may be changed of a key that exists; what is left out stays. */
export type KeyChanges = Partial<KeyFieldValues>;

/** What whoever creates a key may choose; what is left out has its default. */
export type NewKey = Pick<KeyFieldValues, 'name'> & KeyChanges;

/** A year: whoever needs two secrets for longer needs two keys. */
export const GRACE_SECONDS_MAX = 366 * 24 * 60 * 60;
const SECRET_START = 'sk-bve-';
const SECRET_LENGTH = SECRET_START.length + 64;
const PREFIX_LENGTH = 12;

/** An active key and its secret, which is to be shown once and never stored. */
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

/** Whether streams of this key are asked for their usage. A token limit could not hold without it. */
export function asksForStreamUsage(key: ApiKey, byDefault: boolean): boolean {
  return key.injectStreamUsage ?? (key.monthlyTokenLimit !== null || byDefault);
}

/** Whether an answer whose client has left is read on for its usage. */
export function drainsOnLeave(key: ApiKey): boolean {
  return (key.onLeave ?? (key.monthlyTokenLimit === null ? 'cancel' : 'drain')) === 'drain';
}

/** `sk-bve-` and 64 lowercase hex digits: 256 random bits. */
export function newSecret(): string {
  return SECRET_START + crypto.getRandomValues(new Uint8Array(32)).toHex();
}

/** What people recognise a secret by. */
export function prefixOf(secret: string): string {
  return secret.slice(0, PREFIX_LENGTH);
}

/** Whether a text can be a secret of ours at all; looks at no more than 71 characters. */
export function isKeyForm(text: string): boolean {
  if (text.length !== SECRET_LENGTH || !text.startsWith(SECRET_START)) return false;
  for (let i = SECRET_START.length; i < SECRET_LENGTH; i++) {
    const code = text.charCodeAt(i);
    const isHex = (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
    if (!isHex) return false;
  }
  return true;
}

/** What the store keeps instead of the secret, 64 hex digits. One fast hash is enough for 256 random bits. */
export function hashKey(secret: string, pepper: string): string {
  return Bun.SHA256.hash(secret + pepper, 'hex');
}

/** The key object of the contract, section 7: its fields in its order. */
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
