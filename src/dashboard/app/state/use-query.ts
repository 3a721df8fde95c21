/**
 * Data of one call, with all that can happen to it: not there yet, there, being asked for again, out of date because the
 * gateway does not answer. Failures that pass are tried again; data that was there once stays visible meanwhile.
 */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { isApiError } from '../api/admin-client.ts';
import { ApiError } from '../api/api-error.ts';
import { recoveries } from '../api/connection-monitor.ts';

export interface QueryState<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  /** When `data` came, milliseconds since 1970. */
  readonly loadedAtMs: number | undefined;
  /** Asks again now. */
  readonly reload: () => void;
}

interface QueryOptions {
  /** Asks again so often while the page is visible. */
  readonly refreshMs?: number;
  /** Shows the data of the last id until that of this one is there. */
  readonly keepData?: boolean;
}

interface Held<T> {
  readonly id: string;
  readonly data?: T;
  readonly error?: ApiError;
  readonly loading: boolean;
  readonly loadedAtMs?: number;
}

const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 15_000;

/** `id` names what is asked for: another id is asked for anew, null asks for nothing. */
export function useQuery<T>(
  id: string | null,
  load: (signal: AbortSignal) => Promise<T>,
  { refreshMs, keepData = false }: QueryOptions = {},
): QueryState<T> {
  const [held, setHeld] = useState<Held<T>>({ id: '', loading: true });
  const loadLatest = useRef(load);
  loadLatest.current = load;
  const askAgain = useRef<() => void>(() => {});

  useEffect(() => {
    if (id === null) return;
    let abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let retryMs = RETRY_FIRST_MS;
    let failed = false;

    const ask = async () => {
      clearTimeout(timer);
      abort.abort();
      abort = new AbortController();
      const { signal } = abort;
      setHeld((before) => ({ ...(before.id === id || keepData ? before : {}), id, loading: true }));
      try {
        const data = await loadLatest.current(signal);
        if (signal.aborted) return;
        failed = false;
        retryMs = RETRY_FIRST_MS;
        setHeld({ id, data, loading: false, loadedAtMs: Date.now() });
        if (refreshMs !== undefined) timer = setTimeout(refresh, refreshMs);
      } catch (error) {
        if (signal.aborted) return;
        failed = true;
        const reason = isApiError(error) ? error : new ApiError(String(error), { kind: 'failed' });
        setHeld(({ error: _, ...before }) => ({ ...before, id, error: reason, loading: false }));
        // When nothing answers at all, `recoveries` says when to go on.
        if (reason.kind !== 'failed') return;
        timer = setTimeout(() => void ask(), retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      }
    };
    const refresh = () => {
      if (document.visibilityState === 'visible') void ask();
    };
    const whenVisible = () => {
      if (refreshMs !== undefined && document.visibilityState === 'visible') void ask();
    };
    askAgain.current = () => void ask();
    const unsubscribe = recoveries.subscribe(() => {
      if (failed) void ask();
    });
    document.addEventListener('visibilitychange', whenVisible);
    void ask();
    return () => {
      clearTimeout(timer);
      abort.abort();
      unsubscribe();
      document.removeEventListener('visibilitychange', whenVisible);
    };
  }, [id, refreshMs, keepData]);

  const isCurrent = held.id === id || (keepData && held.data !== undefined);
  return {
    data: isCurrent ? held.data : undefined,
    error: held.id === id ? held.error : undefined,
    loading: id !== null && (held.id !== id || held.loading),
    loadedAtMs: isCurrent ? held.loadedAtMs : undefined,
    reload: useCallback(() => askAgain.current(), []),
  };
}
