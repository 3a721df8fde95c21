/** Reads keys. */
import type { SQL } from 'bun';
import type { ApiKey } from '../../keys/key.ts';
import type { FoundKey } from '../../keys/key-source.ts';
import { type KeyRow, keyFromRow } from './rows.ts';

type FoundRow = KeyRow & { readonly key_hash: string; readonly secret_expires_at: number | string | null };

/** One indexed probe for each hash. */
export async function findByHashes(sql: SQL, hashes: readonly string[]): Promise<Map<string, FoundKey>> {
  const rows = await sql.unsafe<FoundRow[]>(
    `SELECT k.*, s.key_hash, s.expires_at AS secret_expires_at
     FROM key_secrets s JOIN api_keys k ON k.id = s.key_id
     WHERE s.key_hash IN (${hashes.map(() => '?').join()})`,
    [...hashes],
  );
  return new Map(rows.map((row) => [row.key_hash, foundFromRow(row)]));
}

/** Newest first. */
export async function listKeys(sql: SQL): Promise<ApiKey[]> {
  return (await sql<KeyRow[]>`SELECT * FROM api_keys ORDER BY created_at DESC, id`).map(keyFromRow);
}

export async function getKey(sql: SQL, id: string): Promise<ApiKey | null> {
  const [row] = await sql<KeyRow[]>`SELECT * FROM api_keys WHERE id = ${id}`;
  return row ? keyFromRow(row) : null;
}

function foundFromRow(row: FoundRow): FoundKey {
  return {
    key: keyFromRow(row),
    secretExpiresAt: row.secret_expires_at === null ? null : Number(row.secret_expires_at),
  };
}
