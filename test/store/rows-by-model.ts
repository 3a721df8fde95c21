/** The table of usage by model as it is in the file. */
import { Database } from 'bun:sqlite';
import { openStore } from '../../src/store/open-store.ts';

const COLUMNS =
  'key_id, day, model, requests, errors, prompt_tokens, cached_tokens, completion_tokens, reasoning_tokens, total_tokens';

/** What is pending is brought into the table by whoever reads totals. */
export async function rowsByModel(path: string) {
  const store = await openStore(`sqlite://${path}`);
  await store.recentUsageDays({ first: 0, last: 0, limit: 1 });
  await store.close();
  using database = new Database(path, { readonly: true });
  return database.query(`SELECT ${COLUMNS} FROM usage_by_model ORDER BY key_id, day, model`).values();
}
