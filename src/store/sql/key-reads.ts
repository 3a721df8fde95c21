/** Reads keys, in the SQL that SQLite and Postgres share. */
import type { SQL } from 'bun';
import type { ApiKey } from '../../keys/key.ts';
import { PacedRead } from '../paced.ts';
import type { KeysQuery } from '../store.ts';
import { type KeyRow, keyFromRow } from './rows.ts';

/**
 * Newest first. Looks through all keys in pieces, by id, for what a list is ordered and searched by; then reads those that
 * are wanted, in pieces too: the event loop is never held for long, however many keys there are.
 */
export async function listKeys(sql: SQL, query: KeysQuery): Promise<ApiKey[]> {
  const wanted = (await findEntries(sql, query)).sort(newestFirst);
  const { after } = query;
  const start = after === undefined ? 0 : countWhile(wanted, (entry) => newestFirst(entry, after) <= 0);
  const ids = wanted.slice(start, start + (query.limit ?? wanted.length)).map(({ id }) => id);
  return readKeys(sql, ids);
}

interface Entry {
  readonly id: string;
  readonly createdAt: number;
}

interface EntryRow {
  readonly id: string;
  readonly created_at: number | string;
  readonly status: string;
  readonly name: string;
  readonly prefix: string;
  readonly tags: string;
}

/** How many keys are examined, or read, in one piece at most. */
const PIECE_MAX = 16_384;
/** Of the parameters of one statement. */
const READ_MAX = 4_096;

async function findEntries(sql: SQL, { status, text }: KeysQuery): Promise<Entry[]> {
  const pace = new PacedRead(256, PIECE_MAX);
  const needle = text?.toLowerCase();
  const found: Entry[] = [];
  for (let last = ''; ; ) {
    const rows = await pace.piece(async () => {
      const { size } = pace;
      const piece = await sql<EntryRow[]>`
        SELECT id, created_at, status, name, prefix, tags FROM api_keys WHERE id > ${last} ORDER BY id LIMIT ${size}`;
      for (const row of piece) {
        if (status !== undefined && row.status !== status) continue;
        if (needle === undefined || holds(row, needle)) found.push({ id: row.id, createdAt: Number(row.created_at) });
      }
      return { last: piece.at(-1)?.id, isLast: piece.length < size };
    });
    if (rows.isLast || rows.last === undefined) return found;
    last = rows.last;
  }
}

function holds({ id, name, prefix, tags }: EntryRow, needle: string): boolean {
  const texts = [name, id, prefix, ...(tags === '{}' ? [] : Object.values(JSON.parse(tags) as Record<string, string>))];
  return texts.some((text) => text.toLowerCase().includes(needle));
}

function newestFirst(a: Entry, b: Entry): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function countWhile<T>(items: readonly T[], holdsFor: (item: T) => boolean): number {
  const end = items.findIndex((item) => !holdsFor(item));
  return end === -1 ? items.length : end;
}

/** In the order of the ids; one that was deleted meanwhile is absent. */
async function readKeys(sql: SQL, ids: readonly string[]): Promise<ApiKey[]> {
  const pace = new PacedRead(64, READ_MAX);
  const keys: ApiKey[] = [];
  for (let start = 0; start < ids.length; ) {
    const piece = ids.slice(start, start + pace.size);
    start += piece.length;
    await pace.piece(async () => {
      const placeholders = piece.map((_, i) => `$${i + 1}`).join();
      const rows = await sql.unsafe<KeyRow[]>(`SELECT * FROM api_keys WHERE id IN (${placeholders})`, piece);
      const byId = new Map(rows.map((row) => [row.id, row]));
      for (const id of piece) {
        const row = byId.get(id);
        if (row) keys.push(keyFromRow(row));
      }
    });
  }
  return keys;
}

export async function getKey(sql: SQL, id: string): Promise<ApiKey | null> {
  const [row] = await sql<KeyRow[]>`SELECT * FROM api_keys WHERE id = ${id}`;
  return row ? keyFromRow(row) : null;
}
