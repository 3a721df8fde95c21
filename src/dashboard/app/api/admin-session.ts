/** The admin key of this tab. It is kept in sessionStorage, nowhere else, and gone when the tab is closed. */
import { SharedState } from '../state/shared-state.ts';

const STORAGE_NAME = 'bve-admin-key';

interface AdminSession {
  readonly key: string | null;
  /** Why there is none any more, to be shown where the key is asked for. */
  readonly endedBecause: string | null;
}

export const adminSession = new SharedState<AdminSession>({
  key: sessionStorage.getItem(STORAGE_NAME),
  endedBecause: null,
});

export function beginSession(key: string): void {
  sessionStorage.setItem(STORAGE_NAME, key);
  adminSession.set({ key, endedBecause: null });
}

export function endSession(because: string | null = null): void {
  sessionStorage.removeItem(STORAGE_NAME);
  adminSession.set({ key: null, endedBecause: because });
}
