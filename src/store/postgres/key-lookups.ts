/** What a cache of keys asks for, some times a second: keys by hash, and which of them changed. */
import type { SQL } from 'bun';
import type { FoundKey, KeyChangeList } from '../../keys/key-source.ts';
import { type KeyRow, keyFromRow } from '../sql/rows.ts';

type FoundRow = KeyRow & { readonly key_hash: string; readonly secret_expires_at: number | string | null };

/** Beyond that many it is cheaper to forget all keys than to name those that changed. */
const CHANGES_MAX = 1_000;

export async function findByHashes(sql: SQL, hashes: readonly string[]): Promise<Map<string, FoundKey>> {
  const rows = await sql<FoundRow[]>`SELECT k.*, s.key_hash, s.expires_at AS secret_expires_at
    FROM key_secrets s JOIN api_keys k ON k.id = s.key_id
    WHERE s.key_hash IN (SELECT jsonb_array_elements_text(${JSON.stringify(hashes)}::text::jsonb))`;
  return new Map(
    rows.map((row) => {
      const expiresAt = row.secret_expires_at;
      return [row.key_hash, { key: keyFromRow(row), secretExpiresAt: expiresAt === null ? null : Number(expiresAt) }];
    }),
  );
}

/** One statement, and so one snapshot: the counter and the changes up to it. */
export async function changesSince(sql: SQL, seq: number | null): Promise<KeyChangeList> {
  const since = seq ?? Number.MAX_SAFE_INTEGER;
  const rows = await sql<{ seq: number | string; key_id: string | null }[]>`
    SELECT n.seq, c.key_id FROM key_change_counter n LEFT JOIN key_changes c ON c.seq > ${since}
    LIMIT ${CHANGES_MAX + 1}`;
  const last = Number(rows[0]!.seq);
  // A counter that went back is that of another database, or of an older copy of this one.
  if (rows.length > CHANGES_MAX || (seq !== null && last < seq)) return { seq: last, keyIds: null };
  return { seq: last, keyIds: rows.flatMap(({ key_id }) => key_id ?? []) };
}
