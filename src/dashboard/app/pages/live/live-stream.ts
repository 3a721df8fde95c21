/**
 * The connection to /admin/live: kept open, opened again when it breaks, and watched, because a connection that is silent
 * looks like one that is well. What arrives goes to the history of the plots and to the list of requests.
 */
import { openLive } from '../../api/admin-client.ts';
import { ApiError } from '../../api/api-error.ts';
import type { LiveSnapshot, RequestRecord } from '../../api/api-types.ts';
import { connection, recoveries, reportNoAnswer } from '../../api/connection-monitor.ts';
import { readEvents, type ServerEvent } from '../../api/sse-reader.ts';
import { SharedState } from '../../state/shared-state.ts';

export interface LiveState {
  /** `waiting`: it broke off, and is opened again shortly. `refused`: trying again will not help. */
  readonly phase: 'closed' | 'connecting' | 'open' | 'waiting' | 'refused';
  readonly error: ApiError | null;
  /** When the last snapshot came; null: none yet. Milliseconds since 1970. */
  readonly lastSnapshotAtMs: number | null;
}

interface LiveReceiver {
  snapshot(snapshot: LiveSnapshot): void;
  request(record: RequestRecord): void;
  /** The gateway could not send so many, because this page was too slow. */
  dropped(count: number): void;
}

/** A snapshot comes each second: so long without a byte means that nothing is there any more. */
const SILENCE_MAX_MS = 6_000;
const FIRST_DELAY_MS = 500;
const DELAY_MAX_MS = 10_000;

export class LiveStream {
  readonly state = new SharedState<LiveState>({ phase: 'closed', error: null, lastSnapshotAtMs: null });
  readonly #receiver: LiveReceiver;
  #abort: AbortController | null = null;
  #delayMs = FIRST_DELAY_MS;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #unsubscribe: (() => void) | null = null;

  constructor(receiver: LiveReceiver) {
    this.#receiver = receiver;
  }

  open(): void {
    if (this.#abort !== null) return;
    // When the gateway is back it should not be waited for any longer.
    this.#unsubscribe = recoveries.subscribe(() => this.#retryNow());
    void this.#run();
  }

  close(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = null;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#silenceTimer);
    const abort = this.#abort;
    this.#abort = null;
    abort?.abort();
    this.#change({ phase: 'closed' });
  }

  async #run(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#change({ phase: 'connecting' });
    this.#watch(abort);
    try {
      const response = await openLive(abort.signal);
      this.#change({ phase: 'open', error: null });
      await readEvents(
        response.body!,
        (event) => this.#receive(event),
        () => this.#watch(abort),
      );
      throw new ApiError('The gateway ended the live view.', { kind: 'unreachable' });
    } catch (error) {
      if (this.#abort !== abort) return;
      clearTimeout(this.#silenceTimer);
      this.#failed(
        error instanceof ApiError ? error : new ApiError('The live view broke off.', { kind: 'unreachable' }),
      );
    }
  }

  #failed(error: ApiError): void {
    if (!error.passing) {
      this.#abort = null;
      this.#unsubscribe?.();
      this.#change({ phase: 'refused', error });
      return;
    }
    this.#change({ phase: 'waiting', error });
    this.#retryTimer = setTimeout(() => void this.#run(), this.#delayMs * (0.75 + Math.random() / 2));
    this.#delayMs = Math.min(this.#delayMs * 2, DELAY_MAX_MS);
  }

  #retryNow(): void {
    if (this.state.value.phase !== 'waiting' || !connection.value.reachable) return;
    clearTimeout(this.#retryTimer);
    void this.#run();
  }

  #watch(abort: AbortController): void {
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => {
      // It may hang altogether: then every page says so.
      reportNoAnswer();
      abort.abort();
    }, SILENCE_MAX_MS);
  }

  #receive({ name, data }: ServerEvent): void {
    if (name === 'request') this.#receiver.request(JSON.parse(data) as RequestRecord);
    else if (name === 'snapshot') {
      this.#delayMs = FIRST_DELAY_MS;
      this.#receiver.snapshot(JSON.parse(data) as LiveSnapshot);
      this.#change({ lastSnapshotAtMs: Date.now() });
    } else if (name === 'dropped') {
      this.#receiver.dropped((JSON.parse(data) as { count: number }).count);
    }
  }

  #change(change: Partial<LiveState>): void {
    this.state.set({ ...this.state.value, ...change });
  }
}
