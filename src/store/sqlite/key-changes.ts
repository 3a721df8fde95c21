/**
 * What can be done to keys that exist, and how keys of another deployment come in. Each function runs inside a
 * transaction of the caller's, so that what it reads is still true when it writes.
 */
import type { SQL } from 'bun';
import type { ApiKey, KeyChanges } from '../../keys/key.ts';
import { type KeyRow, keyFromRow, rowFromKey } from './rows.ts';

export type KeyChange =
  | { readonly kind: 'changed'; readonly key: ApiKey }
  | { readonly kind: 'unknown' }
  /** Revoked keys stay revoked, and as they were. */
  | { readonly kind: 'revoked'; readonly key: ApiKey };

export interface Secret {
  readonly hash: string;
  readonly prefix: string;
}

export interface ImportedKey {
  readonly key: ApiKey;
  readonly keyHash: string;
}

/** An imported key that cannot come in, because there is a key with this id or this hash already. */
export interface ImportConflict {
  /** Its place among the imported ones. */
  readonly index: number;
  readonly field: 'id' | 'key_hash';
}

/** Rows of one statement: both dialects bound the number of parameters (SQLite 32,766; a key has 16). */
const IMPORT_ROWS = 500;

/** Revoking twice is no error. */
export async function changeKey(
  tx: SQL,
  id: string,
  changes: KeyChanges & Partial<Pick<ApiKey, 'status'>>,
  nowMs: number,
): Promise<KeyChange> {
  const key = await read(tx, id);
  if (!key) return { kind: 'unknown' };
  if (key.status === 'revoked' && changes.status !== 'revoked') return { kind: 'revoked', key };
  const changed = { ...key, ...changes };
  if (Bun.deepEquals(key, changed, true)) return { kind: 'changed', key };
  return { kind: 'changed', key: await write(tx, changed, nowMs) };
}

/** The secrets so far work on for the grace, or for what is left of theirs if that is less. */
export async function replaceSecret(
  tx: SQL,
  id: string,
  secret: Secret,
  graceMs: number,
  nowMs: number,
): Promise<KeyChange> {
  const key = await read(tx, id);
  if (!key) return { kind: 'unknown' };
  if (key.status === 'revoked') return { kind: 'revoked', key };
  const endMs = nowMs + graceMs;
  await tx`UPDATE key_secrets SET expires_at = ${endMs}
    WHERE key_id = ${id} AND (expires_at IS NULL OR expires_at > ${endMs})`;
  // They answer like unknown keys anyway; kept, they would pile up with every rotation.
  await tx`DELETE FROM key_secrets WHERE key_id = ${id} AND expires_at <= ${nowMs}`;
  const row = { key_hash: secret.hash, key_id: id, created_at: nowMs, expires_at: null };
  await tx`INSERT INTO key_secrets ${tx(row)}`;
  return { kind: 'changed', key: await write(tx, { ...key, prefix: secret.prefix }, nowMs) };
}

/** Inserts all of them, or none when there are conflicts. Ids and hashes among them must be unique. */
export async function importKeys(tx: SQL, keys: readonly ImportedKey[]): Promise<ImportConflict[]> {
  const conflicts: ImportConflict[] = [];
  for (let start = 0; start < keys.length; start += IMPORT_ROWS) {
    const part = keys.slice(start, start + IMPORT_ROWS);
    const ids = await taken(
      tx,
      'SELECT id AS text FROM api_keys WHERE id',
      part.map(({ key }) => key.id),
    );
    const hashes = await taken(tx, 'SELECT key_hash AS text FROM key_secrets WHERE key_hash', part.map(hashOf));
    part.forEach((imported, i) => {
      if (ids.has(imported.key.id)) conflicts.push({ index: start + i, field: 'id' });
      if (hashes.has(imported.keyHash)) conflicts.push({ index: start + i, field: 'key_hash' });
    });
  }
  if (conflicts.length > 0) return conflicts;
  for (let start = 0; start < keys.length; start += IMPORT_ROWS) {
    const part = keys.slice(start, start + IMPORT_ROWS);
    await tx`INSERT INTO api_keys ${tx(part.map(({ key }) => rowFromKey(key)))}`;
    await tx`INSERT INTO key_secrets ${tx(part.map(secretRow))}`;
  }
  return [];
}

async function read(tx: SQL, id: string): Promise<ApiKey | null> {
  const [row] = await tx<KeyRow[]>`SELECT * FROM api_keys WHERE id = ${id}`;
  return row ? keyFromRow(row) : null;
}

/** What others write beside us, the last use above all, is left alone. */
async function write(tx: SQL, key: ApiKey, nowMs: number): Promise<ApiKey> {
  const changed = { ...key, updatedAt: nowMs };
  const { id, created_at, last_used_at, ...row } = rowFromKey(changed);
  await tx`UPDATE api_keys SET ${tx(row)} WHERE id = ${id}`;
  return changed;
}

async function taken(tx: SQL, selectWhere: string, texts: readonly string[]): Promise<Set<string>> {
  const places = texts.map((_, i) => `$${i + 1}`).join(', ');
  const rows = await tx.unsafe<{ text: string }[]>(`${selectWhere} IN (${places})`, [...texts]);
  return new Set(rows.map((row) => row.text));
}

function hashOf({ keyHash }: ImportedKey): string {
  return keyHash;
}

function secretRow({ key, keyHash }: ImportedKey) {
  return { key_hash: keyHash, key_id: key.id, created_at: key.createdAt, expires_at: null };
}
