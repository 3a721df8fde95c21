/**
 * What can be done to keys that exist, how keys of another deployment come in, and which keys changed. Each function that
 * writes runs inside a transaction of the caller's, so that what it reads is still true when it writes.
 */
import type { SQL } from 'bun';
import type { ApiKey, KeyChanges } from '../../keys/key.ts';
import type { ImportConflict, ImportedKey, KeyChange, KeyDeletion, Secret } from '../store.ts';
import { getKey } from './key-reads.ts';
import { rowFromKey } from './rows.ts';

/** Rows of one statement: both dialects bound the number of parameters (SQLite 32,766; a key has 16). */
const IMPORT_ROWS = 500;

export async function insertKey(tx: SQL, key: ApiKey, keyHash: string): Promise<void> {
  await tx`INSERT INTO api_keys ${tx(rowFromKey(key))}`;
  await tx`INSERT INTO key_secrets ${tx(secretRow({ key, keyHash }))}`;
}

/** Revoking twice is no error. */
export async function changeKey(
  tx: SQL,
  id: string,
  changes: KeyChanges & Partial<Pick<ApiKey, 'status'>>,
  nowMs: number,
): Promise<KeyChange> {
  const key = await getKey(tx, id);
  if (!key) return { kind: 'unknown' };
  if (key.status === 'revoked' && changes.status !== 'revoked') return { kind: 'revoked', key };
  const changed = { ...key, ...changes };
  if (Bun.deepEquals(key, changed, true)) return { kind: 'changed', before: key, key };
  return { kind: 'changed', before: key, key: await write(tx, changed, nowMs) };
}

/** The secrets so far work on for the grace, or for what is left of theirs if that is less. */
export async function replaceSecret(
  tx: SQL,
  id: string,
  secret: Secret,
  graceMs: number,
  nowMs: number,
): Promise<KeyChange> {
  const key = await getKey(tx, id);
  if (!key) return { kind: 'unknown' };
  if (key.status === 'revoked') return { kind: 'revoked', key };
  const endMs = nowMs + graceMs;
  await tx`UPDATE key_secrets SET expires_at = ${endMs}
    WHERE key_id = ${id} AND (expires_at IS NULL OR expires_at > ${endMs})`;
  // They answer like unknown keys anyway; kept, they would pile up with every rotation.
  await tx`DELETE FROM key_secrets WHERE key_id = ${id} AND expires_at <= ${nowMs}`;
  const row = { key_hash: secret.hash, key_id: id, created_at: nowMs, expires_at: null };
  await tx`INSERT INTO key_secrets ${tx(row)}`;
  return { kind: 'changed', before: key, key: await write(tx, { ...key, prefix: secret.prefix }, nowMs) };
}

export async function deleteKey(tx: SQL, id: string): Promise<KeyDeletion> {
  const key = await getKey(tx, id);
  if (!key) return { kind: 'unknown' };
  if (key.status !== 'revoked') return { kind: 'not_revoked', key };
  await tx`DELETE FROM key_secrets WHERE key_id = ${id}`;
  await tx`DELETE FROM api_keys WHERE id = ${id}`;
  await noteChange(tx, id);
  return { kind: 'deleted', key };
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

/** What others write beside us, the last use above all, is left alone. */
async function write(tx: SQL, key: ApiKey, nowMs: number): Promise<ApiKey> {
  const changed = { ...key, updatedAt: nowMs };
  const { id, created_at, last_used_at, ...row } = rowFromKey(changed);
  await tx`UPDATE api_keys SET ${tx(row)} WHERE id = ${id}`;
  await noteChange(tx, id);
  return changed;
}

/** Tells the key caches of all processes, see the migration. Last in its transaction: from here on other changes wait. */
async function noteChange(tx: SQL, id: string): Promise<void> {
  await tx`UPDATE key_change_counter SET seq = seq + 1`;
  await tx`INSERT INTO key_changes (key_id, seq) SELECT ${id}, seq FROM key_change_counter WHERE TRUE
    ON CONFLICT (key_id) DO UPDATE SET seq = excluded.seq`;
}

async function taken(tx: SQL, selectWhere: string, texts: readonly string[]): Promise<Set<string>> {
  const placeholders = texts.map((_, i) => `$${i + 1}`).join(', ');
  const rows = await tx.unsafe<{ text: string }[]>(`${selectWhere} IN (${placeholders})`, [...texts]);
  return new Set(rows.map((row) => row.text));
}

function hashOf({ keyHash }: ImportedKey): string {
  return keyHash;
}

function secretRow({ key, keyHash }: ImportedKey) {
  return { key_hash: keyHash, key_id: key.id, created_at: key.createdAt, expires_at: null };
}
