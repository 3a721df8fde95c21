/**
 * What a client key is: its fields, its secret, its hash, its JSON form.
 *
 * The secret exists in the answer that creates it and in the client's requests, nowhere else: the store holds
 * sha256(secret + pepper), the record holds the first 12 characters for people to recognise it by.
 */

export type KeyStatus = 'active' | 'suspended' | 'revoked';

/** Times are milliseconds since 1970; a limit of null is no limit. */
export interface ApiKey {
  readonly id: string;
  readonly name: string;
  /** The first 12 characters of the current secret. */
  readonly prefix: string;
  readonly status: KeyStatus;
  readonly rpmLimit: number | null;
  readonly rpdLimit: number | null;
  readonly monthlyLimit: number | null;
  readonly monthlyTokenLimit: number | null;
  readonly maxConcurrent: number | null;
  /** null: every model. */
  readonly allowedModels: readonly string[] | null;
  readonly injectStreamUsage: boolean;
  readonly expiresAt: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastUsedAt: number | null;
}

/** What whoever creates a key may choose; what is left out has its default (contract, section 5). */
export type NewKey = Pick<ApiKey, 'name'> &
  Partial<
    Pick<
      ApiKey,
      | 'rpmLimit'
      | 'rpdLimit'
      | 'monthlyLimit'
      | 'monthlyTokenLimit'
      | 'maxConcurrent'
      | 'allowedModels'
      | 'injectStreamUsage'
      | 'expiresAt'
    >
  >;

/** What may be changed of a key that exists; what is left out stays. */
export type KeyChanges = Partial<NewKey>;

export const KEY_NAME_CHARACTERS_MAX = 255;
/** Whole numbers up to here are exact in JSON, in doubles and in both databases. */
export const LIMIT_MAX = 999_999_999_999_999;
/** A year: whoever needs two secrets for longer needs two keys. */
export const GRACE_SECONDS_MAX = 366 * 24 * 60 * 60;
const SECRET_START = 'sk-bve-';
const SECRET_LENGTH = SECRET_START.length + 64;
const PREFIX_LENGTH = 12;

/** An active key and its secret, which is to be shown once and never stored. */
export function createKey(wanted: NewKey, nowMs: number): { key: ApiKey; secret: string } {
  const secret = newSecret();
  const key: ApiKey = {
    id: crypto.randomUUID(),
    name: wanted.name,
    prefix: prefixOf(secret),
    status: 'active',
    rpmLimit: wanted.rpmLimit === undefined ? 60 : wanted.rpmLimit,
    rpdLimit: wanted.rpdLimit === undefined ? 10_000 : wanted.rpdLimit,
    monthlyLimit: wanted.monthlyLimit ?? null,
    monthlyTokenLimit: wanted.monthlyTokenLimit ?? null,
    maxConcurrent: wanted.maxConcurrent ?? null,
    allowedModels: wanted.allowedModels ?? null,
    injectStreamUsage: wanted.injectStreamUsage ?? false,
    expiresAt: wanted.expiresAt ?? null,
    createdAt: nowMs,
    updatedAt: nowMs,
    lastUsedAt: null,
  };
  return { key, secret };
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

/** The key object of the contract, section 7: these fields, in this order. */
export function keyToJson(key: ApiKey) {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    status: key.status,
    rpm_limit: key.rpmLimit,
    rpd_limit: key.rpdLimit,
    monthly_limit: key.monthlyLimit,
    monthly_token_limit: key.monthlyTokenLimit,
    max_concurrent: key.maxConcurrent,
    allowed_models: key.allowedModels,
    inject_stream_usage: key.injectStreamUsage,
    expires_at: isoOrNull(key.expiresAt),
    created_at: new Date(key.createdAt).toISOString(),
    last_used_at: isoOrNull(key.lastUsedAt),
  };
}

function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
