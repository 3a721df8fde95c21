/**
 * All keys of the gateway, read once page by page and shared: the list of keys shows them, every other page needs their
 * names. Ten thousand are ten calls and some megabytes, and can then be searched and sorted without asking again.
 */
import { isApiError, listKeys, PAGE_ROWS } from '../api/admin-client.ts';
import { adminSession } from '../api/admin-session.ts';
import type { ApiError } from '../api/api-error.ts';
import type { KeyObject } from '../api/api-types.ts';
import { recoveries } from '../api/connection-monitor.ts';
import { SharedState } from './shared-state.ts';

interface AllKeys {
  /** Newest first. While they are being read for the first time, those that have come so far. */
  readonly keys: readonly KeyObject[];
  readonly loading: boolean;
  readonly error: ApiError | null;
  /** When all were read last, milliseconds since 1970; null: not yet. */
  readonly loadedAtMs: number | null;
}

const EMPTY: AllKeys = { keys: [], loading: false, error: null, loadedAtMs: null };
const FRESH_MS = 30_000;

export const keyDirectory = new SharedState<AllKeys>(EMPTY);
let byId = new Map<string, KeyObject>();
let reading: AbortController | null = null;

adminSession.subscribe(() => {
  reading?.abort();
  reading = null;
  byId = new Map();
  keyDirectory.set(EMPTY);
});
recoveries.subscribe(() => {
  if (keyDirectory.value.error !== null) void readAllKeys();
});

/** What a key is called; a deleted one by the beginning of its id. */
export function keyName(id: string): string {
  return byId.get(id)?.name ?? id.slice(0, 8);
}

export function knownKey(id: string): KeyObject | undefined {
  return byId.get(id);
}

/** Reads them unless they were read a moment ago. */
export function wantKeys(): void {
  const { loadedAtMs } = keyDirectory.value;
  if (reading === null && (loadedAtMs === null || Date.now() - loadedAtMs > FRESH_MS)) void readAllKeys();
}

export async function readAllKeys(): Promise<void> {
  reading?.abort();
  const abort = new AbortController();
  reading = abort;
  keyDirectory.set({ ...keyDirectory.value, loading: true });
  const isFirst = keyDirectory.value.loadedAtMs === null;
  const found = new Map<string, KeyObject>();
  try {
    let after: string | undefined;
    for (;;) {
      const page = await listKeys({ after, limit: PAGE_ROWS }, abort.signal);
      const before = found.size;
      for (const key of page) found.set(key.id, key);
      after = page.at(-1)?.id;
      if (page.length < PAGE_ROWS || found.size === before) break;
      if (isFirst) show(found, { loading: true, error: null, loadedAtMs: null });
    }
    show(found, { loading: false, error: null, loadedAtMs: Date.now() });
  } catch (error) {
    if (abort.signal.aborted) return;
    keyDirectory.set({ ...keyDirectory.value, loading: false, error: isApiError(error) ? error : null });
  }
  reading = null;
}

/** Takes over what a change has made of a key; a new one comes first. */
export function keyChanged(changed: KeyObject): void {
  const { keys } = keyDirectory.value;
  const rest = byId.has(changed.id) ? keys.map((key) => (key.id === changed.id ? changed : key)) : [changed, ...keys];
  byId.set(changed.id, changed);
  keyDirectory.set({ ...keyDirectory.value, keys: rest });
}

export function keyDeleted(id: string): void {
  byId.delete(id);
  keyDirectory.set({ ...keyDirectory.value, keys: keyDirectory.value.keys.filter((key) => key.id !== id) });
}

function show(found: ReadonlyMap<string, KeyObject>, state: Omit<AllKeys, 'keys'>): void {
  byId = new Map(found);
  keyDirectory.set({ ...state, keys: [...found.values()] });
}
