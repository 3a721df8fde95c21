/** Short confirmations at the edge of the page, read out by screen readers, gone after a while. */
import { SharedState } from './shared-state.ts';

interface Notice {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
}

const SHOWN_MS = 6_000;
let lastId = 0;

export const notices = new SharedState<readonly Notice[]>([]);

export function notify(text: string, isError = false): void {
  const id = ++lastId;
  notices.set([...notices.value.slice(-2), { id, text, isError }]);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  notices.set(notices.value.filter((notice) => notice.id !== id));
}
