/**
 * Whether the gateway answers at all, for the whole application: the first call that gets no answer starts to ask /health,
 * more and more rarely, and when that answers, whatever failed meanwhile is told to load again.
 */
import { SharedState } from '../state/shared-state.ts';

interface ConnectionState {
  readonly reachable: boolean;
  /** When it was last known to answer, milliseconds since 1970. */
  readonly lastAnswerAtMs: number;
  /** When it is asked next; null while it is being asked, or need not be. */
  readonly nextTryAtMs: number | null;
}

const FIRST_DELAY_MS = 500;
const DELAY_MAX_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;

export const connection = new SharedState<ConnectionState>({
  reachable: true,
  lastAnswerAtMs: Date.now(),
  nextTryAtMs: null,
});
/** Grows each time the gateway is back. */
export const recoveries = new SharedState(0);

let delayMs = FIRST_DELAY_MS;
let timer: ReturnType<typeof setTimeout> | undefined;

export function reportAnswer(): void {
  const wasReachable = connection.value.reachable;
  // Every second is often enough for something that is shown as a time of day.
  if (wasReachable && Date.now() - connection.value.lastAnswerAtMs < 1000) return;
  clearTimeout(timer);
  timer = undefined;
  delayMs = FIRST_DELAY_MS;
  connection.set({ reachable: true, lastAnswerAtMs: Date.now(), nextTryAtMs: null });
  if (!wasReachable) recoveries.set(recoveries.value + 1);
}

export function reportNoAnswer(): void {
  if (!connection.value.reachable) return;
  waitForNextTry({ ...connection.value, reachable: false });
}

export function tryNow(): void {
  if (connection.value.reachable || connection.value.nextTryAtMs === null) return;
  clearTimeout(timer);
  void probe();
}

function waitForNextTry(state: ConnectionState): void {
  // Not all open dashboards at once.
  const waitMs = delayMs * (0.75 + Math.random() / 2);
  delayMs = Math.min(delayMs * 2, DELAY_MAX_MS);
  connection.set({ ...state, nextTryAtMs: Date.now() + waitMs });
  timer = setTimeout(() => void probe(), waitMs);
}

async function probe(): Promise<void> {
  connection.set({ ...connection.value, nextTryAtMs: null });
  try {
    await fetch('/health', { cache: 'no-store', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    reportAnswer();
  } catch {
    if (!connection.value.reachable) waitForNextTry(connection.value);
  }
}
